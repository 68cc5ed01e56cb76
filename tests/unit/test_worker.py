"""The worker gives the pixels that PyAV and ffmpeg give, whichever frames are
asked for in whichever order, and fetches only what it needs.

Needs ffmpeg, numpy, av, and WORKER and WORKER_TOOL, the paths of the built
s3samplefs-worker and worker_tool.
"""

import os
import random
import subprocess

import numpy as np
import pytest

if not (os.environ.get("WORKER") and os.environ.get("WORKER_TOOL")):
    pytest.skip("WORKER and WORKER_TOOL aren't set", allow_module_level=True)

import av

from pillow_reference import resized_by_pillow
from worker_clips import CLIPS, LARGE_CLIPS, make
from worker_driver import (CONTIGUOUS, CROP, EBADMSG, EIO, HIDDEN, INTRA_ONLY, KEY, PAD, SKIP_NONREF,
                           STRETCH, WHOLE, Worker)

# Where swscale's versions differ (newer ones also convert interlaced frames field by
# field): compared with the installed ffmpeg, which is of the same version as the
# worker, instead of PyAV's own.
BY_FFMPEG = {"palette.avi", "palettes.avi", "palettes_no_index.avi",
             "interlaced.mp4", "ten_bit.mp4", "odd_size.mp4", "odd_size.webm", "odd_size.avi", "prores.mov"}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    kept = os.environ.get("WORKER_CLIPS")
    if kept:
        os.makedirs(kept, exist_ok=True)
        return __import__("pathlib").Path(kept)
    return tmp_path_factory.mktemp("clips")


def by_pyav(path):
    """pts and pixels of all shown frames, in output order."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append((frame.pts, frame.to_ndarray(format="rgb24")))
    return frames


def by_ffmpeg(path, height, width):
    command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-noautorotate", "-i", str(path), "-map", "0:v:0",
               "-vsync", "passthrough", "-sws_flags", "bicubic", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


class Reference:
    """All shown frames of a clip by an independent reader."""

    def __init__(self, path, rotation, height, width):
        frames = by_pyav(path)
        self.pts = [pts for pts, _ in frames]
        if path.name in BY_FFMPEG:
            pixels = list(by_ffmpeg(path, height, width))
            assert len(pixels) == len(frames)
        else:
            pixels = [p for _, p in frames]
        self.pixels = [np.rot90(p, -(rotation // 90)) for p in pixels]


def opened(folder, name):
    path = make(folder, name, CLIPS)
    worker = Worker(path)
    answer = worker.probe()
    assert answer["err"] == 0, answer
    t = worker.table
    h, w = (t["width"], t["height"]) if t["rotation"] in (90, 270) else (t["height"], t["width"])
    return worker, Reference(path, t["rotation"], h, w)


def wanted_frames(worker, reference):
    """What to ask for, in output order, and what should come."""
    if not worker.has_pts():
        return list(range(len(reference.pixels)))
    shown = worker.shown()
    assert [p.pts for p in shown] == reference.pts
    return shown


def check(worker, reference, wanted, indices, session=0):
    pixels = worker.fetch([wanted[i] for i in indices], session=session)
    for i, p in zip(indices, pixels):
        np.testing.assert_array_equal(p, reference.pixels[i], f"frame {i}")


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_alone_in_random_order(folder, name):
    worker, reference = opened(folder, name)
    with worker:
        wanted = wanted_frames(worker, reference)
        order = list(range(len(wanted)))
        random.Random(name).shuffle(order)
        for i in order:
            check(worker, reference, wanted, [i])


@pytest.mark.parametrize("name", CLIPS)
def test_a_session_goes_on(folder, name):
    """Ascending, three frames a job: each frame is decoded once, but for what the
    reordering needs to be decoded again."""
    worker, reference = opened(folder, name)
    with worker:
        wanted = wanted_frames(worker, reference)
        for i in range(0, len(wanted), 3):
            check(worker, reference, wanted, list(range(i, min(i + 3, len(wanted)))), session=7)


@pytest.mark.parametrize("name", CLIPS)
def test_a_session_survives_any_order(folder, name):
    worker, reference = opened(folder, name)
    rng = random.Random(name)
    with worker:
        wanted = wanted_frames(worker, reference)
        for _ in range(25):
            some = sorted(rng.sample(range(len(wanted)), min(len(wanted), rng.randint(1, 4))))
            check(worker, reference, wanted, some, session=rng.choice([3, 3, 3, 4]))


@pytest.mark.parametrize("name", CLIPS)
def test_all_frames_in_one_job(folder, name):
    worker, reference = opened(folder, name)
    with worker:
        wanted = wanted_frames(worker, reference)
        check(worker, reference, wanted, list(range(len(wanted))))


def after_each_other(n):
    """0 .. n - 1 so that each comes right after each other one, and after itself, once."""
    left = {i: list(range(n)) for i in range(n)}
    path, tour = [0], []
    while path:
        if left[path[-1]]:
            path.append(left[path[-1]].pop())
        else:
            tour.append(path.pop())
    return tour[::-1]


@pytest.mark.parametrize("name", CLIPS)
def test_a_row_after_every_other_one(folder, name):
    """Six frames, of which each is asked for alone, in one session, with each other one before it:
    wherever the decoder stands, the one that was asked for comes."""
    worker, reference = opened(folder, name)
    with worker:
        wanted = wanted_frames(worker, reference)
        some = [len(wanted) * (2 * i + 1) // 12 for i in range(6)]
        for i in after_each_other(6):
            check(worker, reference, wanted, [some[i]], session=5)


def test_a_session_decodes_nothing_twice(folder):
    worker, reference = opened(folder, "moovlast.mp4")
    with worker:
        shown, total = worker.shown(), 0
        for p in shown:
            rows = [(q.pts, q.index, 0, int(q is p)) for q in shown]
            answer, pixels = worker.frames(rows, session=1, reorder=worker.reorder(), target=p.index)
            assert answer["err"] == 0, answer
            total += answer["decoded"]
            np.testing.assert_array_equal(pixels[shown.index(p)], reference.pixels[shown.index(p)])
        assert total == len(shown)


def test_skipping_decodes_less_and_the_same(folder):
    worker, reference = opened(folder, "moovlast.mp4")
    with worker:
        p = next(p for p in worker.shown() if p.index == 11)
        decoded = {}
        for no_skip in (0, 1):
            answer, pixels = worker.frames([(p.pts, p.index, 0, 1)], reorder=worker.reorder(), n=20,
                                           target=p.index, no_skip=no_skip)
            assert answer["err"] == 0, answer
            decoded[no_skip] = answer["decoded"]
            np.testing.assert_array_equal(pixels[0], reference.pixels[worker.shown().index(p)])
        assert decoded[0] < decoded[1]


def test_drain_brings_a_sync_frame_out_at_once(folder):
    worker, reference = opened(folder, "moovlast.mp4")
    with worker:
        p = [p for p in worker.packets if p.flags & KEY][2]
        answer, pixels = worker.frames([(p.pts, p.index, 0, 1)], first=p.index, n=8, target=p.index, drain=1)
        assert (answer["err"], answer["decoded"], answer["fed"]) == (0, 1, p.index + 1)
        np.testing.assert_array_equal(pixels[0], reference.pixels[worker.shown().index(p)])


def test_a_frame_that_does_not_come_is_told(folder):
    worker, _ = opened(folder, "moovlast.mp4")
    with worker:
        late = worker.packets[11]        # it isn't among those that are fed
        answer, _ = worker.frames([(late.pts, late.index, 0, 1)], n=10, target=2)
        assert answer["err"] == -11
        assert "out of the decoder" in answer["why"]


def test_one_frame_in_several_rows(folder):
    """A clip shorter than asked for repeats its last frame."""
    worker, reference = opened(folder, "moovlast.mp4")
    with worker:
        p = worker.shown()[-1]
        pixels = worker.fetch([p, p, p])
        assert len(pixels) == 3
        for q in pixels:
            np.testing.assert_array_equal(q, reference.pixels[-1])


@pytest.mark.parametrize("name", ["moovlast.mp4", "rotated.mp4", "even_size.mp4", "odd_size.webm", "ten_bit.mp4",
                                  "wide.mp4", "tall.mp4"])
@pytest.mark.parametrize("size", [(224, 224), (112, 160), (300, 500)])
def test_rows_are_pillows_resize_of_the_native_frame(folder, name, size):
    worker, reference = opened(folder, name)
    with worker:
        wanted, native = wanted_frames(worker, reference)[5], reference.pixels[5]
        (H, W), (h, w) = size, native.shape[:2]
        rh, rw = (int(W * h / w), W) if h * W >= w * H else (H, int(H * w / h))
        resized = resized_by_pillow(native, rh, rw)
        top, left = round((rh - H) / 2), round((rw - W) / 2)
        pixels = worker.fetch([wanted], size=size, mode=CROP)
        np.testing.assert_array_equal(pixels[0], resized[top : top + H, left : left + W])
        pixels = worker.fetch([wanted], size=size, mode=STRETCH)
        np.testing.assert_array_equal(pixels[0], resized_by_pillow(native, H, W))
        rh, rw = (H, int(H * w / h)) if h * W >= w * H else (int(W * h / w), W)
        top, left = (H - rh) // 2, (W - rw) // 2
        padded = np.zeros((H, W, 3), np.uint8)
        padded[top : top + rh, left : left + rw] = resized_by_pillow(native, rh, rw)
        pixels = worker.fetch([wanted], size=size, mode=PAD)
        np.testing.assert_array_equal(pixels[0], padded)


FLAGS = {
    "moovlast.mp4": CONTIGUOUS | SKIP_NONREF, "fragmented.mp4": CONTIGUOUS | SKIP_NONREF,
    "h264.mov": CONTIGUOUS | SKIP_NONREF, "h264.avi": CONTIGUOUS | SKIP_NONREF,
    "mjpeg.avi": CONTIGUOUS | INTRA_ONLY, "prores.mov": CONTIGUOUS | INTRA_ONLY,
    "h264.mkv": WHOLE | SKIP_NONREF, "h264.ts": WHOLE | SKIP_NONREF, "mpeg2.ts": WHOLE | SKIP_NONREF,
    "vp9.webm": WHOLE, "av1.mp4": CONTIGUOUS, "theora.ogv": WHOLE, "wmv2.wmv": WHOLE,
    "hevc.mp4": CONTIGUOUS | SKIP_NONREF, "hevc_layers.mp4": CONTIGUOUS,
}


@pytest.mark.parametrize("name", FLAGS)
def test_flags(folder, name):
    with Worker(make(folder, name, CLIPS)) as worker:
        worker.probe()
        assert worker.table["flags"] == FLAGS[name]


def test_head_describes_the_streams(folder):
    with Worker(make(folder, "bt709.mp4", CLIPS)) as worker:
        worker.probe()
        t = worker.table
        assert (t["width"], t["height"], t["rotation"], t["rate"]) == (320, 240, 0, [25, 1])
        assert (t["video_stream"], t["audio_stream"], t["colour"]) == (0, 1, "bt709 tv")
        video, audio = t["streams"]
        assert (video["type"], video["codec"], video["detail"]) == ("v", "h264", "yuv420p")
        assert (audio["type"], audio["codec"], audio["sample_rate"], audio["channels"]) == ("a", "aac", 44100, 1)
        assert abs(video["duration_us"] - 2_000_000) < 50_000


def test_the_decoder_knows_the_size_better_than_the_container(folder, tmp_path):
    data = bytearray(make(folder, "moovlast.mp4", CLIPS).read_bytes())
    at = data.index(b"avc1", data.index(b"stsd")) + 28
    assert data[at : at + 4] == bytes([1, 64, 0, 240])
    data[at : at + 4] = bytes([2, 0, 1, 0])
    path = tmp_path / "lies.mp4"
    path.write_bytes(data)
    _, reference = opened(folder, "moovlast.mp4")
    with Worker(path) as worker:
        worker.probe()
        assert (worker.table["width"], worker.table["height"]) == (320, 240)
        np.testing.assert_array_equal(worker.fetch([worker.shown()[7]])[0], reference.pixels[7])


@pytest.mark.parametrize("name", ["mpeg4.avi", "mjpeg.avi"])
def test_avi_without_an_index_is_read_whole(folder, tmp_path, name):
    data = make(folder, name, CLIPS).read_bytes()
    path = tmp_path / name
    path.write_bytes(data.replace(b"idx1", b"JUNK"))
    _, reference = opened(folder, name)
    with Worker(path) as worker:
        assert worker.probe()["err"] == 0
        assert worker.table["flags"] & WHOLE
        check(worker, reference, wanted_frames(worker, reference), [3, 17, 40])


def test_avi_with_a_wrong_index_is_read_whole(folder, tmp_path):
    data = bytearray(make(folder, "mjpeg.avi", CLIPS).read_bytes())
    at = data.rindex(b"idx1") + 8
    while at < len(data):
        offset = int.from_bytes(data[at + 8 : at + 12], "little") + 6
        data[at + 8 : at + 12] = offset.to_bytes(4, "little")
        at += 16
    path = tmp_path / "wrong.avi"
    path.write_bytes(data)
    _, reference = opened(folder, "mjpeg.avi")
    with Worker(path) as worker:
        answer = worker.probe()
        assert answer["err"] == 0, answer
        check(worker, reference, wanted_frames(worker, reference), [0, 25, 49])


def test_a_transport_stream_has_a_duration_too(folder):
    with Worker(make(folder, "h264.ts", CLIPS)) as worker:
        worker.probe()
        assert abs(worker.table["streams"][0]["duration_us"] - 1_960_000) < 1000


def test_rotation_swaps_the_sides(folder):
    for name, rotation, size in [("rotated.mp4", 90, (240, 320)), ("upside_down.mp4", 180, (320, 240))]:
        with Worker(make(folder, name, CLIPS)) as worker:
            worker.probe()
            t = worker.table
            assert t["rotation"] in (rotation, 360 - rotation)
            assert (t["width"], t["height"]) == size


def test_frames_outside_the_edit_list_are_hidden(folder):
    with Worker(make(folder, "edit_list.mp4", CLIPS)) as worker:
        worker.probe()
        hidden = [p for p in worker.packets if p.flags & HIDDEN]
        assert hidden and all(p.pts < 0 for p in hidden)


def test_what_an_edit_list_cuts_out_may_have_the_times_of_what_it_shows(folder):
    with Worker(make(folder, "edits_cut.mp4", CLIPS)) as worker:
        worker.probe()
        hidden = {p.pts for p in worker.packets if p.flags & HIDDEN}
        assert len(worker.shown()) == 24
        assert hidden & {p.pts for p in worker.shown()}


@pytest.mark.parametrize("name", ["fields.ts", "fields.mkv"])
def test_two_fields_are_one_frame(folder, name):
    worker, reference = opened(folder, name)
    with worker:
        assert len(worker.packets) == 100 and len(worker.shown()) == len(reference.pixels) == 50
        # What is skipped is skipped in both fields, and a sync frame is drained after both.
        p = worker.shown()[7]
        answer, pixels = worker.frames([(p.pts, p.index, 0, 1)], n=24, target=p.index)
        assert answer["err"] == 0 and answer["decoded"] < 8
        np.testing.assert_array_equal(pixels[0], reference.pixels[7])
        key = worker.shown()[12]
        answer, pixels = worker.frames([(key.pts, key.index, 0, 1)], first=key.index, n=8, target=key.index, drain=1)
        assert (answer["err"], answer["decoded"], answer["fed"]) == (0, 1, key.index + 2)
        np.testing.assert_array_equal(pixels[0], reference.pixels[12])


def test_frames_that_are_never_shown_are_hidden(folder):
    with Worker(make(folder, "vp8_altref.webm", CLIPS)) as worker:
        worker.probe()
        assert len(worker.shown()) == 50 < len(worker.packets)


def test_one_clip_has_the_same_durations_in_every_container(folder):
    for name in ("moovlast.mp4", "h264.mkv"):
        with Worker(make(folder, name, CLIPS)) as worker:
            worker.probe()
            num, den = worker.table["time_base"]
            assert {p.duration * num * 25 / den for p in worker.packets} <= {1.0, 0.0}


# index bytes, which the clips' moov and so on are smaller than, and blocks of 64 KiB
@pytest.mark.parametrize("name, most", [("large_moovfirst.mp4", 2), ("large_moovlast.mp4", 3), ("large.avi", 4),
                                        ("large_fragmented.mp4", 24), ("large_sidx.mp4", 24)])
def test_a_probe_fetches_the_index_alone(folder, name, most):
    path = make(folder, name, LARGE_CLIPS)
    with Worker(path) as worker:
        answer = worker.probe()
        assert answer["err"] == 0, answer
        assert len(worker.packets) == 200
        assert answer["bytes"] <= most * 65536 < path.stat().st_size


@pytest.mark.parametrize("name", ["large.mkv", "large.ts"])
def test_a_whole_read_reads_once(folder, name):
    path = make(folder, name, LARGE_CLIPS)
    with Worker(path) as worker:
        answer = worker.probe()
        assert answer["err"] == 0, answer
        assert answer["bytes"] <= path.stat().st_size + (2 << 20)


def test_frames_fetch_their_gop_alone(folder):
    """Up to the wanted packet and those that push its frame out."""
    path = make(folder, "large_moovfirst.mp4", LARGE_CLIPS)
    with Worker(path) as worker:
        worker.probe()
        key = [p for p in worker.packets if p.flags & KEY][5]
        target = worker.packets[key.index + 3]
        answer, _ = worker.frames([(target.pts, target.index, 0, 1)], first=key.index, n=12,
                                  target=target.index, reorder=worker.reorder())
        last = worker.packets[answer["fed"] - 1]
        assert answer["err"] == 0 and last.index <= target.index + 3
        # what the decoder wants beyond the reordering comes in steps of 64 KiB, 128 KiB
        assert answer["bytes"] <= last.pos + last.size - key.pos + 3 * 65536


@pytest.mark.parametrize("name", ["moovlast.mp4", "h264.mkv", "h264.ts", "mjpeg.avi"])
@pytest.mark.parametrize("want", [1, 2])
def test_what_the_store_says_is_passed_on(folder, name, want):
    with Worker(make(folder, name, CLIPS), fail_want=want) as worker:
        answer = worker.probe()
        assert answer["wants"] < want or answer["err"] == -EIO


def worker_status(worker):
    """Lines of /proc/PID/status of the worker that worker_tool has started."""
    tool = worker.process.pid
    with open(f"/proc/{tool}/task/{tool}/children") as f:
        pids = f.read().split()
    [pid] = [pid for pid in pids if open(f"/proc/{pid}/comm").read() == "s3sample-worker\n"]
    with open(f"/proc/{pid}/status") as f:
        return pid, dict(line.rstrip("\n").split(":\t", 1) for line in f)


def test_it_takes_its_rights_away(folder):
    with Worker(make(folder, "moovlast.mp4", CLIPS)) as worker:
        worker.probe()
        pid, status = worker_status(worker)
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert sorted(map(int, os.listdir(f"/proc/{pid}/fd"))) == [0, 1, 2, 3, 4]
            with open(f"/proc/{pid}/limits") as f:
                limits = {line[:26].strip(): line[26:].split()[:2] for line in f}
            assert limits["Max core file size"] == ["0", "0"]
            assert limits["Max open files"] == ["16", "16"]


@pytest.mark.parametrize("args", [["-V"], ["--help"], []])
def test_started_by_hand_it_says_what_it_is(args):
    p = subprocess.run([os.environ["WORKER"], *args], capture_output=True, text=True)
    assert p.returncode == 2 and not p.stdout
    assert "s3samplefs" in p.stderr and p.stderr.count("\n") == 1


def test_no_video_is_a_table_without_packets(folder):
    path = folder / "sound.m4a"
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", "sine=d=1", str(path)], check=True)
    with Worker(path) as worker:
        answer = worker.probe()
        assert answer["err"] == 0
        assert (worker.table["video_stream"], worker.table["audio_stream"], worker.packets) == (-1, 0, [])


def test_a_cover_is_not_video(folder):
    path = folder / "cover.m4a"
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i",
                    "color=s=64x64:d=0.04", "-map", "0", "-map", "1", "-frames:v", "1", "-c:v", "mjpeg",
                    "-disposition:v", "attached_pic", str(path)], check=True)
    with Worker(path) as worker:
        assert worker.probe()["err"] == 0
        assert worker.table["video_stream"] == -1
