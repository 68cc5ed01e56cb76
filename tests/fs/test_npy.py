"""The files are .npy files as numpy writes them."""
import io
import os

import numpy as np
import pytest

FRAMES = "frames/train/video/moov-last.mp4.npy"
MFCC = "mfcc/train/sound/speech.wav.npy"


def _saved(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize("name, shape, dtype", [(FRAMES, (16, 224, 224, 3), np.uint8),
                                                (MFCC, (20, 1292), np.float32)])
def test_np_load(mnt, name, shape, dtype):
    array = np.load(mnt / name)
    assert array.shape == shape and array.dtype == dtype


@pytest.mark.parametrize("name", [FRAMES, MFCC])
def test_np_load_mapped(mnt, name):
    mapped = np.load(mnt / name, mmap_mode="r")
    assert np.array_equal(mapped, np.load(mnt / name))
    mapped._mmap.close()


@pytest.mark.parametrize("name", [FRAMES, MFCC, "samples/train/video/clip.mkv/label.npy"])
def test_the_file_is_what_numpy_save_writes(mnt, name):
    data = (mnt / name).read_bytes()
    assert data == _saved(np.load(io.BytesIO(data)))


@pytest.mark.parametrize("view, size, count", [
    ("frames@num_frames=1,size=1", 1, 1), ("frames@num_frames=9,size=7", 7, 9),
    ("frames@num_frames=10,size=99", 99, 10), ("frames@num_frames=100,size=100", 100, 100)])
def test_headers_of_other_shapes_are_numpys(mnt, view, size, count):
    data = (mnt / view / "val/special/one.mp4.npy").read_bytes()
    array = np.load(io.BytesIO(data))
    assert array.shape == (count, size, size, 3)
    assert data == _saved(array)


def test_one_row_can_be_read_alone(mnt):
    whole = np.load(mnt / FRAMES)
    row = 224 * 224 * 3
    fd = os.open(mnt / FRAMES, os.O_RDONLY)
    for i in (7, 3, 15, 0):
        assert os.pread(fd, row, 128 + i * row) == whole[i].tobytes(), i
    os.close(fd)


def test_a_part_across_header_and_rows(mnt):
    data = (mnt / FRAMES).read_bytes()
    fd = os.open(mnt / FRAMES, os.O_RDONLY)
    for offset, length in ((100, 100), (127, 2), (150_000, 1000), (len(data) - 10, 100)):
        assert os.pread(fd, length, offset) == data[offset:offset + length]
    os.close(fd)


@pytest.mark.parametrize("name", ["frames@num_frames=40,size=32/train/video/moov-first.mp4.npy",
                                  "frames@size=native,num_frames=4/train/video/moov-first.mp4.npy",
                                  "mfcc/train/video/moov-first.mp4.npy",
                                  "mfcc@duration=full/train/video/moov-first.mp4.npy"])
def test_any_range_of_what_is_in_memory_is_that_of_the_whole(mnt, name):
    """Past the kernel's pages, around the header, within a row and over many."""
    path, random = mnt / name, np.random.default_rng(9)
    whole = path.read_bytes()
    ranges = [(0, len(whole)), (0, 1), (0, 127), (0, 128), (127, 2), (128, 1), (128, 5000),
              (len(whole) - 1, 1), (len(whole) - 1, 100), (len(whole), 1), (len(whole) + 5000, 1)]
    for _ in range(200):
        at = int(random.integers(0, len(whole)))
        ranges.append((at, int(random.integers(1, 200_000))))
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        for at, length in ranges:
            assert os.pread(fd, length, at) == whole[at:at + length], (at, length)
    finally:
        os.close(fd)
