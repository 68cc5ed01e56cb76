"""Training from a real mount: the same bits as from a copy; and a mount that dies."""
import os
import shutil
import signal
import subprocess

import pytest
from lib.clips import PARAMETERS
from lib.runs import events, same_bits, start, train, wait_for_step

S3SAMPLEFS = os.environ.get("S3SAMPLEFS_BIN", "s3samplefs")


class Mount:
    def __init__(self, media, point):
        point.mkdir()
        self.point = point
        # It says "... is mounted on ..." on stderr.
        self.process = subprocess.Popen([S3SAMPLEFS, "-f", f"dir:{media}", str(point)],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "is mounted on" in line:
                return
        raise AssertionError("it did not mount")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stderr.close()
        self.process.wait(60)
        subprocess.run(["umount", "-l", self.point], stderr=subprocess.DEVNULL)


@pytest.fixture
def mount(media, tmp_path):
    mount = Mount(media, tmp_path / "mnt")
    yield mount
    mount.end()


OPTIONS = ["--epochs", 3, "--batch", 4, "--val-share", 0.25]


def test_a_mount_and_a_copy_of_it_give_the_same_bits(mount, tmp_path):
    data = mount.point / PARAMETERS
    shutil.copytree(data, tmp_path / "copy")
    train(data, tmp_path / "a", *OPTIONS)
    train(tmp_path / "copy", tmp_path / "b", *OPTIONS)
    assert same_bits(tmp_path / "a", tmp_path / "b")
    for kind in ("step", "epoch"):
        assert events(tmp_path / "a", kind) == events(tmp_path / "b", kind)


def test_an_object_that_cannot_be_decoded_is_left_out(media, mount, tmp_path):
    (media / "train/hum/broken.mp4").write_bytes(b"no video at all, but long enough to look at" * 9)
    try:
        told = train(mount.point / PARAMETERS, tmp_path / "out", *OPTIONS, "--max-bad", "10%")
    finally:
        (media / "train/hum/broken.mp4").unlink()
    assert "1 of 13 samples could not be used:" in told
    assert "train/hum/broken.mp4: frames.npy: can't be decoded" in told


def test_a_mount_that_dies_ends_the_run_and_loses_nothing(mount, tmp_path):
    run = start(mount.point / PARAMETERS, tmp_path / "out", "--epochs", 10**6, "--batch", 4)
    wait_for_step(run, 6)
    mount.process.kill()
    _, told = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "Transport endpoint is not connected" in told or "Software caused connection abort" in told
    assert "--resume goes on" in told
    assert events(tmp_path / "out", "step")[-1]["step"] >= 6
