"""Work that nobody waits for any more ends, and costs nobody else anything."""
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lib import media
from lib.process import Process
from lib.threads import Reader, errno_of
from lib.wait import DEADLINE, until

CLIP = "train/video/moov-first.mp4"
READ = "import sys; open(sys.argv[1], 'rb').read()"
HASH = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"
READ_IN_THREADS = """
import sys, threading
for _ in range(4):
    threading.Thread(target=lambda: open(sys.argv[1], 'rb').read()).start()
"""


@pytest.fixture
def slow(bucket, proxy, mounted):
    """A bucket with the clips a.mp4 and b.mp4 behind the proxy, and one worker."""
    for name in ("a.mp4", "b.mp4"):
        bucket.put(name, media.numbered(CLIP))
    mount = mounted(bucket, {"workers": 1}, server=proxy)
    for name in ("a.mp4", "b.mp4"):
        os.stat(mount / f"frames/{name}.npy")
    return mount


@pytest.fixture
def child(tmp_path):
    """child(code, path): a process that runs it. Killed at the end."""
    children = []

    def start(code, path):
        process = Process([sys.executable, "-c", code, path], tmp_path / f"child{len(children)}")
        children.append(process)
        return process

    yield start
    for process in children:
        process.kill()


def _stat(path):
    """A child that can be interrupted, also where the tests run in the background."""
    return subprocess.Popen(["stat", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def _interrupt(child):
    child.send_signal(signal.SIGINT)
    assert child.wait(DEADLINE) == -signal.SIGINT


def _until_nothing_runs(mount):
    """No request waits, no job holds memory: the clean end of work that was dropped."""
    until(lambda: mount.stat("memory_reserved") == 0, "no running job", check=mount.must_run)
    # The reading of the statistics is a request of its own.
    until(lambda: mount.stat("fuse_parked") <= 1, "no waiting request", check=mount.must_run)


@pytest.mark.parametrize("code", [READ, READ_IN_THREADS], ids=["one thread", "four threads"])
def test_a_killed_reader_leaves_no_work_behind(slow, proxy, child, code):
    with proxy.gate(kind="GET") as gate:
        reader = child(code, slow / "frames/a.mp4.npy")
        gate.until_held(1, check=reader.must_run)
        reader.kill()
        _until_nothing_runs(slow)                # and the gate is still closed
        assert slow.stat("jobs_dropped") == 1
    assert slow.stat("decode_errors") == 0 and slow.stat("worker_deaths") == 0
    assert (slow / ".s3samplefs/errors").read_text() == ""
    assert np.load(slow / "frames/a.mp4.npy").shape == (16, 224, 224, 3)


def test_a_job_that_waits_for_a_worker_is_dropped_too(slow, proxy, child):
    with proxy.gate(kind="GET", key="a.mp4") as gate:
        first = Reader(np.load, slow / "mfcc/a.mp4.npy")
        gate.until_held(1)
        gate.release(1)                          # with its first bytes it gets the worker,
        slow.until_stat("decode_jobs", 1)
        gate.until_held(1)                       # which asks for more
        second = child(READ, slow / "frames/b.mp4.npy")
        until(lambda: slow.stat("fuse_reads") >= 2, "both readers wait", check=second.must_run)
        second.kill()
        until(lambda: slow.stat("jobs_dropped") == 1, "its job is gone", check=slow.must_run)
        assert not first.done()
    assert first.finish().shape == (20, 1292)


def _waits_in_the_kernel(process):
    process.must_run()
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat[stat.rindex(")") + 2] == "D"


def test_who_waits_for_the_same_pages_gets_them(slow, proxy, child):
    """The killed one's READ is answered EINTR; the others find its pages empty and ask again."""
    path = slow / "frames/a.mp4.npy"
    with proxy.gate(kind="GET") as gate:
        first = child(READ, path)
        gate.until_held(1, check=first.must_run)
        others = [child(HASH, path) for _ in range(4)]
        for other in others:
            until(lambda: _waits_in_the_kernel(other), "it waits for the first one's pages")
        first.kill()
        until(lambda: slow.stat("fuse_reads") >= 2, "they have asked again", check=slow.must_run)
        others.pop().kill()                      # also one that has asked again can be killed
    for other in others:
        assert other.popen.wait(DEADLINE) == 0, other.output()
    sums = {other.output().strip() for other in others}
    assert sums == {hashlib.sha256(path.read_bytes()).hexdigest()}
    assert (slow / ".s3samplefs/errors").read_text() == ""


def test_an_interrupted_stat_leaves_no_probe_behind(slow, proxy):
    with proxy.gate(kind="GET") as gate:
        stat = _stat(slow / "frames@size=native/a.mp4.npy")
        gate.until_held(1)
        _interrupt(stat)
        _until_nothing_runs(slow)
        assert slow.stat("jobs_dropped") == 1
    assert os.stat(slow / "frames@size=native/a.mp4.npy").st_size > 0


def test_a_probe_that_somebody_else_waits_for_goes_on(slow, proxy):
    path = slow / "frames@size=native/a.mp4.npy"
    with proxy.gate(kind="GET") as gate:
        stat = _stat(path)
        gate.until_held(1)
        other = Reader(errno_of, os.stat, slow / "info/a.mp4.txt")    # needs the same table
        until(lambda: slow.stat("row_joins") >= 1, "both wait for one probe")
        _interrupt(stat)
        assert not other.done()
    assert other.finish() is None
    assert slow.idle_stats()["jobs_dropped"] == 0


def test_a_look_up_interrupted_on_its_way_decodes_nothing(bucket, proxy, mounted):
    bucket.put("a.mp4", media.numbered(CLIP))
    mount = mounted(bucket, {"workers": 1}, server=proxy)
    path = mount / "mfcc@duration=full/a.mp4.npy"      # to be sized its sound has to be decoded
    os.stat(path.parent)
    with proxy.gate(kind="HEAD", key="a.mp4") as gate:
        stat = _stat(path)
        gate.until_held(1)
        _interrupt(stat)
    # Comes after the answer to that HEAD, and needs a probe.
    assert os.stat(mount / "info/a.mp4.txt").st_size > 0
    stats = mount.idle_stats()
    assert (stats["probes"], stats["decode_jobs"], stats["mfcc_computed"]) == (1, 1, 0)
    assert os.stat(path).st_size > 0
