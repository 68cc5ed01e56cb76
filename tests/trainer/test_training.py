"""What a run does: it learns, it is the same every time, it tells what it did."""
import csv
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

import numpy as np
import pytest
from lib import formulas
from lib.runs import ENV, checkpoint, command, events, predict, same_bits, train
from lib.small import CLASSES, make_small, samples_of
from safetensors import safe_open
from safetensors.numpy import load_file


def last_epoch(out):
    return events(out, "epoch")[-1]


@pytest.mark.parametrize("modality", ["av", "video", "audio"])
def test_digits_of_unknown_voices_are_learned(digits, tmp_path, modality):
    train(digits, tmp_path, "--modality", modality, "--epochs", 6, "--batch", 16, "--lr", "0.003",
          "--video-width", 8, "--video-depth", 4, "--audio-width", 64, "--audio-depth", 4)
    accuracy = last_epoch(tmp_path)["val_accuracy"]
    # Video has five colours for ten digits; chance is 0.1.
    assert accuracy > {"av": 0.95, "video": 0.3, "audio": 0.8}[modality]


@pytest.mark.parametrize("options", [
    [], ["--modality", "video"], ["--modality", "audio"], ["--optimizer", "sgd", "--lr", "0.05"],
    ["--schedule", "constant", "--warmup", "0", "--label-smoothing", "0"], ["--batch", "1"],
    ["--batch", "100"], ["--crop", "16", "--flip"],
])
def test_every_kind_of_run_learns(larger, tmp_path, options):
    epochs = 12 if "--batch" not in options else 4 if "1" in options else 60
    train(larger, tmp_path, "--epochs", epochs, *options)
    first, last = events(tmp_path, "epoch")[0], last_epoch(tmp_path)
    # By chance 0.33; what six noisy coefficients show is harder.
    assert last["val_accuracy"] > (0.6 if "audio" in options else 0.85)
    assert last["loss"] < first["loss"]


def test_two_runs_are_the_same_bits(small, tmp_path):
    options = ["--epochs", 3, "--crop", 16, "--flip"]
    train(small, tmp_path / "a", *options)
    train(small, tmp_path / "b", *options, "--readers", 1, "--queue", 2)
    assert same_bits(tmp_path / "a", tmp_path / "b")
    for kind in ("step", "epoch"):
        assert events(tmp_path / "a", kind) == events(tmp_path / "b", kind)
    train(small, tmp_path / "c", *options, "--seed", 6)
    assert not same_bits(tmp_path / "a", tmp_path / "c")


def test_a_copy_elsewhere_gives_the_same_bits(small, tmp_path):
    shutil.copytree(small, tmp_path / "copy")
    train(small, tmp_path / "a", "--epochs", 2)
    train(tmp_path / "copy", tmp_path / "b", "--epochs", 2)
    assert same_bits(tmp_path / "a", tmp_path / "b")
    assert events(tmp_path / "a", "epoch") == events(tmp_path / "b", "epoch")


def test_folders_without_an_index_work_as_well(tmp_path):
    data = make_small(tmp_path / "data", index=False)
    told = train(data, tmp_path / "out", "--epochs", 1)
    assert "36 samples of 3 classes to train on, 9 to validate with" in told
    assert len(events(tmp_path / "out", "step")) == 5


def test_epoch_and_seed_in_the_name_are_replaced(small, tmp_path):
    for epoch in range(2):
        shutil.copytree(small, tmp_path / f"d@epoch={epoch},seed=5")
    train(tmp_path / "d@epoch={epoch},seed={seed}", tmp_path / "out", "--epochs", 2)
    train(small, tmp_path / "same", "--epochs", 2)
    assert same_bits(tmp_path / "out", tmp_path / "same")
    # There is no epoch 2.
    told = train(tmp_path / "d@epoch={epoch},seed={seed}", tmp_path / "more", "--epochs", 3, status=1)
    assert "samples can't be used, more than max_bad = 1% allows" in told


def test_a_mount_is_told_the_order_of_each_epoch(own, tmp_path):
    (tmp_path / ".s3samplefs").mkdir()
    hint = tmp_path / ".s3samplefs/prefetch"
    hint.write_text("")
    train(own, tmp_path / "out", "--epochs", 2)
    lines = hint.read_text().splitlines()
    # A plain file keeps what was written last: the second epoch's order, over the first.
    assert len(lines) == 2 * 36
    assert sorted(lines[::2]) == sorted(f"data/{row['path']}/frames.npy" for row in samples_of(own)
                                        if row["split"] == "train")


# ---- what it tells ---------------------------------------------------------------------------


def test_logs_say_what_happened(small, tmp_path):
    train(small, tmp_path, "--epochs", 2, "--log-every", 5)
    steps, epochs = events(tmp_path, "step"), events(tmp_path, "epoch")
    assert [s["step"] for s in steps] == [5, 10]
    assert [e["step"] for e in epochs] == [5, 10]
    assert events(tmp_path, "end") == [{"event": "end", "how": "complete"}]
    settings = events(tmp_path, "start")[0]["settings"].splitlines()
    assert "epochs = 2" in settings and "frames = 2 x 20 x 24" in settings
    with open(tmp_path / "metrics.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [row["step"] for row in rows] == ["5", "5", "10", "10"]
    assert float(rows[1]["val_loss"]) == epochs[0]["val_loss"]
    assert float(rows[2]["loss"]) == steps[1]["loss"]
    assert float(rows[0]["lr"]) == pytest.approx(0.01)  # warm-up of one epoch


def test_rates_follow_the_schedule(small, tmp_path):
    train(small, tmp_path, "--epochs", 4, "--warmup", 1)
    rates = [s["lr"] for s in events(tmp_path, "step")]
    expected = [0.01 * (i + 1) / 5 for i in range(5)]
    expected += [0.005 * (1 + np.cos(np.pi * i / 15)) for i in range(15)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize("columns", [0, 40, 80, 200])
def test_a_terminal_gets_one_line_that_moves(small, tmp_path, columns):
    us, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.Popen(command(small, tmp_path, "--epochs", 2), stderr=terminal, env=ENV)
    os.close(terminal)
    text = b""
    try:
        while chunk := os.read(us, 65536):
            text += chunk
    except OSError:
        pass  # the other end is closed
    os.close(us)
    assert run.wait(60) == 0
    drawn = re.findall(rb"\r([^\r\n\x1b]+)\x1b\[K", text)
    assert drawn and text.count(b"\n") < 8
    for line in drawn:
        # Not even the last column: there the cursor would be on the next line.
        assert len(line) < (columns or 80)
        assert b"epoch 1/2" in line or b"epoch 2/2" in line
        assert line.startswith(b"[") == (columns == 200)
        assert columns == 40 or b" left" in line


def test_the_waiting_for_data_is_told(small, tmp_path):
    told = train(small, tmp_path, "--epochs", 2)
    assert "the device waited" in told.splitlines()[-1]


# ---- the model is what the manual says -----------------------------------------------------------


def logits_of(reference, small, out):
    rows = samples_of(small)[:6]
    load = lambda name: np.stack([np.load(small / row["path"] / name) for row in rows])
    return reference(load_file(checkpoint(out)), load("frames.npy"), load("mfcc.npy").astype(float))


def test_predictions_are_the_formulas(small, tmp_path):
    train(small, tmp_path, "--epochs", 2)
    logits = logits_of(formulas.model, small, tmp_path)
    told, _ = predict(checkpoint(tmp_path), *(small / row["path"] for row in samples_of(small)[:6]))
    for line, z in zip(told.splitlines(), logits):
        label, probability = line.split("\t")[1:]
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        assert label == CLASSES[p.argmax()]
        assert float(probability) == pytest.approx(p.max(), abs=1e-4)


def test_checkpoints_are_read_by_other_programs(small, tmp_path):
    train(small, tmp_path, "--epochs", 2)
    with safe_open(checkpoint(tmp_path), "np") as f:
        meta, names = f.metadata(), set(f.keys())
        assert f.get_tensor("linear.weight").shape == (3, 8 + 16)
        assert f.get_tensor("video.1.conv.weight").shape == (8, 4, 3, 3)
    assert meta["step"] == "10" and meta["epoch"] == "2" and meta["position"] == "0"
    assert meta["rng"] == "philox4x32-10" and meta["rng_key"] == "5"
    assert meta["classes"] == '["blue","green","red"]'
    assert len(meta["samples_sha256"]) == 64
    assert "threads = 2" in meta["environment"] and "onednn = " in meta["environment"]
    assert {"optimizer.exp_avg.linear.bias", "optimizer.exp_avg_sq.linear.bias", "data.bad"} <= names


def test_the_twin_in_pytorch_computes_the_same(small, tmp_path, pytorch):
    train(small, tmp_path, "--epochs", 2)
    of_twin = lambda arrays, frames, mfcc: pytorch.logits(
        frames=frames, mfcc=mfcc.astype(np.float32), **arrays)["logits"]
    assert logits_of(of_twin, small, tmp_path) == \
        pytest.approx(logits_of(formulas.model, small, tmp_path), abs=1e-4)


def test_the_twin_in_pytorch_learns_the_same(small, tmp_path, pytorch):
    """From the same weights, in the same order, with the same optimizer: the same losses."""
    train(small, tmp_path / "out", "--epochs", 2)
    train(small, tmp_path / "first", "--epochs", 1, "--lr", 0)
    twin = pytorch.train(data=str(small), epochs=2, seed=5, batch=8, lr=0.01,
                         **load_file(checkpoint(tmp_path / "first")))
    assert [s["loss"] for s in events(tmp_path / "out", "step")] == \
        pytest.approx(twin["losses"].tolist(), rel=2e-5)
    assert [e["val_accuracy"] for e in events(tmp_path / "out", "epoch")] == \
        pytest.approx(twin["accuracy"].tolist())
