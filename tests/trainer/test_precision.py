"""bf16 and fp16: what the layers round and what not, against NumPy's float16 and ml_dtypes'
bfloat16, and trainings with both."""
import random as draws
import signal

import ml_dtypes
import numpy as np
import pytest
from lib import formulas
from lib.programs import WITH_CUDA
from lib.runs import checkpoint, events, predict, refused, same_bits, start, train, wait_for_step
from lib.small import samples_of
from safetensors import safe_open
from test_layers import as_double, floats, run

TYPES = {"bf16": ml_dtypes.bfloat16, "fp16": np.float16}
STEPS = {"bf16": 2.0 ** -8, "fp16": 2.0 ** -11}  # half of one, beside the value
SUMS = 2e-5             # of the largest value: single precision sums of thousands


@pytest.fixture(params=["bf16", "fp16"])
def precision(request):
    return request.param


@pytest.fixture(params=["reference", "cpu"] + ["cuda"] * WITH_CUDA)
def backend(request, precision):
    return f"{request.param}-{precision}"


@pytest.fixture
def random():
    return np.random.default_rng(8)


def rounded(array, precision):
    with np.errstate(over="ignore"):
        return array.astype(TYPES[precision]).astype(np.float32)


def compare(result, expected, step):
    """Of float64 values: each is rounded once, by at most half a step."""
    for name, value in expected.items():
        value = np.asarray(value).reshape(-1)
        allowed = step * np.abs(value) + SUMS * np.abs(value).max()
        assert (np.abs(result(name) - value) <= allowed).all(), name


def test_values_are_rounded_as_numpy_rounds_them(tmp_path, backend, precision, random):
    n = 100000
    x = np.exp2(random.uniform(-30, 20, n)).astype(np.float32)
    x[:8] = [0, 65504, 65519.996, 65520, 2.0 ** -24, 2.0 ** -25, 2.0 ** -25 * 1.0001, 1e38]
    dy = np.where(random.random(n) < 0.5, -x, x)
    result = run(tmp_path, backend, "relu", dict(x=x, dy=dy), n=n)
    assert (result("y") == rounded(x, precision)).all()
    assert (result("dx") == np.where(rounded(x, precision) > 0, rounded(dy, precision), 0)).all()


def test_convolution(tmp_path, backend, precision, random):
    n, c, h, w, k, out = 3, 16, 9, 7, 24, (5, 4)
    arrays = dict(x=rounded(floats(random, n, c, h, w), precision),
                  filters=floats(random, k, c, 3, 3),
                  dy=rounded(floats(random, n, k, *out), precision))
    result = run(tmp_path, backend, "conv", arrays, n=n, c=c, h=h, w=w, k=k, r=3, s=3, stride_h=2,
                 stride_w=2, pad_h=1, pad_w=1)
    arrays["filters"] = rounded(arrays["filters"], precision)
    compare(result, formulas.conv(**as_double(arrays), stride=(2, 2), pad=(1, 1)), STEPS[precision])


def test_group_norm(tmp_path, backend, precision, random):
    n, c, m = 4, 16, 256
    arrays = dict(x=rounded(floats(random, n, c, m) * 3 + 2, precision), gamma=floats(random, c),
                  beta=floats(random, c), dy=rounded(floats(random, n, c, m), precision))
    result = run(tmp_path, backend, "norm", arrays, n=n, c=c, m=m, groups=8, eps=1e-5)
    expected = formulas.norm(**as_double(arrays), groups=8, eps=1e-5)
    compare(result, {name: expected[name] for name in ("y", "dx")}, STEPS[precision])
    # Those of parameters aren't rounded.
    compare(result, {name: expected[name] for name in ("dgamma", "dbeta")}, 0)


def test_mean(tmp_path, backend, precision, random):
    arrays = dict(x=rounded(floats(random, 3, 4, 5, 36), precision), dy=floats(random, 3, 5))
    result = run(tmp_path, backend, "mean", arrays, n=3, t=4, c=5, m=36)
    expected = formulas.mean(**as_double(arrays))
    compare(result, {"y": expected["y"]}, 0)
    compare(result, {"dx": expected["dx"]}, STEPS[precision])


# ---- trainings -----------------------------------------------------------------------------

EPOCHS = ["--epochs", 6, "--crop", 16, "--flip"]


def test_it_learns_as_with_float32(small, precision, tmp_path):
    last = {}
    for name in ("float32", precision):
        train(small, tmp_path / name, "--epochs", 12, "--precision", name)
        last[name] = events(tmp_path / name, "epoch")[-1]
    assert last["float32"]["val_accuracy"] == 1
    assert last[precision]["val_accuracy"] == 1
    assert last[precision]["loss"] == pytest.approx(last["float32"]["loss"], rel=0.05)
    # The weights are float32, whatever the activations were.
    path = samples_of(small)[0]["path"]
    assert predict(checkpoint(tmp_path / precision), small / path)[0]


def test_a_resumed_run_has_the_same_loss_scale_and_the_same_bits(small, tmp_path):
    options = [*EPOCHS, "--precision", "fp16"]
    train(small, tmp_path / "whole", *options)
    draw, kills = draws.Random(4), 0
    while True:
        run = start(small, tmp_path / "out", *options, "--checkpoint-every", 1,
                    *["--resume"] * (kills > 0))
        if kills == 3:
            break
        wait_for_step(run, draw.randint(3, 7))
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=60)
        kills += 1
    _, told = run.communicate(timeout=120)
    assert run.returncode == 0, told
    assert same_bits(tmp_path / "out", tmp_path / "whole")


def test_a_loss_scale_that_overflows_is_halved_and_the_step_left_out(small, tmp_path):
    # Steps so large that the linear layer's weights, and with them the gradients, soon are as well.
    train(small, tmp_path / "out", *EPOCHS, "--precision", "fp16", "--optimizer", "sgd", "--lr", 8)
    steps, lost = events(tmp_path / "out", "step"), events(tmp_path / "out", "overflow")
    with safe_open(checkpoint(tmp_path / "out"), "np") as file:
        words = file.metadata()
    assert len(lost) > 0
    assert int(words["left_out"]) == len(lost)
    assert float(words["loss_scale"]) == 65536 / 2 ** len(lost)
    assert [float(e["loss_scale"]) for e in lost] == [65536 / 2 ** i for i in range(len(lost))]
    assert {e["loss_scale"] for e in steps} == {65536 / 2 ** i for i in range(len(lost) + 1)}


def test_gradients_that_always_overflow_end_the_run(small, tmp_path):
    told = train(small, tmp_path / "out", "--epochs", 100, "--precision", "fp16", "--loss-scale",
                 2 ** 24, status=1)
    assert "the gradients overflow in every step, now with loss_scale = 1.67772e+07 in step 64: " in told
    assert len(events(tmp_path / "out", "overflow")) == 63
    with safe_open(checkpoint(tmp_path / "out"), "np") as file:
        assert all(np.isfinite(file.get_tensor(name)).all() for name in file.keys())


def test_another_precision_is_no_resume(small, tmp_path):
    train(small, tmp_path / "out", "--epochs", 2)
    told = train(small, tmp_path / "out", "--epochs", 2, "--precision", "bf16", "--resume", status=1)
    assert '"precision = float32", now "precision = bf16"' in told


@pytest.mark.parametrize("options,sentence", [
    (["--precision", "fp8"], "precision = fp8: must be float32, tf32, bf16 or fp16"),
    (["--loss-scale", "3"], "loss_scale = 3: must be auto, or a power of two from 1 to 16777216"),
    (["--loss-scale", "0"], "loss_scale = 0: must be auto, or a power of two from 1 to 16777216"),
])
def test_what_there_is_not_is_refused(options, sentence):
    assert sentence in refused("--data", "x", *options)


def test_tf32_needs_a_gpu(small, tmp_path):
    assert "precision = tf32 needs device = cuda" in train(
        small, tmp_path / "out", "--precision", "tf32", "--device", "cpu", status=1)
