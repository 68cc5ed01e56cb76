"""Pictures are shown as the file says: turned, mirrored, or both.

The reference is Pillow's transposition of the native picture, named beside each
display matrix, ffmpeg's own autorotation, and for what the stream says itself the
matrix that ffprobe makes of it.
"""

import os
import re
import shutil
import struct
import subprocess

import numpy as np
import pytest

if not (os.environ.get("WORKER") and os.environ.get("WORKER_TOOL")):
    pytest.skip("WORKER and WORKER_TOOL aren't set", allow_module_level=True)

from PIL import Image

from worker_driver import Worker

MIRRORED = 32
ONE = 1 << 16
WIDTH, HEIGHT = 96, 64

T = Image.Transpose
# (a, b, c, d): pixel (x, y) is shown at (a x + c y, b x + d y)
EIGHT = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): T.ROTATE_270,        # Pillow's are anticlockwise
    (-1, 0, 0, -1): T.ROTATE_180,
    (0, -1, 1, 0): T.ROTATE_90,
    (-1, 0, 0, 1): T.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): T.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): T.TRANSPOSE,
    (0, -1, -1, 0): T.TRANSVERSE,
}


def run(*args):
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-nostdin", *map(str, args)], check=True)


def rgb(path, *options):
    """The first picture as ffmpeg gives it; its size is told."""
    command = ["ffmpeg", "-loglevel", "error", "-nostdin", *options, "-i", str(path), "-frames:v", "1",
               "-sws_flags", "bicubic", "-c:v", "ppm", "-f", "image2pipe", "-"]
    ppm = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    _, width, height, _, pixels = re.match(rb"(P6)\s(\d+) (\d+)\s(\d+)\s(.*)", ppm, re.S).groups()
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width), 3)


def transposed(picture, how):
    return picture if how is None else np.asarray(Image.fromarray(picture).transpose(how))


def first_row(path):
    with Worker(path) as worker:
        answer = worker.probe()
        assert answer["err"] == 0, answer
        return worker.table, worker.fetch(worker.shown()[:1])[0]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """An upright clip in each container and codec, as name -> path."""
    folder = tmp_path_factory.mktemp("upright")
    source = ["-f", "lavfi", "-i", f"testsrc2=s={WIDTH}x{HEIGHT}:r=25:d=0.4", "-pix_fmt", "yuv420p"]
    run(*source, "-c:v", "libx264", "-g", "5", "-bf", "0", folder / "h264.mp4")
    run(*source, "-c:v", "libx265", "-x265-params", "log-level=error:keyint=5:bframes=0", folder / "hevc.mp4")
    run("-i", folder / "h264.mp4", "-c", "copy", folder / "h264.mov")
    for codec in ("h264", "hevc"):
        run("-i", folder / f"{codec}.mp4", "-c", "copy", "-f", codec, folder / f"{codec}.raw")
    return folder


def with_matrix(path, to, matrix):
    """A copy whose first track has this display matrix."""
    a, b, c, d = matrix
    shift = (WIDTH * (a < 0) + HEIGHT * (c < 0), WIDTH * (b < 0) + HEIGHT * (d < 0))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    assert data[at : at + 4] == struct.pack(">i", ONE)
    struct.pack_into(">9i", data, at, a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, shift[0] * ONE, shift[1] * ONE, 1 << 30)
    to.write_bytes(data)
    return to


@pytest.mark.parametrize("ending", ["mp4", "mov"])
@pytest.mark.parametrize("matrix", EIGHT)
def test_all_eight_display_matrices(clips, tmp_path, ending, matrix):
    upright = clips / f"h264.{ending}"
    path = with_matrix(upright, tmp_path / f"shown.{ending}", matrix)
    table, row = first_row(path)
    native = rgb(path, "-noautorotate")
    np.testing.assert_array_equal(row, transposed(native, EIGHT[matrix]))
    # ffmpeg turns before it converts, so that chroma may be other by little
    theirs = rgb(path)
    assert theirs.shape == row.shape
    assert np.abs(theirs.astype(int) - row).mean() < 1
    assert bool(table["flags"] & MIRRORED) == (matrix[0] * matrix[3] < matrix[1] * matrix[2])


def test_mirrored_rows_are_resized_after_it(clips, tmp_path):
    path = with_matrix(clips / "h264.mp4", tmp_path / "shown.mp4", (0, 1, 1, 0))
    with Worker(path) as worker:
        worker.probe()
        native = transposed(rgb(path, "-noautorotate"), T.TRANSPOSE)
        row = worker.fetch(worker.shown()[:1], size=(48, 32))[0]
        theirs = Image.fromarray(native).resize((32, 48), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(row, np.asarray(theirs))


# ---- what the stream says itself ------------------------------------------------


def escaped(payload):
    """With emulation prevention."""
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def sei(codec, hor, ver, quarters):
    """A NAL unit with a display orientation message, which stays in force, behind a message
    of no concern with bytes that have to be escaped."""
    bits = f"0{hor}{ver}{quarters * 0x4000:016b}" + ("0100" if codec == "h264" else "1")
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    message = int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = b"\x06" if codec == "h264" else b"\x4e\x01"
    other = bytes([5, 20]) + bytes(16) + bytes([0, 0, 1, 0])
    return b"\0\0\0\1" + header + escaped(other + bytes([47, len(message)]) + message + b"\x80")


def with_sei(codec, raw, *args):
    """raw with the message before the first slice of each sync picture."""
    out = bytearray()
    for unit in re.split(rb"\x00\x00\x00?\x01", raw)[1:]:
        sync = unit[0] & 31 == 5 if codec == "h264" else 16 <= unit[0] >> 1 & 63 <= 21
        out += (sei(codec, *args) if sync else b"") + b"\0\0\0\1" + unit
    return bytes(out)


def ffprobes_matrix(path):
    text = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_frames", "-read_intervals", "%+#1",
                           str(path)], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"0000000[01]: +(-?\d+) +(-?\d+) +-?\d+", text)[:2]
    if not rows:
        return (1, 0, 0, 1)     # upright: it exports nothing
    return tuple(round(int(n) / ONE) for row in rows for n in row)


@pytest.mark.parametrize("codec, ending", [("h264", "mp4"), ("h264", "ts"), ("h264", "mkv"), ("hevc", "mp4"), ("hevc", "ts"),
                                           ("hevc", "mkv")])
def test_all_orientations_of_the_stream_itself(clips, tmp_path, codec, ending):
    seen = set()
    for hor in (0, 1):
        for ver in (0, 1):
            for quarters in range(4):
                raw, path = tmp_path / f"turned.{codec}", tmp_path / f"turned.{ending}"
                raw.write_bytes(with_sei(codec, (clips / f"{codec}.raw").read_bytes(), hor, ver, quarters))
                run("-f", codec, "-i", raw, "-c", "copy", path)
                matrix = ffprobes_matrix(path)
                _, row = first_row(path)
                native = rgb(path, "-noautorotate")
                np.testing.assert_array_equal(row, transposed(native, EIGHT[matrix]), f"{hor} {ver} {quarters}")
                seen.add(matrix)
    assert seen == set(EIGHT)


def test_the_container_counts_more_than_the_stream(clips, tmp_path):
    raw, path = tmp_path / "turned.h264", tmp_path / "turned.mp4"
    raw.write_bytes(with_sei("h264", (clips / "h264.raw").read_bytes(), 1, 0, 0))
    run("-f", "h264", "-i", raw, "-c", "copy", path)
    both = with_matrix(path, tmp_path / "both.mp4", (-1, 0, 0, -1))
    _, row = first_row(both)
    np.testing.assert_array_equal(row, transposed(rgb(both, "-noautorotate"), T.ROTATE_180))


def test_rows_of_later_runs_are_turned_as_the_first_is(clips, tmp_path):
    """The first sync packet alone says so."""
    raw, path = tmp_path / "turned.h264", tmp_path / "turned.mp4"
    turned, message = with_sei("h264", (clips / "h264.raw").read_bytes(), 1, 0, 0), sei("h264", 1, 0, 0)
    first, *rest = turned.split(message)
    raw.write_bytes(first + message + b"".join(rest))
    assert len(rest) > 1
    run("-f", "h264", "-i", raw, "-c", "copy", path)
    shutil.copy(clips / "h264.mp4", tmp_path / "plain.mp4")
    with Worker(path) as worker, Worker(tmp_path / "plain.mp4") as other:
        worker.probe()
        other.probe()
        for mine, theirs in zip(worker.shown(), other.shown()):
            np.testing.assert_array_equal(worker.fetch([mine])[0], other.fetch([theirs])[0][:, ::-1])
