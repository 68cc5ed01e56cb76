"""However it ends, nothing is left behind: no process, no mount, no file."""
import errno
import os
import signal
import subprocess
import threading

import numpy as np
import pytest

from lib import media
from lib.threads import Reader, errno_of, read_bytes
from lib.wait import until, until_gone, until_mounts


def _end(mount, sig):
    mount.remember_workers()
    mount.terminate(sig)
    mount.expect_nothing_left()
    mount.pid = None


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_ends_an_idle_mount(tree, mounted, sig):
    mount = mounted(f"dir:{tree}")
    np.load(mount / "frames/train/video/clip.mkv.npy")
    _end(mount, sig)


def test_fusermount_ends_it(tree, mounted):
    mount = mounted(f"dir:{tree}")
    mount.remember_workers()
    subprocess.run(["fusermount3", "-u", mount.point], check=True)
    mount.expect_nothing_left()
    mount.pid = None


def test_sigterm_fails_parked_requests(bucket, proxy, mounted):
    bucket.put("clip.mp4", media.numbered("train/video/moov-first.mp4"))
    bucket.put("object.bin", bytes(1_000_000))
    mount = mounted(bucket, server=proxy)
    os.stat(mount / "raw/object.bin")
    with proxy.gate() as gate:
        readers = [Reader(errno_of, read_bytes, mount / "raw/object.bin"),
                   Reader(errno_of, read_bytes, mount / "frames/clip.mp4.npy"),
                   Reader(errno_of, os.stat, mount / "raw/not-asked-yet"),
                   Reader(errno_of, os.listdir, mount / "raw")]
        gate.until_held(4)
        _end(mount, signal.SIGTERM)
        assert all(reader.finish() is not None for reader in readers)


def test_sigterm_under_load(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 2})
    names = [f"frames@num_frames=all,size=native/train/video/{n}.npy"
             for n in ("clip.mkv", "clip.mov", "clip.avi", "clip.ts")]
    readers = [Reader(errno_of, read_bytes, mount / name) for name in names]
    mount.until_stat("decode_jobs", 3)
    _end(mount, signal.SIGTERM)
    for reader in readers:
        reader.finish()                          # done, with an error or not: nobody hangs


def test_lazy_umount_under_load(bucket, proxy, mounted):
    content = np.random.default_rng(6).bytes(1_000_000)
    bucket.put("object.bin", content)
    mount = mounted(bucket, server=proxy)
    os.stat(mount / "raw/object.bin")
    with proxy.gate(kind="GET") as gate:
        reader = Reader(read_bytes, mount / "raw/object.bin")
        gate.until_held(1)
        mount.remember_workers()
        mount.unmount("-l")
        until_mounts(lambda: not mount.mounted(), "detached")
        assert not reader.done()
        proxy.clear()
        assert reader.finish() == content        # who had it open is served to the end
    mount.expect_nothing_left()
    mount.pid = None


def test_umount_of_a_mount_in_use_is_refused_and_harms_nothing(tree, mounted):
    mount = mounted(f"dir:{tree}")
    fd = os.open(mount / "raw/README", os.O_RDONLY)
    assert subprocess.run(["umount", mount.point], capture_output=True).returncode != 0
    assert os.read(fd, 100) == b"a bucket\n"
    os.close(fd)
    assert np.load(mount / "frames/train/video/clip.mkv.npy").shape == (16, 224, 224, 3)


def test_workers_end_with_a_daemon_that_was_killed(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 2})
    workers = until(lambda: len(mount.workers()) == 2 and mount.workers(), "two workers")
    mount.process.kill()
    for pid in workers:
        until_gone(pid, "a worker without its daemon")
    mount.unmount("-l")
    assert not mount.mounted()
    mount.pid = None


def test_a_mount_point_can_be_used_again_at_once(tree, mounted):
    mount = mounted(f"dir:{tree}")
    mount.stop()
    mount.start()
    assert os.listdir(mount / "raw")


def test_sigterm_while_the_store_is_gone(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, {"max_attempts": 20}, server=proxy)
    os.stat(mount / "raw/x")
    proxy.stop()
    try:
        reader = Reader(errno_of, read_bytes, mount / "raw/x")
        mount.until_stat("s3_retries", 2)
        _end(mount, signal.SIGTERM)
        assert reader.finish() not in (None, errno.ENOENT)
    finally:
        proxy.start()


def test_many_mounts_one_after_the_other_leave_no_descriptors(tree, mounted):
    """In the test's own process, too: what the fixtures give must be given back."""
    before, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(5):
        mount = mounted(f"dir:{tree}", {"workers": 1})
        os.listdir(mount / "raw")
        mount.stop()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert threading.active_count() <= threads


def test_sigterm_while_the_list_of_samples_is_made(bucket, proxy, mounted):
    """For a label that the list didn't have, which is why it is made again."""
    bucket.put("first/clip.mp4", b"x")
    mount = mounted(bucket, server=proxy)
    assert (mount / "samples/classes.txt").read_text() == "first\n"
    bucket.put("second/clip.mp4", b"x")
    path = mount / "samples/second/clip.mp4"
    os.stat(path)
    with proxy.gate(kind="LIST") as gate:
        reader = Reader(errno_of, os.stat, path / "label.npy")
        gate.until_held(1)
        _end(mount, signal.SIGTERM)
        assert reader.finish() is not None
