"""Every layer of every backend, forward and backward, against formulas in float64 and against
PyTorch."""
import subprocess

import numpy as np
import pytest
from lib import formulas
from lib.programs import LAYER_TOOL, WITH_CUDA

TOLERANCE = 2e-5  # of the largest value: single precision sums of thousands


@pytest.fixture(params=["reference", "cpu"] + ["cuda"] * WITH_CUDA)
def backend(request):
    return request.param


@pytest.fixture(params=["formulas", "pytorch"])
def reference(request):
    return formulas if request.param == "formulas" else request.getfixturevalue("pytorch")


@pytest.fixture
def random():
    return np.random.default_rng(7)


def run(folder, backend, layer, arrays, **numbers):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    subprocess.run([LAYER_TOOL, backend, layer, folder, *(f"{k}={v}" for k, v in numbers.items())],
                   check=True, timeout=120)
    return lambda name: np.load(folder / f"{name}.npy")


def compare(result, expected, tolerance=TOLERANCE):
    for name, value in expected.items():
        value = np.asarray(value, dtype=np.float64).reshape(-1)
        got = result(name).astype(np.float64)
        assert got.shape == value.shape, name
        assert np.abs(got - value).max() <= tolerance * max(np.abs(value).max(), 1e-3), name


def floats(random, *shape):
    return random.standard_normal(shape).astype(np.float32)


def as_double(arrays):
    return {name: array.astype(np.float64) for name, array in arrays.items()}


@pytest.mark.parametrize("n,c,h,w,k,r,s,stride,pad", [
    (4, 3, 32, 32, 16, 3, 3, (2, 2), (1, 1)),
    (3, 16, 9, 7, 24, 3, 3, (2, 2), (1, 1)),
    (4, 20, 1, 65, 64, 1, 5, (1, 2), (0, 2)),
    (2, 5, 6, 6, 7, 3, 3, (1, 1), (0, 0)),
])
def test_convolution(tmp_path, backend, reference, random, n, c, h, w, k, r, s, stride, pad):
    out = [(size + 2 * p - f) // st + 1 for size, p, f, st in zip((h, w), pad, (r, s), stride)]
    arrays = dict(x=floats(random, n, c, h, w), filters=floats(random, k, c, r, s),
                  dy=floats(random, n, k, *out))
    result = run(tmp_path, backend, "conv", arrays, n=n, c=c, h=h, w=w, k=k, r=r, s=s,
                 stride_h=stride[0], stride_w=stride[1], pad_h=pad[0], pad_w=pad[1])
    compare(result, reference.conv(**as_double(arrays), stride=stride, pad=pad))


@pytest.mark.parametrize("n,c,m,groups", [(4, 16, 256, 8), (3, 6, 7, 2), (2, 5, 33, 1), (2, 8, 40, 8)])
def test_group_norm(tmp_path, backend, reference, random, n, c, m, groups):
    arrays = dict(x=floats(random, n, c, m) * 3 + 2, gamma=floats(random, c), beta=floats(random, c),
                  dy=floats(random, n, c, m))
    result = run(tmp_path, backend, "norm", arrays, n=n, c=c, m=m, groups=groups, eps=1e-5)
    compare(result, reference.norm(**as_double(arrays), groups=groups, eps=1e-5))


def test_relu(tmp_path, backend, reference, random):
    arrays = dict(x=floats(random, 1001), dy=floats(random, 1001))
    compare(run(tmp_path, backend, "relu", arrays, n=1001), reference.relu(**as_double(arrays)), 0)


def test_mean(tmp_path, backend, reference, random):
    arrays = dict(x=floats(random, 3, 4, 5, 36), dy=floats(random, 3, 5))
    result = run(tmp_path, backend, "mean", arrays, n=3, t=4, c=5, m=36)
    compare(result, reference.mean(**as_double(arrays)))


def test_linear(tmp_path, backend, reference, random):
    arrays = dict(x=floats(random, 6, 130), weights=floats(random, 11, 130), bias=floats(random, 11),
                  dy=floats(random, 6, 11))
    result = run(tmp_path, backend, "linear", arrays, n=6, out=11, **{"in": 130})
    compare(result, reference.linear(**as_double(arrays)))


@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_loss(tmp_path, backend, reference, random, smoothing):
    logits = floats(random, 9, 10) * 20
    arrays = dict(logits=logits, labels=random.integers(0, 10, 9).astype(np.int32),
                  weights=(random.random(9) > 0.3).astype(np.float32))
    result = run(tmp_path, backend, "loss", arrays, n=9, classes=10, smoothing=smoothing, scale=0.125)
    compare(result, reference.loss(logits=logits.astype(float), labels=arrays["labels"],
                                   weights=arrays["weights"].astype(float), smoothing=smoothing,
                                   scale=0.125))


@pytest.mark.parametrize("weight_decay", [0, 0.1])
def test_sgd(tmp_path, backend, reference, random, weight_decay):
    arrays = dict(w=floats(random, 50), g=floats(random, 50))
    options = dict(steps=5, lr=0.1, momentum=0.9, weight_decay=weight_decay)
    result = run(tmp_path, backend, "sgd", arrays, n=50, **options)
    compare(result, reference.sgd(**as_double(arrays), **options))


@pytest.mark.parametrize("weight_decay", [0, 0.1])
def test_adamw(tmp_path, backend, reference, random, weight_decay):
    arrays = dict(w=floats(random, 50), g=floats(random, 50))
    options = dict(steps=5, lr=0.01, weight_decay=weight_decay)
    result = run(tmp_path, backend, "adamw", arrays, n=50, **options)
    compare(result, reference.adamw(**as_double(arrays), **options))


def test_frames_are_cropped_mirrored_and_normalised(tmp_path, backend, random):
    frames = random.integers(0, 256, (2, 3, 9, 11, 3), dtype=np.uint8)
    crops = np.array([[2, 4, 0], [1, 0, 1]], dtype=np.int32)
    result = run(tmp_path, backend, "frames", dict(frames=frames, crops=crops), n=2, t=3, h=9, w=11,
                 crop_h=5, crop_w=6)
    seen = np.stack([frames[0, :, 2:7, 4:10], frames[1, :, 1:6, 0:6][:, :, ::-1]])
    expected = (seen / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    compare(result, dict(y=expected.transpose(0, 1, 4, 2, 3)), 1e-6)


def test_mfcc_are_normalised_by_row(tmp_path, backend, random):
    x = floats(random, 6, 65) * 50 - 200
    x[2] = -700  # silence: one value, no deviation
    result = run(tmp_path, backend, "mfcc", dict(x=x), rows=6, m=65)
    d = x.astype(float)
    compare(result, dict(y=(d - d.mean(1, keepdims=True)) / (d.std(1, keepdims=True) + 1e-3)))
