"""resize.c gives Pillow's BILINEAR bytes: random images and sizes, both kernels.

Needs numpy, Pillow, and RESIZE_TOOL, the path of the built resize_tool.
"""

import os
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image

from pillow_reference import resized_by_pillow

CROP, STRETCH, PAD = range(3)
TOOL = os.environ.get("RESIZE_TOOL")
if not TOOL:
    pytest.skip("RESIZE_TOOL isn't set", allow_module_level=True)


@pytest.fixture(scope="module")
def tool():
    p = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield p
    p.stdin.close()
    assert p.wait() == 0


def ours(tool, image, height, width, mode, best):
    h, w, _ = image.shape
    tool.stdin.write(struct.pack("6I", h, w, height, width, mode, best) + image.tobytes())
    tool.stdin.flush()
    head = struct.unpack("7I", tool.stdout.read(28))
    row_h, row_w, resized_h, resized_w, top, left, size = head
    row = np.frombuffer(tool.stdout.read(size), np.uint8).reshape(row_h, row_w, 3)
    return row, (resized_h, resized_w, top, left)


def expected(image, height, width, mode):
    """torchvision's Resize and CenterCrop, written from its documentation."""
    h, w, _ = image.shape
    if height == 0:
        return image
    if mode == STRETCH:
        return resized_by_pillow(image, height, width)
    if mode == CROP:
        if h * width >= w * height:
            rh, rw = int(width * h / w), width
        else:
            rh, rw = height, int(height * w / h)
        top, left = int(round((rh - height) / 2.0)), int(round((rw - width) / 2.0))
        return resized_by_pillow(image, rh, rw)[top : top + height, left : left + width]
    if h * width >= w * height:
        rh, rw = height, max(1, int(height * w / h))
    else:
        rh, rw = max(1, int(width * h / w)), width
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - rh) // 2, (width - rw) // 2
    out[top : top + rh, left : left + rw] = resized_by_pillow(image, rh, rw)
    return out


def random_image(rng, h, w):
    """Noise, and extremes next to each other: what overflows or clips shows."""
    image = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    extremes = rng.integers(0, 2, (h, w, 3), dtype=np.uint8) * 255
    return np.where(rng.random((h, w, 1)) < 0.5, image, extremes)


SIZES = [  # source h, w, row h, w
    (720, 1280, 224, 224), (1080, 1920, 224, 224), (360, 640, 224, 224), (144, 176, 224, 224),
    (1280, 720, 112, 112), (720, 1280, 224, 320), (720, 1280, 320, 224), (99, 101, 224, 224),
    (1, 1, 7, 5), (2, 3, 64, 64), (224, 224, 224, 224), (224, 398, 224, 224), (225, 398, 224, 224),
    (719, 1279, 223, 111), (64, 64, 63, 65), (17, 1000, 5, 300), (1000, 17, 300, 5),
    (31, 33, 1, 1), (480, 640, 479, 640), (480, 640, 480, 639), (3, 2000, 50, 50),
]


@pytest.mark.parametrize("best", [0, 1])
@pytest.mark.parametrize("mode", [CROP, STRETCH, PAD])
@pytest.mark.parametrize("size", SIZES)
def test_equals_pillow(tool, size, mode, best):
    rng = np.random.default_rng(hash((size, mode)) & 0xFFFFFFFF)
    h, w, height, width = size
    image = random_image(rng, h, w)
    row, _ = ours(tool, image, height, width, mode, best)
    np.testing.assert_array_equal(row, expected(image, height, width, mode))


@pytest.mark.parametrize("best", [0, 1])
def test_equals_pillow_on_random_sizes(tool, best):
    rng = np.random.default_rng(20240607)
    for _ in range(300):
        h, w, height, width = (int(n) for n in np.exp(rng.uniform(0, np.log(400), 4)))
        mode = int(rng.integers(3))
        image = random_image(rng, h, w)
        row, _ = ours(tool, image, height, width, mode, best)
        np.testing.assert_array_equal(row, expected(image, height, width, mode), str((h, w, height, width, mode)))


def test_equals_one_pillow_call_where_pillow_goes_horizontal_first(tool):
    """The everyday sizes need no splitting of Pillow's two passes."""
    rng = np.random.default_rng(5)
    for h, w, rh, rw in [(720, 1280, 224, 398), (1080, 1920, 256, 455), (240, 320, 224, 298)]:
        image = random_image(rng, h, w)
        row, _ = ours(tool, image, rh, rw, STRETCH, 1)
        whole = np.asarray(Image.fromarray(image).resize((rw, rh), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(row, whole)


def test_native_copies(tool):
    image = random_image(np.random.default_rng(1), 37, 53)
    for mode in (CROP, STRETCH, PAD):
        row, _ = ours(tool, image, 0, 0, mode, 1)
        np.testing.assert_array_equal(row, image)


def test_a_crop_of_a_huge_resize_is_cheap(tool):
    """1 x 4000 to 64 x 64: resized to 64 x 256000, of which only the crop is made."""
    image = random_image(np.random.default_rng(2), 1, 4000)
    row, (rh, rw, top, left) = ours(tool, image, 64, 64, CROP, 1)
    assert (rh, rw) == (64, 256000)
    np.testing.assert_array_equal(row, expected(image, 64, 64, CROP))
