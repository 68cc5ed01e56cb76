"""bf16 and fp16: what the layers round and what not, against NumPy's float16 and ml_dtypes'
bfloat16, and trainings with both."""
import random as draws
import signal

import ml_dtypes
import numpy as np
import pytest
from lib import formulas
from lib.programs import WITH_CUDA, need
from lib.runs import checkpoint, events, predict, refused, same_bits, start, train, wait_for_step
from lib.small import samples_of
from safetensors import safe_open
from test_layers import as_double, floats, run
from test_ranks import train_ranks

TYPES = {"bf16": ml_dtypes.bfloat16, "fp16": np.float16}
STEPS = {"bf16": 2.0 ** -8, "fp16": 2.0 ** -11}  # half of one, beside the value
SUMS = 2e-5             # of the largest value: single precision sums of thousands


@pytest.fixture(params=["bf16", "fp16"])
def precision(request):
    return request.param


@pytest.fixture(params=["reference", "cpu"] + ["cuda"] * WITH_CUDA)
def backend(request, precision):
    need(request.param, precision)
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
# Steps so large that the linear layer's weights, and with them the gradients, soon are as well.
OVERFLOWS = ["--precision", "fp16", "--optimizer", "sgd", "--lr", 8]


@pytest.fixture(params=["cpu"] + ["cuda"] * WITH_CUDA)
def device(request):
    return ["--device", request.param, "--deterministic"]


def words(out):
    with safe_open(checkpoint(out), "np") as file:
        return file.metadata()


def arrays(out):
    with safe_open(checkpoint(out), "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def test_it_learns_as_with_float32(small, precision, device, tmp_path):
    need(device[1], precision)
    last = {}
    for name in ("float32", precision):
        train(small, tmp_path / name, "--epochs", 12, "--precision", name, *device)
        last[name] = events(tmp_path / name, "epoch")[-1]
        assert last[name]["val_accuracy"] == 1
    assert precision in words(tmp_path / precision)["environment"]
    # Near, but not the same.
    assert last[precision]["loss"] == pytest.approx(last["float32"]["loss"], rel=0.05)
    assert last[precision]["loss"] != last["float32"]["loss"]
    # The weights are float32, whatever the activations were.
    sample = samples_of(small)[0]
    told, _ = predict(checkpoint(tmp_path / precision), small / sample["path"])
    assert sample["label"] in told


def test_a_resumed_run_has_the_same_loss_scale_and_the_same_bits(small, device, tmp_path):
    options = [*EPOCHS, *OVERFLOWS, *device]
    train(small, tmp_path / "whole", *options)
    assert int(words(tmp_path / "whole")["left_out"]) > 0
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


def test_a_loss_scale_that_overflows_is_halved_and_the_step_left_out(small, device, tmp_path):
    train(small, tmp_path / "out", *EPOCHS, *OVERFLOWS, *device)
    steps, lost = events(tmp_path / "out", "step"), events(tmp_path / "out", "overflow")
    said = words(tmp_path / "out")
    assert len(lost) > 0
    assert int(said["left_out"]) == len(lost)
    assert float(said["loss_scale"]) == 65536 / 2 ** len(lost)
    assert [e["loss_scale"] for e in lost] == [65536 / 2 ** i for i in range(len(lost))]
    used = {e["step"]: e["loss_scale"] for e in steps}
    assert [used[e["step"]] for e in lost] == [e["loss_scale"] for e in lost]


def test_a_fixed_loss_scale_leaves_steps_out_as_well(small, device, tmp_path):
    told = train(small, tmp_path / "out", *EPOCHS, *OVERFLOWS, "--loss-scale", 32768, *device)
    assert {e["loss_scale"] for e in events(tmp_path / "out", "step")} == {32768}
    assert f"{words(tmp_path / 'out')['left_out']} of 30 steps were left out" in told
    assert int(words(tmp_path / "out")["left_out"]) == len(events(tmp_path / "out", "overflow")) > 0
    assert all(np.isfinite(a).all() for a in arrays(tmp_path / "out").values())


def test_fp16_is_looked_after_whatever_the_scale(small, tmp_path):
    train(small, tmp_path / "out", "--epochs", 1, "--precision", "fp16", "--loss-scale", 1)
    assert {e["loss_scale"] for e in events(tmp_path / "out", "step")} == {1}
    assert words(tmp_path / "out")["loss_scale_row"] == "5"


def test_adamw_does_not_count_steps_left_out(small, tmp_path):
    """One more step, by its formula: a step an epoch, and another epoch."""
    options = [*OVERFLOWS, "--optimizer", "adamw", "--batch", 36, "--schedule", "constant", "--warmup", 0,
               "--weight-decay", 0]
    train(small, tmp_path / "out", "--epochs", 9, *options)
    before, said = arrays(tmp_path / "out"), words(tmp_path / "out")
    train(small, tmp_path / "out", "--epochs", 10, *options, "--resume-anyway")
    after, left_out = arrays(tmp_path / "out"), int(words(tmp_path / "out")["left_out"])
    assert left_out == int(said["left_out"]) > 0
    t = 10 - left_out
    for name, w in before.items():
        if name.startswith(("optimizer.", "data.")):
            continue
        m, v = (after[f"optimizer.{kind}.{name}"].astype(float) for kind in ("exp_avg", "exp_avg_sq"))
        step = 8 * (m / (1 - 0.9 ** t)) / (np.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
        assert after[name] == pytest.approx(w - step, rel=1e-4, abs=1e-4), name


def test_ranks_leave_out_the_same_steps(small, tmp_path):
    for name in "ab":
        train_ranks(2, small, tmp_path / name, *EPOCHS, *OVERFLOWS, "--batch", 4, "--threads", 1)
    assert int(words(tmp_path / "a")["left_out"]) > 0
    assert same_bits(tmp_path / "a", tmp_path / "b")


def test_gradients_that_always_overflow_end_the_run(small, tmp_path):
    told = train(small, tmp_path / "out", "--epochs", 100, "--precision", "fp16", "--loss-scale",
                 2 ** 24, status=1)
    assert "the gradients overflow in every step, the last time in step 64 with loss_scale = " \
           "16777216: a smaller one may help" in told
    assert "step 1 is left out, as its gradients overflowed with loss_scale = 16777216" in told
    assert len(events(tmp_path / "out", "overflow")) == 64
    assert all(np.isfinite(a).all() for a in arrays(tmp_path / "out").values())


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


if WITH_CUDA:
    def test_tf32_learns(small, tmp_path):
        need("cuda", "tf32")
        train(small, tmp_path, "--epochs", 12, "--precision", "tf32", "--device", "cuda")
        assert events(tmp_path, "epoch")[-1]["val_accuracy"] == 1
