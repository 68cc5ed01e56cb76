"""The trainer learns spoken digits from a mount: by voices it has never heard, to the same bits
wherever the samples lie."""
import math
import shutil

import pytest
from lib.mount import Mount
from lib.s3server import Bucket
from runs import EPOCHS, SAMPLES, accuracy, arrays, checkpoint, events, train
from safetensors.numpy import load_file


@pytest.fixture(scope="module")
def learned(mounted, tmp_path_factory):
    """A training on both modalities, from the mount."""
    return train(mounted / f"samples@{SAMPLES}", tmp_path_factory.mktemp("learned"))


def test_digits_are_recognised_in_voices_never_heard(learned):
    assert accuracy(learned) > 0.95


@pytest.mark.parametrize("start", ["the trainer's weights", "PyTorch's weights"])
def test_the_same_model_in_pytorch_recognises_as_many(mounted, learned, tmp_path, pytorch, start):
    """By the same samples in the same order, at the same rates."""
    data, weights = mounted / f"samples@{SAMPLES}", {}
    if start == "the trainer's weights":
        first = train(data, tmp_path / "first", "--epochs", "1", "--lr", "0")
        weights = load_file(first / "checkpoint.safetensors")
    twin = pytorch.train(data=str(data), epochs=EPOCHS, **weights)
    # A share p of n recognised is as noisy as n tosses: its standard error is sqrt(p (1 - p) / n),
    # that of a difference of two shares sqrt(2) times as much. Three of these would fail 3 times in
    # 1000 if the tosses were independent; both hear the same clips, so more seldom. p is that of
    # both together with one right and one wrong more (Laplace), so that it is never 1.
    ours, theirs = accuracy(learned), twin["accuracy"][-1]
    n = len(list((data / "val").glob("*/*")))
    p = (n * (ours + theirs) + 1) / (2 * n + 2)
    assert abs(ours - theirs) < 3 * math.sqrt(2 * p * (1 - p) / n)
    if weights:
        # Later on rounding grows: AdamW divides small gradients by their own size.
        losses = [event["loss"] for event in events(learned) if event["event"] == "step"]
        assert twin["losses"][:5].tolist() == pytest.approx(losses[:5], rel=2e-5)


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_each_modality_tells_something(mounted, learned, tmp_path, modality):
    alone = accuracy(train(mounted / f"samples@{SAMPLES}", tmp_path, "--modality", modality))
    assert alone > 0.3                          # by chance 0.1
    # The sound says nearly all: how near is rounding, which differs between processors.
    assert modality == "audio" or alone < accuracy(learned)


def test_a_copy_of_the_samples_gives_the_same_bits(mounted, learned, tmp_path):
    shutil.copytree(mounted / f"samples@{SAMPLES}", tmp_path / "copy")
    out = train(tmp_path / "copy", tmp_path / "out")
    assert events(out) == events(learned)       # every loss of every step, every metric
    assert checkpoint(out) == checkpoint(learned)


def test_a_bucket_gives_the_same_bits(clips, store, learned, tmp_path):
    bucket = Bucket(store, "digits").create().put_tree(clips)
    with Mount(tmp_path / "s3", bucket.source, store.options(), env=store.environment()) as mount:
        out = train(mount / f"samples@{SAMPLES}", tmp_path / "out")
    assert events(out) == events(learned)
    # The list of samples has other ETags, and so the checkpoint says it is another one.
    assert arrays(out) == arrays(learned)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_are_enough(mounted, tmp_path, precision):
    out = train(mounted / f"samples@{SAMPLES}", tmp_path, "--precision", precision)
    assert accuracy(out) > 0.95
