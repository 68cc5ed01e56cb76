"""memory= is a bound, not a wish."""
import numpy as np

from lib import reference
from lib.mount import sanitized
from lib.threads import Reader
from lib.wait import DEADLINE

KEY = "train/video/clip.mkv"


def _peak(pid):
    """Most resident memory of a process so far, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_many_large_reads_at_once_stay_within_memory(tree, mounted):
    """6 readers of 16 rows of 13 MB each: 1.2 GB of rows through 512 MB, workers included."""
    bound = 512 << 20
    mount = mounted(f"dir:{tree}", {"memory": bound, "workers": 1})
    sizes = [2048 + 16 * i for i in range(6)]
    readers = [Reader(np.load, mount / f"frames@size={size},num_frames=16/{KEY}.npy")
               for size in sizes]
    picture = reference.shown(tree / KEY).pictures[3]
    for reader, size in zip(readers, sizes):
        rows = reader.finish(10 * DEADLINE)
        assert np.array_equal(rows[0], reference.resized(picture, size))
        reader.value = None
    assert mount.idle_stats()["row_bytes"] + mount.stat("block_bytes") < bound
    slack = 3 if sanitized() else 1.25
    assert _peak(mount.pid) + sum(_peak(pid) for pid in mount.workers()) < bound * slack
