"""Frames whose size changes on the way: each is resized from its own size, and an
array of size=native says that it can't be.

The reference is PyAV's pictures, resized by Pillow.
"""

import os
import subprocess

import numpy as np
import pytest

if not (os.environ.get("WORKER") and os.environ.get("WORKER_TOOL")):
    pytest.skip("WORKER and WORKER_TOOL aren't set", allow_module_level=True)

import av

from pillow_reference import resized_by_pillow
from worker_driver import EBADMSG, STRETCH, Worker

NEW_PARAMS = 64
SIZES = [(160, 96), (96, 160), (160, 96)]     # width, height
PER_PART = 10
X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "5", "-bf", "2", "-x264-params", "scenecut=0"]


def run(*args):
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-nostdin", *map(str, args)], check=True)


def parts(folder, ending, *codec):
    """One after the other in time, each of another size."""
    paths = []
    for i, (w, h) in enumerate(SIZES):
        path = folder / f"part{i}.{ending}"
        run("-f", "lavfi", "-i", f"testsrc2=s={w}x{h}:r=25:d={PER_PART / 25}", *codec, "-output_ts_offset",
            1 + i * PER_PART / 25, "-muxdelay", 0, path)
        paths.append(path)
    return paths


def joined(folder, ending, paths):
    """Packets of all, as they are."""
    listed = folder / "list.txt"
    listed.write_text("".join(f"file {p.name}\ninpoint 0\n" for p in paths))
    run("-f", "concat", "-i", listed, "-c", "copy", folder / f"joined.{ending}")
    return folder / f"joined.{ending}"


def webm(folder, codec):
    return joined(folder, "webm", parts(folder, "webm", "-c:v", codec, "-deadline", "realtime", "-cpu-used", "8", "-g", "5"))


def ts(folder):
    path = folder / "joined.ts"
    path.write_bytes(b"".join(p.read_bytes() for p in parts(folder, "ts", *X264)))
    return path


def flv_in_band(folder):
    """New parameter sets stand in the packets."""
    run("-i", ts(folder), "-c", "copy", folder / "joined.flv")
    return folder / "joined.flv"


def flv_by_header(folder):
    """New parameter sets come as a sequence header of FLV."""
    data = [p.read_bytes() for p in parts(folder, "flv", *X264, "-flvflags", "no_duration_filesize")]
    path = folder / "joined.flv"
    path.write_bytes(data[0] + b"".join(d[13:] for d in data[1:]))
    return path


def mkv(folder):
    run("-i", ts(folder), "-c", "copy", folder / "joined.mkv")
    return folder / "joined.mkv"


CLIPS = {
    "vp8.webm": lambda folder: webm(folder, "libvpx"),
    "vp9.webm": lambda folder: webm(folder, "libvpx-vp9"),
    "h264.ts": ts,
    "h264.mkv": mkv,
    "h264.flv": flv_in_band,
    "h264-header.flv": flv_by_header,
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, tmp_path_factory):
    path = CLIPS[request.param](tmp_path_factory.mktemp(request.param))
    with av.open(str(path)) as container:
        pictures = [(f.pts, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    assert [p.shape[:2] for _, p in pictures] == [(h, w) for w, h in SIZES for _ in range(PER_PART)]
    return path, pictures


def test_new_parameters_are_seen_where_the_container_brings_them(clip):
    path, _ = clip
    with Worker(path) as worker:
        worker.probe()
        assert bool(worker.table["flags"] & NEW_PARAMS) == path.parent.name.startswith("h264-header")


def opened(path, pictures):
    worker = Worker(path)
    assert worker.probe()["err"] == 0
    shown = worker.shown()
    assert [p.pts for p in shown] == [pts for pts, _ in pictures]
    return worker, shown


@pytest.mark.parametrize("session", [0, 5])
def test_each_frame_is_resized_from_its_own_size(clip, session):
    path, pictures = clip
    worker, shown = opened(path, pictures)
    with worker:
        # one by one: in order, from behind, and then from everywhere
        n = len(shown)
        for i in [*range(n), *reversed(range(n)), *(7 * k % n for k in range(n))]:
            row = worker.fetch([shown[i]], session=session, size=(64, 48), mode=STRETCH)[0]
            np.testing.assert_array_equal(row, resized_by_pillow(pictures[i][1], 64, 48), f"frame {i}")


def test_all_frames_in_one_job(clip):
    path, pictures = clip
    worker, shown = opened(path, pictures)
    with worker:
        rows = worker.fetch(shown, size=(64, 48), mode=STRETCH)
        for i, (_, picture) in enumerate(pictures):
            np.testing.assert_array_equal(rows[i], resized_by_pillow(picture, 64, 48), f"frame {i}")


def test_native_rows_are_those_of_the_first_size(clip):
    path, pictures = clip
    worker, shown = opened(path, pictures)
    with worker:
        rows = [(p.pts, p.index, 0, 1) for p in shown]
        answer, pixels = worker.frames(rows, reorder=worker.reorder())
        good = [i for i, (_, p) in enumerate(pictures) if p.shape == pictures[0][1].shape]
        assert answer["err"] == -EBADMSG
        assert "from 160x96 to 96x160" in answer["why"] and "size=native" in answer["why"]
        # what can be given is
        assert sorted(answer["rows"]) == good
        for i in good:
            np.testing.assert_array_equal(pixels[i], pictures[i][1])
