"""Decoding happens in processes that may crash, hang or be killed: it costs one file one error."""
import errno
import os
import signal

import numpy as np
import pytest

from lib import media
from lib.mount import program, worker_program
from lib.run import run
from lib.threads import Reader, errno_of, read_bytes
from lib.wait import until, until_gone

CLIP = "train/video/moov-first.mp4"


@pytest.fixture
def slow(bucket, proxy, mounted):
    """A bucket with the clips victim.mp4 and other.mp4 behind the proxy, and one worker."""
    for name in ("victim.mp4", "other.mp4"):
        bucket.put(name, media.numbered(CLIP))
    return mounted(bucket, {"workers": 1, "timeout": "20s"}, server=proxy)


def _replaced(mount, pid):
    until_gone(pid, "the killed worker")
    return until(lambda: [p for p in mount.workers() if p != pid], "a new worker",
                 check=mount.must_run)


def test_workers_are_started_early(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 2})
    until(lambda: len(mount.workers()) == 2, "two workers", check=mount.must_run)
    assert mount.stat("worker_starts") == 2 and mount.stat("decode_jobs") == 0


def test_an_idle_worker_that_is_killed_is_replaced(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 1})
    [pid] = until(mount.workers, "a worker")
    os.kill(pid, signal.SIGKILL)
    _replaced(mount, pid)
    assert np.load(mount / f"frames/{CLIP}.npy").shape == (16, 224, 224, 3)
    mount.until_stat("worker_deaths", 1)
    assert mount.stat("worker_starts") == 2


def _at_work(mount):
    """The workers that have a job."""
    def has_output(pid):
        try:
            return any("s3samplefs-output" in os.readlink(f"/proc/{pid}/fd/{fd}")
                       for fd in os.listdir(f"/proc/{pid}/fd"))
        except (FileNotFoundError, ProcessLookupError):
            return False
    return [pid for pid in mount.workers() if has_output(pid)]


def _kill_at_work(mount, sig):
    [pid] = until(lambda: _at_work(mount), "a worker with a job", check=mount.must_run)
    os.kill(pid, sig)
    until_gone(pid, "the killed worker")


def _start_reading(mount, gate, path):
    """A reader whose worker has read something and waits for the rest."""
    reader = Reader(errno_of, read_bytes, mount / path)
    gate.until_held(1)
    gate.release(1)                 # its first bytes are there, so it gets the worker, which
    mount.until_stat("decode_jobs", 1)
    gate.until_held(1)              # asks for more
    return reader


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_killed_while_decoding_costs_nothing(slow, proxy, sig):
    """The file isn't to blame: another worker does it again."""
    with proxy.gate(kind="GET", key="victim") as gate:
        reader = _start_reading(slow, gate, "mfcc/victim.mp4.npy")
        _kill_at_work(slow, sig)
    assert reader.finish() is None
    assert np.array_equal(np.load(slow / "mfcc/victim.mp4.npy"), np.load(slow / "mfcc/other.mp4.npy"))
    assert slow.stat("worker_deaths") == 1
    assert slow.stat("decode_errors") == 0


def test_a_file_whose_workers_are_killed_again_and_again_is_enomem_for_a_while(bucket, proxy, mounted):
    for name in ("victim.mp4", "other.mp4"):
        bucket.put(name, media.numbered(CLIP))
    mount = mounted(bucket, {"workers": 1, "metadata_ttl": "2s"}, server=proxy)
    victim = mount / "mfcc/victim.mp4.npy"
    with proxy.gate(kind="GET", key="victim") as gate:
        reader = _start_reading(mount, gate, "mfcc/victim.mp4.npy")
        for _ in range(2):
            _kill_at_work(mount, signal.SIGKILL)
        assert reader.finish() == errno.ENOMEM
        deaths = mount.stat("worker_deaths")
        assert errno_of(read_bytes, victim) == errno.ENOMEM     # nobody has to kill for it
    assert mount.stat("worker_deaths") == deaths == 2
    assert b"out of memory" in os.getxattr(victim, "user.s3samplefs.error")
    assert "ENOMEM mfcc/victim.mp4.npy" in (mount / ".s3samplefs/errors").read_text()
    assert np.load(mount / "mfcc/other.mp4.npy").shape == (20, 1292)
    until(lambda: errno_of(read_bytes, victim) is None, "another try", check=mount.must_run)
    assert np.array_equal(np.load(victim), np.load(mount / "mfcc/other.mp4.npy"))


def test_random_kills_cost_no_file_anything(tree, mounted):
    """Of whoever is at work, each time that another job has begun: second tries come before."""
    mount = mounted(f"dir:{tree}", {"workers": 2})
    quiet = mounted(f"dir:{tree}")
    names = [f"frames@num_frames={n}/{CLIP}.npy" for n in range(1, 25)]
    readers = [Reader(np.load, mount / name) for name in names]
    for _ in range(5):
        until(lambda: _at_work(mount) or all(reader.done() for reader in readers), "work", check=mount.must_run)
        for pid in _at_work(mount)[:1]:
            os.kill(pid, signal.SIGKILL)
            until_gone(pid, "the killed worker")
        begun = mount.stat("decode_jobs")
        until(lambda: mount.stat("decode_jobs") > begun or all(reader.done() for reader in readers),
              "another job", check=mount.must_run)
    assert mount.stat("worker_deaths") > 0
    for name, reader in zip(names, readers):
        assert np.array_equal(reader.finish(), np.load(quiet / name)), name
    assert mount.stat("decode_errors") == 0


def test_a_worker_killed_many_times_is_replaced_each_time(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 2})
    for _ in range(5):
        pid = until(mount.workers, "a worker")[0]
        os.kill(pid, signal.SIGKILL)
        _replaced(mount, pid)
    assert np.load(mount / f"frames/{CLIP}.npy").shape == (16, 224, 224, 3)


def test_a_worker_that_hangs_is_etimedout_and_replaced(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 1, "timeout": "2s"})
    [pid] = until(mount.workers, "a worker")
    os.kill(pid, signal.SIGSTOP)
    # Past the page cache: there the kernel asks twice, and the second time a new worker is there.
    fd = os.open(mount / f"frames/{CLIP}.npy", os.O_RDONLY | os.O_DIRECT)
    assert errno_of(os.pread, fd, 1000, 1000) == errno.ETIMEDOUT
    os.close(fd)
    _replaced(mount, pid)
    assert np.load(mount / "frames/train/video/clip.mkv.npy").shape == (16, 224, 224, 3)


def test_others_read_while_a_worker_hangs(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 2, "timeout": "30s"})
    pids = until(lambda: len(mount.workers()) == 2 and mount.workers(), "two workers")
    os.kill(pids[0], signal.SIGSTOP)
    try:
        readers = [Reader(np.load, mount / f"frames/train/video/{name}.npy")
                   for name in ("clip.mkv", "clip.mov")]
        # One of the two may be with the worker that stands still.
        until(lambda: any(r.done() for r in readers), "one of two clips")
        assert read_bytes(mount / "raw/README")
    finally:
        os.kill(pids[0], signal.SIGCONT)
    for reader in readers:
        assert reader.finish().shape == (16, 224, 224, 3)


def test_workers_get_no_credentials(bucket, mounted):
    server = bucket.server
    mount = mounted(bucket, server=server)
    for pid in until(mount.workers, "workers"):
        with open(f"/proc/{pid}/environ", "rb") as f:
            environ = f.read()
        assert server.secret_key.encode() not in environ and b"AWS_" not in environ
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            assert server.secret_key.encode() not in f.read()


def test_workers_hold_no_files_and_no_connections(bucket, mounted):
    bucket.put("clip.mp4", media.numbered(CLIP))
    mount = mounted(bucket, server=bucket.server)
    np.load(mount / "frames/clip.mp4.npy")
    for pid in mount.workers():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if int(fd) > 2:
                assert target.startswith(("socket:", "/memfd:")), target
            else:
                assert target.startswith(("/dev/null", "pipe:", "/memfd:")) or \
                    target == str(mount.folder / "log"), target
        # Not one of its sockets is an internet socket.
        inodes = {os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{pid}/fd")
                  if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")}
        for table in ("tcp", "tcp6", "udp", "udp6"):
            with open(f"/proc/{pid}/net/{table}") as f:
                assert not inodes & {line.split()[9] for line in f.readlines()[1:]}


def test_workers_cannot_dump_core_or_gain_privileges(tree, mounted):
    mount = mounted(f"dir:{tree}")
    for pid in until(mount.workers, "workers"):
        with open(f"/proc/{pid}/limits") as f:
            limits = f.read()
        assert next(line for line in limits.splitlines()
                    if line.startswith("Max core")).split()[4] == "0"


def test_only_the_worker_links_decoders_and_only_the_daemon_the_network():
    daemon, worker = run("ldd", program()), run("ldd", worker_program())
    for library in ("libav", "libsw", "libsndfile", "libfftw"):
        assert library not in daemon
    assert "libavcodec" in worker
    assert "NEEDED" in run("objdump", "-p", worker_program())
    needed = [line.split()[1] for line in run("objdump", "-p", worker_program()).splitlines()
              if "NEEDED" in line]
    assert not [name for name in needed if "curl" in name or "fuse" in name or "crypto" in name]


def _eight(bucket, mounted, proxy):
    """Eight clips behind the proxy, looked up, and one worker."""
    names = [f"{i}.mp4" for i in range(8)]
    for name in names:
        bucket.put(name, media.numbered(CLIP))
    mount = mounted(bucket, {"workers": 1}, server=proxy)
    for name in names:
        os.stat(mount / f"frames/{name}.npy")
    return mount, names


def test_a_slow_bucket_keeps_no_worker_waiting(bucket, proxy, mounted):
    """All clips are asked for at once, whatever there is of workers."""
    mount, names = _eight(bucket, mounted, proxy)
    with proxy.gate(kind="GET", key=".mp4") as gate:
        readers = [Reader(np.load, mount / f"frames/{name}.npy") for name in names]
        gate.until_held(len(names))
        assert mount.stat("decode_jobs") == 0
        assert sorted(line.split("/")[-1] for line in gate.held()) == names
        # Whoever has his bytes gets the worker, before those that came first.
        gate.release(1)
        mount.until_stat("decode_jobs", 1)
    rows = [reader.finish() for reader in readers]
    assert all(np.array_equal(rows[0], other) for other in rows[1:])
    assert mount.stat("decode_errors") == 0


def test_who_cannot_have_his_bytes_is_alone_with_that(bucket, proxy, mounted):
    """One clip is replaced and one deleted while all are asked for."""
    mount, names = _eight(bucket, mounted, proxy)
    with proxy.gate(kind="GET", key=".mp4") as gate:
        # Past the page cache: there the kernel asks again, and the second time it's the new version.
        fds = {name: os.open(mount / f"frames/{name}.npy", os.O_RDONLY | os.O_DIRECT) for name in names}
        readers = {name: Reader(errno_of, os.pread, fds[name], 1000, 1000) for name in names}
        gate.until_held(len(names))
        bucket.put("3.mp4", media.numbered("train/video/moov-last.mp4"))
        bucket.delete("5.mp4")
    ends = {name: reader.finish() for name, reader in readers.items()}
    assert ends == {name: None for name in names} | {"3.mp4": errno.ESTALE, "5.mp4": errno.ENOENT}
    for fd in fds.values():
        os.close(fd)
