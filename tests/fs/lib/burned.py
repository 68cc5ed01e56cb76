"""Pictures that say which frame they are: the number in black and white blocks.

A 4 x 4 grid in the middle of the picture, so that it survives a centre crop, any codec and any
size from 48 pixels up: 12 bits of number, and the complement of its low 4 bits, so that a black
or a torn picture is no number. Behind it a moving texture, so that a codec has work to do and no
two pictures are alike.
"""
import numpy as np

LAST = (1 << 12) - 1
_GRID = 4


def _bits(number):
    code = (number << 4) | (~number & 15)
    return [(code >> (15 - i)) & 1 for i in range(16)]


def _block(height, width, index):
    """Rows and columns of block index: the grid takes the middle two thirds of the short side."""
    side = min(height, width) * 2 // 3 // _GRID
    top = (height - side * _GRID) // 2 + index // _GRID * side
    left = (width - side * _GRID) // 2 + index % _GRID * side
    return slice(top, top + side), slice(left, left + side)


def _texture(height, width, number):
    """A moving colour gradient with a little fixed grain."""
    y, x = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(7).integers(0, 24, (height, width))
    return np.stack([(x + 3 * number) % 200 + 20 + grain, (y * 2 + 5 * number) % 180 + 30 + grain,
                     (x + y + 2 * number) % 160 + 40 + grain], axis=-1).astype(np.uint8)


def paint(height, width, number):
    """uint8 (height, width, 3) RGB."""
    assert 0 <= number <= LAST
    picture = _texture(height, width, number)
    for index, bit in enumerate(_bits(number)):
        rows, columns = _block(height, width, index)
        picture[rows, columns] = 235 if bit else 16
    return picture


def read(picture):
    """The number in a picture as painted, scaled as a whole or cropped in the middle to a square.
    None where there is none."""
    height, width = picture.shape[:2]
    code = 0
    for index in range(16):
        rows, columns = _block(height, width, index)
        core = picture[rows, columns].astype(float)
        margin = max(core.shape[0] // 4, 1)
        level = core[margin:-margin or None, margin:-margin or None].mean()
        code = code << 1 | int(level > 128)
    number = code >> 4
    return number if ~number & 15 == code & 15 else None


def read_all(pictures):
    return [read(p) for p in pictures]
