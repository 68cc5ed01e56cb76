"""Broken and malicious objects end in an error: no crash, no hang, no memory
beyond the limit, and what a broken file still holds can be shown.

Needs what test_worker.py needs.
"""

import os
import random
import struct

import pytest

if not (os.environ.get("WORKER") and os.environ.get("WORKER_TOOL")):
    pytest.skip("WORKER and WORKER_TOOL aren't set", allow_module_level=True)

from test_worker import folder  # noqa: F401  (a fixture)
from worker_clips import CLIPS, make
from worker_driver import EAGAIN, EBADMSG, Worker

ENOMEM = 12
SANITIZED = "asan" in os.environ["WORKER"]
LIMITS = {"cpu_limit": 30, "deadline": 30}
if not SANITIZED:
    LIMITS["data_limit"] = 512 << 20

KINDS = ["moovlast.mp4", "moovfirst.mp4", "fragmented.mp4", "sidx.mp4", "h264.mkv", "h264.ts", "h264.flv",
         "mpeg4.avi", "h264.avi", "vp9.webm", "vp8.webm", "hevc.mp4", "mpeg2.mpg", "theora.ogv", "wmv2.wmv",
         "av1.mp4", "prores.mov", "mjpeg.avi", "one_frame.mp4"]


def survives(path):
    """Probes the file, and asks for some of its frames, whatever they are."""
    with Worker(path, **LIMITS) as worker:
        answer = worker.probe()
        assert not answer["late"] and answer["status"] == 0, answer
        assert answer["err"] in (0, -EBADMSG, -ENOMEM), answer
        assert bool(answer["why"]) == bool(answer["err"])
        if answer["err"] or not worker.packets:
            return answer, 0
        return answer, sum(ask(worker, p) for p in some_packets(worker))


def some_packets(worker):
    n = len(worker.packets)
    return [worker.packets[i] for i in sorted({0, n // 3, n // 2, n - 1})]


def ask(worker, p):
    """1 if the frame comes, 0 if an error does."""
    if worker.has_pts():
        first = max([0] + [q for q in worker.sync_points(p.pts) if q <= p.index])
        rows = [(p.pts, p.index, 0, 1)]
    else:
        first, rows = 0, [(None, p.index, p.index, 1)]
    n = min(len(worker.packets) - first, 200)
    answer, _ = worker.frames(rows, first=first, n=n, target=min(p.index, first + n - 1), size=(64, 64),
                              reorder=worker.reorder())
    assert not answer["late"] and answer["status"] == 0, answer
    assert answer["err"] in (0, -EBADMSG, -EAGAIN, -ENOMEM), answer
    return answer["err"] == 0


@pytest.mark.parametrize("name", KINDS)
def test_truncated_at_twenty_places(folder, tmp_path, name):
    data = make(folder, name, CLIPS).read_bytes()
    path = tmp_path / f"cut.{name.rsplit('.', 1)[1]}"
    for i in range(20):
        path.write_bytes(data[: len(data) * i // 20 + i % 3])
        survives(path)


@pytest.mark.parametrize("name", KINDS)
def test_bytes_changed(folder, tmp_path, name):
    """In the header and index, where most of what is believed stands, and all over."""
    data = make(folder, name, CLIPS).read_bytes()
    rng = random.Random(name)
    path = tmp_path / f"changed.{name.rsplit('.', 1)[1]}"
    for i in range(20):
        broken = bytearray(data)
        places = [range(len(data)), range(min(2000, len(data))), range(max(0, len(data) - 4000), len(data))][i % 3]
        for _ in range(rng.choice([1, 5, 50])):
            broken[rng.choice(places)] = rng.randrange(256)
        path.write_bytes(broken)
        survives(path)


@pytest.mark.parametrize("name", ["moovlast.mp4", "moovfirst.mp4", "h264.mkv", "h264.ts"])
def test_a_cut_file_shows_what_is_left(folder, tmp_path, name):
    data = make(folder, name, CLIPS).read_bytes()
    path = tmp_path / f"cut.{name.rsplit('.', 1)[1]}"
    path.write_bytes(data[: len(data) * 3 // 4])
    answer, shown = survives(path)
    if name == "moovlast.mp4":
        assert answer["err"] == -EBADMSG and "moov" in answer["why"]
    else:
        assert answer["err"] == 0 and shown >= 3


@pytest.mark.parametrize("extension", ["mp4", "mkv", "avi", "ts", "webm", "flv", "wmv", "ogv", "mpg", ""])
def test_garbage(tmp_path, extension):
    rng = random.Random(extension)
    path = tmp_path / f"garbage.{extension}"
    for size in (0, 1, 7, 100, 5000, 300_000):
        path.write_bytes(rng.randbytes(size))
        survives(path)
    path.write_bytes(bytes(200_000))
    survives(path)


def boxes(data, at, end):
    while at + 8 <= end:
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        yield at, kind, size
        at += size


def find_box(data, path, at=0, end=None):
    for box, kind, size in boxes(data, at, len(data) if end is None else end):
        if kind == path[0]:
            return box if len(path) == 1 else find_box(data, path[1:], box + 8, box + size)
    raise KeyError(path)


def test_fifty_million_claimed_samples(folder, tmp_path):
    """A few KB whose tables say: 50 million samples of one byte, one chunk."""
    data = bytearray(make(folder, "one_frame.mp4", CLIPS).read_bytes())
    table = [b"moov", b"trak", b"mdia", b"minf", b"stbl"]
    claimed = 50_000_000
    stsz = find_box(data, table + [b"stsz"])
    struct.pack_into(">II", data, stsz + 12, 1, claimed)
    stts = find_box(data, table + [b"stts"])
    struct.pack_into(">II", data, stts + 16, claimed, 512)
    stsc = find_box(data, table + [b"stsc"])
    struct.pack_into(">III", data, stsc + 16, 1, claimed, 1)
    path = tmp_path / "claims.mp4"
    path.write_bytes(data)
    with Worker(path, **LIMITS) as worker:
        answer = worker.probe()
        assert not answer["late"] and answer["status"] == 0, answer
        if not SANITIZED:
            assert answer["err"] in (-ENOMEM, -EBADMSG)
            assert answer["used_us"] < 5_000_000


def test_it_names_no_other_file(tmp_path):
    """Playlists and references are not followed."""
    for extension, text in [("m3u8", "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), ("mp4", "ffconcat version 1.0\nfile x\n")]:
        path = tmp_path / f"list.{extension}"
        path.write_text(text)
        answer, _ = survives(path)
        assert answer["err"] == -EBADMSG
