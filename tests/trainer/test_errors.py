"""What goes wrong, each with its sentence; and nothing is lost."""
import os
import shutil
import subprocess

import numpy as np
import pytest
from lib.runs import checkpoint, events, predict, refused, same_bits, start, train, wait_for_step
from lib.small import make_small, samples_of
from safetensors.numpy import load_file, save_file

# ---- what was asked for ----------------------------------------------------------------------


@pytest.mark.parametrize("arguments,says", [
    ([], "--data is missing"),
    (["--data"], "--data: a value has to follow"),
    (["data"], '"data": options begin with --'),
    (["--data", "x", "--epoch", "3"], "epoch: no such key (did you mean epochs?)"),
    (["--data", "x", "--epochs", "0"], "epochs = 0: must be a whole number from 1"),
    (["--data", "x", "--lr", "fast"], "lr = fast: must be a number"),
    (["--data", "x", "--max-bad", "2"], "max_bad = 2: must be a share of the samples"),
    (["--data", "x", "--optimizer", "lion"], "optimizer = lion: must be sgd or adamw"),
    (["--data", "x", "--device", "tpu"], "device = tpu: must be cpu"),
    (["--data", "x", "--reduce", "nccl"], "reduce = nccl needs device = cuda: NCCL adds up within GPUs"),
    (["--data", "x", "--reduce", "sum"], "reduce = sum: must be auto, nccl or mpi"),
    (["--data", "x", "--resume", "--overwrite"], "--resume and --overwrite exclude each other"),
    (["--data", "x", "--config", "/nowhere.ini"], "/nowhere.ini: No such file"),
])
def test_wrong_options_are_told_before_anything_happens(arguments, says):
    assert says in refused(*arguments)


@pytest.mark.parametrize("text,says", [
    ("[train]\nepochs = many\n", "c.ini:2: epochs = many: must be a whole number"),
    ("[train]\nresume = yes\n", "c.ini:2: resume: no such key"),
    ("[mount]\n", "c.ini:1: [mount]: there is only the section [train]"),
    ("[train]\nepochs\n", 'c.ini:2: neither "key = value" nor "[section]"'),
])
def test_a_wrong_file_is_told_with_its_line(tmp_path, text, says):
    (tmp_path / "c.ini").write_text(text)
    assert says in refused("--data", "x", "--config", tmp_path / "c.ini")


def test_the_command_line_wins_over_the_file(small, tmp_path):
    (tmp_path / "c.ini").write_text("[train]\nepochs = 9\nval-share: 0.3\n".replace("-", "_"))
    train(small, tmp_path / "out", "--epochs", 1, "--config", tmp_path / "c.ini")
    settings = events(tmp_path / "out", "start")[0]["settings"]
    assert "epochs = 1\n" in settings and "val_share = 0.3\n" in settings


def test_a_crop_larger_than_the_frames_is_refused(small, tmp_path):
    assert "crop = 21: the frames are 20 x 24 only" in train(small, tmp_path, "--crop", 21, status=1)


# ---- data -----------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    assert "nowhere: No such file or directory" in train(tmp_path / "nowhere", tmp_path / "o", status=1)


def test_a_folder_without_samples(tmp_path):
    (tmp_path / "data").mkdir()
    assert "there are no samples" in train(tmp_path / "data", tmp_path / "out", status=1)


def test_the_root_of_a_mount(own, tmp_path):
    (own / ".s3samplefs").mkdir()
    (own / "index.csv").unlink()
    told = train(own, tmp_path / "out", status=1)
    assert f"{own}: is the root of a mount; the samples are in {own}/samples" in told


def test_one_class(tmp_path):
    data = make_small(tmp_path / "data", classes=["cat"])
    assert 'only one class, "cat"' in train(data, tmp_path / "out", status=1)


def test_a_class_without_training_samples(own, tmp_path):
    index = own / "index.csv"
    index.write_text(index.read_text().replace("train,red", "test,red"))
    assert 'class "red" has no training samples' in train(own, tmp_path / "out", status=1)


def test_nothing_that_can_be_read(own, tmp_path):
    shutil.rmtree(own / "train")
    told = train(own, tmp_path / "out", status=1)
    assert "none of the first 36 training samples can be used; the first: train/" in told
    assert "No such file" in told


def test_bad_samples_are_left_out_and_named_at_the_end(own, tmp_path):
    paths = [row["path"] for row in samples_of(own)]
    (own / paths[3] / "frames.npy").unlink()
    np.save(own / paths[4] / "mfcc.npy", np.full((6, 20), np.nan, np.float32))
    np.save(own / paths[40] / "frames.npy", np.zeros((2, 20, 25, 3), np.uint8))
    told = train(own, tmp_path / "out", "--epochs", 2, "--max-bad", "10%")
    end = told[told.index("3 of 45 samples could not be used:"):]
    assert f"{paths[3]}: frames.npy: No such file" in end
    assert f"{paths[4]}: mfcc.npy: has values that are not finite" in end
    assert f"{paths[40]}: frames.npy: is |u1 (2, 20, 25, 3), not |u1 (2, 20, 24, 3)" in end
    assert sorted(e["path"] for e in events(tmp_path / "out", "bad")) == \
        sorted([paths[3], paths[4], paths[40]])
    assert list(load_file(checkpoint(tmp_path / "out"))["data.bad"]) == [3, 4, 40]


def test_a_bad_sample_counts_as_if_it_were_not_there(own, tmp_path):
    """In a batch of all, the others' gradient doesn't know of it."""
    options = ["--epochs", 2, "--batch", 64, "--max-bad", "10%"]
    index = own / "index.csv"
    bad = samples_of(own)[5]["path"]
    (own / bad / "mfcc.npy").unlink()
    train(own, tmp_path / "a", *options)
    index.write_text("".join(line for line in index.read_text().splitlines(True) if bad not in line))
    train(own, tmp_path / "b", *options)
    losses = [[s["loss"] for s in events(tmp_path / out, "step")] for out in "ab"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_too_many_bad_samples_end_the_run_and_lose_nothing(own, tmp_path):
    run = start(own, tmp_path / "out", "--epochs", 10**6)
    wait_for_step(run, 6)
    (own / samples_of(own)[7]["path"] / "frames.npy").unlink()
    _, told = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "1 of 45 samples can't be used, more than max_bad = 1% allows" in told
    assert samples_of(own)[7]["path"] in told
    assert "--resume goes on" in told
    assert int(events(tmp_path / "out", "step")[-1]["step"]) >= 6


def test_what_concerns_all_files_ends_the_run_and_loses_nothing(own, tmp_path):
    run = start(own, tmp_path / "out", "--epochs", 10**6)
    wait_for_step(run, 6)
    file = own / samples_of(own)[7]["path"] / "frames.npy"
    loop = file.with_name("loop.npy")
    loop.symlink_to("frames.npy")
    loop.replace(file)              # at once: a file that isn't there would be one bad sample
    _, told = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "frames.npy: Too many levels of symbolic links" in told and "--resume goes on" in told


def test_a_loss_that_is_not_finite(small, tmp_path):
    told = train(small, tmp_path, "--optimizer", "sgd", "--lr", 1000, "--warmup", 0, "--epochs", 50,
                 "--momentum", 1, "--weight-decay", 10, status=1)
    assert "not finite any more" in told and "a lower lr may help" in told
    # The checkpoint of before can be read.
    arrays = load_file(checkpoint(tmp_path))
    assert all(np.isfinite(array).all() for array in arrays.values())


# ---- checkpoints -----------------------------------------------------------------------------


def test_a_checkpoint_is_not_overwritten_by_accident(small, tmp_path):
    train(small, tmp_path, "--epochs", 1)
    before = checkpoint(tmp_path).read_bytes()
    told = train(small, tmp_path, "--epochs", 1, status=1)
    assert "is there already; --resume goes on with it, --overwrite begins anew" in told
    assert checkpoint(tmp_path).read_bytes() == before
    train(small, tmp_path, "--epochs", 2, "--overwrite")
    assert checkpoint(tmp_path).read_bytes() != before


def test_nothing_to_resume_from(small, tmp_path):
    assert "there is no checkpoint to resume from" in train(small, tmp_path, "--resume", status=1)


def spoil(path, how):
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[len(data) // 2:]
    elif how == "flipped":
        data[len(data) // 2] ^= 1
    elif how == "header":
        data[30] ^= 0x80
    elif how == "empty":
        data.clear()
    elif how == "text":
        data[:] = b"this is no checkpoint"
    path.write_bytes(data)


@pytest.mark.parametrize("how,says", [
    ("cut", "is corrupt: an array lies outside"), ("flipped", "is corrupt: its checksum is wrong"),
    ("header", "is corrupt: its header can't be read"), ("empty", "is no safetensors file"),
    ("text", "is no safetensors file"),
])
def test_a_corrupt_checkpoint(small, tmp_path, how, says):
    train(small, tmp_path, "--epochs", 1)
    spoil(checkpoint(tmp_path), how)
    assert says in train(small, tmp_path, "--epochs", 1, "--resume", status=1)
    assert says in predict(checkpoint(tmp_path), small, status=1)[1]


def test_a_foreign_checkpoint(small, tmp_path):
    save_file({"weight": np.zeros(3, np.float32)}, checkpoint(tmp_path), {"format": "pt"})
    says = "is no checkpoint of this program, but: pt"
    assert says in train(small, tmp_path, "--resume", status=1)
    assert says in predict(checkpoint(tmp_path), small, status=1)[1]


FULL = ["--epochs", 2, "--log-every", 100, "--audio-width", 24]


@pytest.fixture
def small_disk(small, tmp_path):
    """A disk that has room for one checkpoint, but not for a second one beside it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    train(small, tmp_path / "whole", *FULL)
    size = checkpoint(tmp_path / "whole").stat().st_size * 3 // 2
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_keeps_the_old_checkpoint(small, small_disk, tmp_path):
    told = train(small, small_disk, *FULL, status=1)
    assert "no checkpoint:" in told and "No space left on device" in told
    assert "the one before stays, the run goes on" in told
    assert "checkpoint.safetensors.tmp" not in os.listdir(small_disk)
    # The one from before the first step is whole.
    shutil.copytree(small_disk, tmp_path / "elsewhere")
    train(small, tmp_path / "elsewhere", *FULL, "--resume")
    assert same_bits(tmp_path / "elsewhere", tmp_path / "whole")


def test_a_folder_that_cannot_be_written(small, tmp_path):
    (tmp_path / "file").write_text("")
    told = train(small, tmp_path / "file", status=1)
    assert "Not a directory" in told


# ---- predict ---------------------------------------------------------------------------------


def test_predict_goes_on_after_a_sample_that_cannot_be_read(small, tmp_path):
    train(small, tmp_path, "--epochs", 1)
    rows = samples_of(small)
    told, complaint = predict(checkpoint(tmp_path), small / rows[0]["path"], tmp_path / "nowhere",
                              small / rows[1]["path"], status=1)
    assert len(told.splitlines()) == 2
    assert f"{tmp_path}/nowhere: frames.npy: No such file" in complaint


def test_predict_needs_a_checkpoint_and_a_path(tmp_path):
    assert "Usage" in predict(status=2)[1]
    assert "No such file" in predict(tmp_path / "none", tmp_path, status=1)[1]
