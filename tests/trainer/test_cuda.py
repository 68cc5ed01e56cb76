"""Training on a GPU. Collected only where contrib/check found one."""
import pytest
from lib.programs import WITH_CUDA
from lib.runs import checkpoint, events, predict, same_bits, train
from lib.small import samples_of

if WITH_CUDA:
    OPTIONS = ["--epochs", 3, "--crop", 16, "--flip"]

    def test_a_gpu_computes_what_the_cpu_does(small, tmp_path):
        train(small, tmp_path / "cpu", *OPTIONS)
        train(small, tmp_path / "gpu", *OPTIONS, "--device", "cuda")
        for kind in ("step", "epoch"):
            assert [e["loss"] for e in events(tmp_path / "gpu", kind)] == \
                pytest.approx([e["loss"] for e in events(tmp_path / "cpu", kind)], rel=1e-3)

    @pytest.mark.parametrize("modality", ["av", "video", "audio"])
    def test_a_gpu_gives_the_same_bits_each_time(small, tmp_path, modality):
        for name in "ab":
            train(small, tmp_path / name, *OPTIONS, "--device", "cuda", "--deterministic", "--modality",
                  modality)
        assert same_bits(tmp_path / "a", tmp_path / "b")

    def test_a_gpu_learns_digits_of_unknown_voices(digits, tmp_path):
        train(digits, tmp_path, "--device", "cuda", "--epochs", 6, "--batch", 16, "--lr", "0.003",
              "--video-width", 8, "--video-depth", 4, "--audio-width", 64, "--audio-depth", 4)
        assert events(tmp_path, "epoch")[-1]["val_accuracy"] > 0.95

    def test_the_cpu_predicts_with_what_a_gpu_learned(small, tmp_path):
        train(small, tmp_path, *OPTIONS, "--device", "cuda")
        told, _ = predict(checkpoint(tmp_path), small / samples_of(small)[0]["path"])
        assert len(told.splitlines()) == 1
