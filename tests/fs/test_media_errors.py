"""Files that can't be decoded cost themselves an error, and nobody else anything."""
import errno
import os
import signal
import subprocess
import sys

import av
import numpy as np
import pytest

from lib import burned, media
from lib.threads import errno_of, read_bytes

GOOD = "train/video/moov-last.mp4"


@pytest.fixture
def among_good(tmp_path, mounted):
    """among_good(name -> bytes): those files beside a good clip, mounted; at the end the good one
    must still read."""
    mounts = []

    def make(files, **options):
        folder = tmp_path / "source"
        folder.mkdir()
        (folder / "good.mp4").write_bytes(media.numbered(GOOD).read_bytes())
        for name, data in files.items():
            (folder / name).write_bytes(data)
        mounts.append(mounted(f"dir:{folder}", options))
        return mounts[-1]

    yield make
    for mount in mounts:
        assert np.load(mount / "frames/good.mp4.npy").shape == (16, 224, 224, 3)


BROKEN = {
    "garbage.mp4": lambda: media.garbage(),
    "garbage.mkv": lambda: media.garbage(),
    "garbage.ts": lambda: media.garbage(),
    "empty.mp4": lambda: b"",
    "one-byte.mp4": lambda: b"\0",
    "text.avi": lambda: b"this is no film\n" * 1000,
    "no-index.mp4": lambda: media.numbered(GOOD).read_bytes()[:200_000],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_medium_is_ebadmsg(among_good, name):
    mount = among_good({name: BROKEN[name]()})
    path = mount / f"frames/{name}.npy"
    assert os.stat(path).st_size == 128 + 16 * 224 * 224 * 3
    assert errno_of(read_bytes, path) == errno.EBADMSG
    assert errno_of(read_bytes, mount / f"mfcc/{name}.npy") == errno.EBADMSG
    assert os.getxattr(path, "user.s3samplefs.error")
    assert name in (mount / ".s3samplefs/errors").read_text()


@pytest.mark.parametrize("name", ["garbage.mp4", "no-index.mp4"])
def test_a_size_that_cannot_be_known_is_zero_and_the_open_fails(among_good, name):
    mount = among_good({name: BROKEN[name]()})
    path = mount / f"frames@size=native/{name}.npy"
    assert os.stat(path).st_size == 0
    assert errno_of(os.open, path, os.O_RDONLY) == errno.EBADMSG
    assert os.getxattr(path, "user.s3samplefs.error")


MAP = """
import mmap, os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
view = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, access=mmap.ACCESS_READ)
print(view[1_000_000])
"""


def test_a_mapping_of_a_broken_clip_is_sigbus(among_good):
    mount = among_good({"garbage.mp4": media.garbage()})
    done = subprocess.run([sys.executable, "-c", MAP, mount / "frames/garbage.mp4.npy"],
                          capture_output=True)
    assert done.returncode == -signal.SIGBUS


def _whole_packets(path, size):
    """Numbers of the frames whose packets lie in the first size bytes."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    order = sorted(p.pts for p in packets)
    return sorted(order.index(p.pts) for p in packets if p.pos + p.size <= size)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8, 0.95])
def test_a_clip_cut_short_shows_the_frames_that_are_whole(among_good, part):
    """Its index is in front and promises more than there is."""
    path = media.numbered("train/video/moov-first.mp4")
    whole = path.read_bytes()
    data = whole[:int(len(whole) * part)]
    mount = among_good({"cut.mp4": data})
    expected = _whole_packets(path, len(data))
    assert 0 < len(expected) < 125
    rows = np.load(mount / "frames@size=64,num_frames=all/cut.mp4.npy")
    assert burned.read_all(rows) == expected


@pytest.mark.parametrize("place", range(12))
def test_flipped_bytes_never_take_the_mount_down(among_good, place):
    data = bytearray(media.numbered("train/video/clip.mkv").read_bytes())
    noise = np.random.default_rng(place)
    for at in noise.integers(0, len(data), 400):
        data[at] = int(noise.integers(0, 256))
    mount = among_good({"flipped.mkv": bytes(data)})
    for view in ("frames", "mfcc", "frames@size=native"):
        assert errno_of(read_bytes, mount / f"{view}/flipped.mkv.npy") in (
            None, errno.EBADMSG, errno.ENODATA)


def test_a_claim_of_fifty_million_samples_is_refused(among_good):
    mount = among_good({"bomb.mp4": media.claims_fifty_million_samples()})
    assert errno_of(read_bytes, mount / "frames/bomb.mp4.npy") == errno.EBADMSG


def test_a_failure_is_remembered(among_good):
    mount = among_good({"garbage.mp4": media.garbage()})
    path = mount / "frames/garbage.mp4.npy"
    assert errno_of(read_bytes, path) == errno.EBADMSG
    jobs = mount.stat("decode_jobs")
    for _ in range(5):
        assert errno_of(read_bytes, path) == errno.EBADMSG
    assert mount.stat("decode_jobs") == jobs


def test_sound_alone_has_no_frames(among_good, tmp_path):
    """A file that is named like a film, and whose only stream is sound."""
    mount = among_good({"sound.mp4": media.sounds()["train/sound/stereo.m4a"].read_bytes()})
    assert errno_of(read_bytes, mount / "frames/sound.mp4.npy") == errno.ENODATA
    assert np.load(mount / "mfcc/sound.mp4.npy").shape == (20, 1292)


def test_a_clip_larger_than_memory_alone_is_enomem(among_good):
    mount = among_good({}, memory="512M", workers=1)
    assert errno_of(read_bytes, mount / "frames@size=16000,num_frames=1/good.mp4.npy") \
        == errno.ENOMEM


def _of_info(text, name):
    return next(line.split(": ", 1)[1] for line in text.splitlines() if line.startswith(name + ": "))


def test_a_clip_that_was_cut_short_ends_where_it_was_cut(among_good):
    """Its index promises more: the rows are spread over what is there, and info says so."""
    whole = media.numbered("train/video/moov-first.mp4").read_bytes()
    mount = among_good({"cut.mp4": whole[: len(whole) * 6 // 10]})
    info = (mount / "info/cut.mp4.txt").read_text()
    shown = int(_of_info(info, "shown frames"))
    assert "it has been cut short" in info
    frames = round(float(_of_info(info, "duration").split()[0]) * 25)
    assert shown <= frames <= shown + 3          # of the last frames some may miss what they refer to
    rows = np.load(mount / "frames@num_frames=8/cut.mp4.npy")
    for i, row in enumerate(rows):
        assert 0 <= frames * (2 * i + 1) // 16 - burned.read(row) <= 3
    assert "cut short" not in (mount / "info/good.mp4.txt").read_text()


def test_an_empty_object_is_said_to_be_empty(among_good):
    mount = among_good({"empty.mp4": b""})
    assert errno_of(read_bytes, mount / "frames/empty.mp4.npy") == errno.EBADMSG
    assert os.getxattr(mount / "frames/empty.mp4.npy", "user.s3samplefs.error") == b"the object is empty"


def test_a_failure_stands_once_in_the_list(among_good):
    """The kernel asks two or three times for a page that fails."""
    mount = among_good({"garbage.mp4": media.garbage()})
    assert errno_of(read_bytes, mount / "mfcc/garbage.mp4.npy") == errno.EBADMSG
    mount.until_stat("fuse_errors", 2)
    assert (mount / ".s3samplefs/errors").read_text().count("mfcc/garbage.mp4.npy") == 1


def test_a_clip_whose_frames_change_their_size_has_no_native_array(among_good, tmp_path):
    """Each frame is resized from its own size."""
    parts = []
    for size in ("160x96", "96x160"):
        part = tmp_path / f"{size}.ts"
        subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.4",
                        "-c:v", "libx264", "-output_ts_offset", str(1 + 0.4 * len(parts)), "-muxdelay", "0", str(part)],
                       check=True)
        parts.append(part.read_bytes())
    mount = among_good({"call.ts": b"".join(parts)})
    assert np.load(mount / "frames@size=64,num_frames=all/call.ts.npy").shape == (20, 64, 64, 3)
    path = mount / "frames@size=native,num_frames=all/call.ts.npy"
    with open(path, "rb") as f:              # those of the first size are there
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        assert len(os.pread(f.fileno(), 96 * 160 * 3, 128 + 3 * 96 * 160 * 3)) == 96 * 160 * 3
    assert errno_of(read_bytes, path) == errno.EBADMSG
    assert b"size=native" in os.getxattr(path, "user.s3samplefs.error")


def _with_damaged_frame(key, number):
    """The clip's bytes with one packet of zeros, one of the smallest: nothing refers to it. Also
    its place among the packets."""
    path = media.numbered(key)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    packet = min(range(number, number + 20), key=lambda i: len(packets[i]))
    at = data.index(packets[packet])
    data[at:at + len(packets[packet])] = bytes(len(packets[packet]))
    return bytes(data), packet


def _rows_alone(path, order, size=64):
    """The number in each row, or the errno of reading it."""
    length, rows = size * size * 3, {}
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        for i in order:
            try:
                data = os.pread(fd, length, 128 + i * length)
                rows[i] = burned.read(np.frombuffer(data, np.uint8).reshape(size, size, 3))
            except OSError as error:
                rows[i] = -error.errno
    finally:
        os.close(fd)
    return [rows[i] for i in sorted(rows)]


DAMAGED = {"moov-last.mp4": 0, "clip.mkv": 0, "clip.avi": 3, "mpeg4.avi": 3}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("order", [range(125), range(124, -1, -1)], ids=["forwards", "backwards"])
def test_a_damaged_frame_costs_its_row_alone(among_good, name, order):
    """Where the file has no presentation times, it is its place that isn't known so exactly."""
    data, packet = _with_damaged_frame(f"train/video/{name}", 60)
    mount = among_good({name: data})
    rows = _rows_alone(mount / f"frames@size=64,num_frames=all/{name}.npy", order)
    assert rows.count(-errno.EBADMSG) == 1 and len(rows) == 125
    lost = rows.index(-errno.EBADMSG)
    assert abs(lost - packet) <= 3
    near = range(lost - DAMAGED[name], lost + DAMAGED[name] + 1)
    assert [r for i, r in enumerate(rows) if i not in near] == [i for i in range(125) if i not in near]
    assert f"{name}.npy: 1 of the wanted frames" in (mount / ".s3samplefs/errors").read_text()


def test_a_damaged_sync_packet_is_not_looked_for_from_the_start_by_each_frame(among_good):
    """The 25 frames of a GOP whose first is zeros, in the middle of a clip of 125."""
    path = media.numbered("train/video/vp9.webm")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    key = [i for i, p in enumerate(packets) if p.is_keyframe][3]
    at = data.index(bytes(packets[key]))
    data[at:at + 16] = b"\xff" * 16
    mount = among_good({"x.webm": bytes(data)})
    rows = _rows_alone(mount / "frames@size=64,num_frames=all/x.webm.npy", range(125))
    assert rows[:key] == list(range(key)) and rows[key] == -errno.EBADMSG
    assert rows[100:] == list(range(100, 125))
    # Each row of the GOP is tried afresh once, one of them also from before.
    assert mount.idle_stats()["frames_decoded"] < 1000
