"""Files put one behind the other, and clocks that start again, leap and wrap: the
frames are those of the parts, in the order of the file, on one clock.

Needs what test_worker.py needs.
"""

import os
import pathlib
import random

import numpy as np
import pytest

if not (os.environ.get("WORKER") and os.environ.get("WORKER_TOOL")):
    pytest.skip("WORKER and WORKER_TOOL aren't set", allow_module_level=True)

import av

from worker_clips import ALL_CLIPS, JOINED, LARGE_CLIPS, make
from worker_driver import KEY, Worker

JOINED_FLAG = 128


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    kept = os.environ.get("WORKER_CLIPS")
    if kept:
        os.makedirs(kept, exist_ok=True)
        return pathlib.Path(kept)
    return tmp_path_factory.mktemp("clips")


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def of_parts(folder, name):
    """Pictures of the parts, each decoded as a file of its own."""
    joined, expected = JOINED[name], []
    for i, part in enumerate(joined.parts):
        expected += pictures(make(folder, part, ALL_CLIPS))[joined.lost if i else 0:]
    return expected


def opened(folder, name):
    worker = Worker(make(folder, name, ALL_CLIPS))
    answer = worker.probe()
    assert answer["err"] == 0, answer
    return worker


def check(worker, wanted, expected, indices, session=0):
    pixels = worker.fetch([wanted[i] for i in indices], session=session)
    for i, p in zip(indices, pixels):
        np.testing.assert_array_equal(p, expected[i], f"frame {i}")


@pytest.mark.parametrize("name", JOINED)
def test_frames_are_those_of_the_parts_in_order(folder, name):
    """Alone, and in a session; as many as PyAV gives."""
    expected = of_parts(folder, name)
    with opened(folder, name) as worker:
        wanted = worker.shown() if worker.has_pts() else list(range(len(worker.shown())))
        assert len(wanted) == len(expected)
        if name != "joined.ogv":                # a version that PyAV has refuses chained ones
            assert len(wanted) == len(pictures(make(folder, name, ALL_CLIPS)))
        order = list(range(len(wanted)))
        random.Random(name).shuffle(order)
        for i in order:
            check(worker, wanted, expected, [i], session=0 if i % 2 else 3)


@pytest.mark.parametrize("name", JOINED)
def test_in_one_go(folder, name):
    expected = of_parts(folder, name)
    with opened(folder, name) as worker:
        wanted = worker.shown() if worker.has_pts() else list(range(len(worker.shown())))
        for i in range(0, len(wanted), 7):
            check(worker, wanted, expected, list(range(i, min(i + 7, len(wanted)))), session=5)


@pytest.mark.parametrize("name", JOINED)
def test_from_the_middle_of_a_part_into_the_next(folder, name):
    """A demuxer that was sent into the first part may end with it."""
    expected = of_parts(folder, name)
    with opened(folder, name) as worker:
        wanted = worker.shown() if worker.has_pts() else list(range(len(worker.shown())))
        for i in (70, *range(38, 56), 5, 60, *range(27, 56)):
            check(worker, wanted, expected, [i], session=2)


@pytest.mark.parametrize("name", [n for n in JOINED if not n.endswith((".mpg", "joined.avi"))])
def test_the_clock_goes_on(folder, name):
    """Every frame is shown after the one before it, the first of a part when the last one of the
    part before ends."""
    parts = [len(pictures(make(folder, p, ALL_CLIPS))) for p in JOINED[name].parts]
    with opened(folder, name) as worker:
        pts = [p.pts for p in worker.shown()]
        num, den = worker.table["time_base"]
        steps = [(b - a) * num / den for a, b in zip(pts, pts[1:])]
        assert min(steps) > 0
        assert abs(steps[parts[0] - 1] - 0.04) < 0.002
        assert max(steps) < 0.09
        # An index counts the chunks of an AVI, which begin nowhere anew.
        assert bool(worker.table["flags"] & JOINED_FLAG) == (name != "joined_mjpeg.avi")


@pytest.mark.parametrize("name", ["wrapping.ts", "later.ts", "h264.ts", "mpeg2.ts", "vfr.mp4", "edits_cut.mp4",
                                  "edits_swap.mp4", "edits_late.mp4", "fragmented.mp4"])
def test_one_clock_is_not_touched(folder, name):
    with opened(folder, name) as worker:
        assert not worker.table["flags"] & JOINED_FLAG
        pts = [p.pts for p in worker.shown()]
        with av.open(str(make(folder, name, ALL_CLIPS))) as container:
            assert pts == [f.pts for f in container.decode(video=0)]


def test_a_row_of_the_first_part_does_not_read_the_second(folder, tmp_path):
    """Where the demuxer has an index, it is of the first part's times."""
    data = make(folder, "large.mkv", LARGE_CLIPS).read_bytes()
    path = tmp_path / "joined.mkv"
    path.write_bytes(2 * data)
    with Worker(path) as worker:
        assert worker.probe()["err"] == 0
        assert len(worker.shown()) == 400
        keys = [p for p in worker.packets if p.flags & KEY]
        for key, most in (keys[10], len(data) // 4), (keys[-3], len(data) * 3):
            answer, _ = worker.frames([(key.pts, key.index, 0, 1)], first=key.index, n=8, target=key.index, drain=1)
            assert answer["err"] == 0, answer
            assert answer["bytes"] < most
