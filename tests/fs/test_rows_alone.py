"""Every row asked for alone, in every order: whichever decoder it finds open, wherever that stands,
the row shows the frame that a reader of the whole finds there."""
import itertools
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from lib import burned, media, reference
from lib.mount import Mount
from lib.wait import until_gone

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
from edit_list import edited

SHORT = dict(frames=50, video=("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", "-bf", "2"))
SHIFT = 2 / 25      # between the first decode time and the first picture's

# What isn't shown has the times of what is.
EDITS = {
    "cut.mp4": [(0.48, 0), (0.48, 1.2)],
    "repeat.mp4": [(1, 0), (1, 0)],
    "swap.mp4": [(0.6, 1.2), (0.6, 0.2)],
    "late.mp4": [(0.5, None), (1, 0.2)],
}
CLIPS = list(media.NUMBERED) + list(media.SPECIAL) + ["val/special/edited.mp4"] + list(EDITS)


@pytest.fixture(scope="module")
def clips(tmp_path_factory, tree):
    """The tree's clips and those with edit lists: a folder, and a mount of it."""
    folder = tmp_path_factory.mktemp("clips")
    plain = media.Clip("short.mp4", **SHORT).make().read_bytes()
    for name, edits in EDITS.items():
        (folder / name).write_bytes(edited(plain, [(s, None if at is None else at + SHIFT)
                                                   for s, at in edits]))
    for top, below in (("train", "video"), ("val", "special")):
        for path in sorted((tree / top / below).iterdir()):
            target = folder / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    with Mount(tmp_path_factory.mktemp("rows") / "mount", f"dir:{folder}") as mount:
        yield folder, mount


def _expected(path, count):
    clip = reference.shown(path)
    return [burned.read(clip.pictures[j]) for j in reference.uniform(clip, count)]


def _row(path, size, number, direct):
    """The number in one row, read by one read that asks for nothing else."""
    length = size * size * 3
    fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if direct else 0))
    try:
        if not direct:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        data = os.pread(fd, length, 128 + number * length)
    finally:
        os.close(fd)
    assert len(data) == length
    return burned.read(np.frombuffer(data, np.uint8).reshape(size, size, 3))


def _check(mount, key, orders, expected):
    """Each order finds nothing in memory, since its size is another one."""
    for at, order in enumerate(orders):
        size = 64 + at
        path = mount / f"frames@num_frames={len(expected)},size={size}/{key}.npy"
        for number in order:
            assert _row(path, size, number, at % 2) == expected[number], (order, number)


@pytest.mark.parametrize("key", CLIPS)
def test_four_rows_in_every_order(clips, key):
    folder, mount = clips
    _check(mount, key, itertools.permutations(range(4)), _expected(folder / key, 4))


@pytest.mark.parametrize("key", CLIPS)
def test_sixteen_rows_in_random_orders(clips, key):
    folder, mount = clips
    rng = random.Random(key)
    orders = [rng.sample(range(16), 16) for _ in range(4)] + [range(16), range(15, -1, -1)]
    _check(mount, key, orders, _expected(folder / key, 16))


def test_rows_of_a_map_are_those_of_the_whole(clips):
    """Through the page cache, one by one; what was read alone is kept, and must be right."""
    folder, mount = clips
    path = mount / "frames@num_frames=6,size=720/cut.mp4.npy"
    rows = np.load(path, mmap_mode="r")
    alone = [burned.read(np.array(rows[i])) for i in range(6)]
    del rows                                    # or the mount is in use
    assert alone == [2, 6, 10, 32, 36, 40] == _expected(folder / "cut.mp4", 6)
    assert burned.read_all(np.load(path)) == alone


def test_rows_are_the_same_whoever_decodes_them(clips):
    """The workers are killed and other files decoded between one row and the next: a decoder that
    was open is gone, and nothing shows it."""
    folder, mount = clips
    keys = ["cut.mp4", "swap.mp4", "train/video/clip.avi", "train/video/clip.ts"]
    expected = {key: _expected(folder / key, 8) for key in keys}
    rng = random.Random(9)
    asked = [(key, number) for key in keys for number in range(8)]
    rng.shuffle(asked)
    for i, (key, number) in enumerate(asked):
        if i % 4 == 0:
            for pid in mount.workers():
                os.kill(pid, signal.SIGKILL)
                until_gone(pid, "the killed worker")
        path = mount / f"frames@num_frames=8,size=90/{key}.npy"
        assert _row(path, 90, number, i % 2) == expected[key][number], (key, number)
