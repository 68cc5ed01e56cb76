"""What a request costs, whatever it is about."""
import os
from pathlib import Path


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
