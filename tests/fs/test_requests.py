"""What a request costs, and how long it may wait, whatever it is about."""
import errno
import os
from pathlib import Path

from lib.threads import Reader, errno_of


def _wake_ups(mount):
    """How often threads of the daemon went to sleep, which is how often they were woken."""
    def of(task):
        line, = (line for line in (task / "status").read_text().splitlines()
                 if line.startswith("voluntary_ctxt_switches"))
        return int(line.split()[1])
    return sum(of(task) for task in Path(f"/proc/{mount.pid}/task").iterdir())


def test_a_request_wakes_one_thread(tmp_path, mounted):
    source = tmp_path / "source"
    source.mkdir()
    (source / "x").write_bytes(b"x" * 4096)
    mount = mounted(f"dir:{source}")
    path = mount / "raw/x"
    assert path.read_bytes() == b"x" * 4096
    before = _wake_ups(mount)
    for _ in range(500):                             # an OPEN and a RELEASE each; no READ
        os.close(os.open(path, os.O_RDONLY))
    assert mount.stat("fuse_reads") <= 2
    assert _wake_ups(mount) - before < 2 * 1000


def test_readers_of_a_dead_store_have_their_errors_together(bucket, proxy, mounted):
    """Not one after the other, each when those before it have been served."""
    for i in range(40):
        bucket.put(f"{i}", b"x")
    mount = mounted(bucket, {"timeout": "1s", "connections": 2}, server=proxy)
    fds = [os.open(mount / f"raw/{i}", os.O_RDONLY | os.O_DIRECT) for i in range(40)]
    before = proxy.status()["arrived"]
    with proxy.gate(kind="GET") as gate:
        readers = [Reader(errno_of, os.pread, fd, 1, 0) for fd in fds]
        gate.until_held(2)
        ends = {reader.finish() for reader in readers}
        asked = proxy.status()["arrived"] - before
    assert ends <= {errno.ETIMEDOUT, errno.EIO}
    assert asked < 40
    for fd in fds:
        os.close(fd)


def test_a_request_that_nobody_serves_ends(bucket, proxy, mounted):
    """A source that stands still, as a dead NFS server does: one mount is the other's source."""
    bucket.put("x", b"1")
    inner = mounted(bucket, {"timeout": "1h"}, server=proxy)
    outer = mounted(f"dir:{inner / 'raw'}", {"timeout": "1s"})
    fd = os.open(outer / "raw/x", os.O_RDONLY | os.O_DIRECT)
    with proxy.gate(kind="GET") as gate:
        reader = Reader(errno_of, os.pread, fd, 1, 0)
        gate.until_held(1)
        assert reader.finish() == errno.ETIMEDOUT
        assert len(gate.held()) == 1
    assert b"deadline" in os.getxattr(fd, "user.s3samplefs.error")
    assert " ETIMEDOUT raw/x: " in (outer / ".s3samplefs/errors").read_text()
    assert os.pread(fd, 1, 0) == b"1"
    os.close(fd)
