"""Ending in the middle, and going on as if nothing had happened."""
import random
import signal

import pytest
from lib.runs import checkpoint, events, same_bits, start, train, wait_for_step
from lib.small import make_small

EPOCHS = ["--epochs", 6, "--crop", 16, "--flip"]


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """A run that was never stopped: 30 steps."""
    out = tmp_path_factory.mktemp("whole") / "out"
    train(small, out, *EPOCHS)
    return out


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_steps_and_resumed_it_is_the_same_bits(small, whole, tmp_path, seed):
    draw, out, kills = random.Random(seed), tmp_path / "out", 0
    every = ["--checkpoint-every", draw.choice([1, 2, 3])]
    while True:
        run = start(small, out, *EPOCHS, *every, *["--resume"] * (kills > 0))
        if kills == 4:
            break
        wait_for_step(run, draw.randint(3, 7))
        run.kill()
        assert run.wait(60) == -signal.SIGKILL
        run.stderr.close()
        run.stdout.close()
        kills += 1
    _, told = run.communicate(timeout=120)
    assert run.returncode == 0, told
    assert same_bits(out, whole)
    # The last of what was logged twice is what a run without stops logs.
    steps = {e["step"]: e for e in events(out, "step")}
    assert list(steps.values()) == events(whole, "step")
    assert events(out, "epoch")[-1] == events(whole, "epoch")[-1]


@pytest.mark.parametrize("number,status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_ends(small, whole, tmp_path, number, status):
    run = start(small, tmp_path / "out", *EPOCHS)
    wait_for_step(run, 7)
    run.send_signal(number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == status
    assert "; --resume goes on" in told
    assert events(tmp_path / "out", "end")[-1]["how"] == "interrupted"
    train(small, tmp_path / "out", *EPOCHS, "--resume")
    assert same_bits(tmp_path / "out", whole)


def test_a_run_that_is_complete_has_nothing_left_to_do(small, whole, tmp_path):
    before = checkpoint(whole).read_bytes()
    told = train(small, whole, *EPOCHS, "--resume")
    assert "done: 30 steps" in told
    assert checkpoint(whole).read_bytes() == before


def test_metrics_have_each_step_once_after_a_resume(small, tmp_path):
    run = start(small, tmp_path, *EPOCHS)  # checkpoints after steps 5, 10, ...
    wait_for_step(run, 8)
    run.kill()
    run.communicate(timeout=60)
    train(small, tmp_path, *EPOCHS, "--resume")
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]]
    assert [int(row[0]) for row in rows if row[5] == ""] == list(range(1, 31))
    assert [int(row[0]) for row in rows if row[5]] == list(range(5, 31, 5))


def test_reading_options_and_place_may_change(small, whole, tmp_path):
    run = start(small, tmp_path / "out", *EPOCHS)
    wait_for_step(run, 4)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    copy = make_small(tmp_path / "copy")
    train(copy, tmp_path / "out", *EPOCHS, "--resume", "--readers", 1, "--queue", 9,
          "--checkpoint-every", 2, "--max-bad", "50%")
    assert same_bits(tmp_path / "out", whole)


# ---- what can't be the same bits is refused ----------------------------------------------------


@pytest.fixture
def stopped(small, tmp_path):
    out = tmp_path / "out"
    run = start(small, out, *EPOCHS)
    wait_for_step(run, 4)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    return out


def refused(small, out, *options, **kwargs):
    return train(small, out, *EPOCHS, "--resume", *options, status=1, **kwargs)


def test_other_threads_are_refused(small, stopped):
    told = refused(small, stopped, "--threads", 1)
    assert '"threads = 2", now "threads = 1"' in told and "--resume-anyway" in told
    train(small, stopped, *EPOCHS, "--resume-anyway", "--threads", 1)


def test_another_instruction_set_is_refused(small, stopped):
    other = {"DNNL_MAX_CPU_ISA": "SSE41", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    assert 'now "isa = 0x1"' in refused(small, stopped, env=other)
    train(small, stopped, *EPOCHS, "--resume-anyway", env=other)


@pytest.mark.parametrize("option,value,says", [
    ("--lr", "0.02", '"lr = 0.01", now "lr = 0.02"'),
    ("--epochs", "7", '"epochs = 6", now "epochs = 7"'),
    ("--batch", "4", '"batch of all ranks = 8", now "batch of all ranks = 4"'),
    ("--seed", "6", "another"),
])
def test_other_settings_are_refused(small, stopped, option, value, says):
    assert says in refused(small, stopped, option, value)


def test_another_list_of_samples_is_refused(stopped, tmp_path):
    other = make_small(tmp_path / "other", n=39)
    for option in ("--resume", "--resume-anyway"):
        assert "belongs to another list of samples" in train(other, stopped, *EPOCHS, option, status=1)


def test_another_model_is_refused(small, stopped):
    told = train(small, stopped, *EPOCHS, "--resume-anyway", "--video-width", 8, status=1)
    assert "has another shape than this model's" in told
    told = train(small, stopped, *EPOCHS, "--resume-anyway", "--optimizer", "sgd", status=1)
    assert 'no array "optimizer.momentum.' in told
