#!/usr/bin/env python3
"""Writes npy_vectors.h: headers as numpy.save writes them.

    make_npy_vectors.py > npy_vectors.h
"""
import io

import numpy as np

CASES = [
    ("|u1", ()),
    ("<f4", ()),
    ("<f4", (5,)),
    ("<i8", (0,)),
    ("<f8", (10,)),
    ("<i4", (16, 1292)),
    ("<f4", (40, 1292)),
    ("|u1", (16, 224, 224, 3)),
    ("|u1", (1, 2160, 3840, 3)),
    ("<f2", (3, 16, 224, 224)),
    ("|u1", (1234567890123, 0, 3)),
    ("|u1", (0, 4294967296, 1073741824)),
    ("<f4", (1,) * 13),
    ("<f4", (1,) * 14),
    ("<f4", (1,) * 31),
    ("<f4", (0,) * 32),
    ("<U12", (2,)),
] + [("|u1", (0,) + (1,) * 11 + (10 ** k,)) for k in range(8)]  # lengths around a multiple of 64


def header(descr, shape):
    """The bytes before the array in what numpy.save writes for this shape."""
    out = io.BytesIO()
    array = np.zeros(shape, descr)
    np.save(out, array)
    return out.getvalue()[:len(out.getvalue()) - array.nbytes]


def main():
    print("/* Made by make_npy_vectors.py with numpy %s; not edited. */" % np.__version__)
    print("static const struct vector {")
    print("\tconst char *descr;\n\tunsigned ndim;\n\tuint64_t shape[NPY_DIMS_MAX];")
    print("\tsize_t size;\n\tconst char *header;\n} vectors[] = {")
    for descr, shape in CASES:
        data = header(descr, shape)
        lead = "".join("\\x%02x" % b for b in data[:10])
        text = data[10:-1].decode("ascii")
        print('\t{ "%s", %d, { %s }, %d,' % (descr, len(shape), ", ".join(map(str, shape)) or "0", len(data)))
        print('\t  "%s"' % lead)
        for i in range(0, len(text), 80):
            print('\t  "%s"' % text[i:i + 80])
        print('\t  "\\n" },')
    print("};")


if __name__ == "__main__":
    main()
