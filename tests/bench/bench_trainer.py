"""s3sample-train beside its twin in PyTorch: the same model, data, batch and threads.

Usage: bench_trainer.py [ROUNDS]

Needs numpy, librosa, soundfile and espeak-ng; S3SAMPLE_TRAIN names the program, TORCH_PYTHON a
Python with PyTorch (/usr/bin/python3). The two take turns, so that other work on the machine hits
both; the ratio of each round is printed. PyTorch's data are in memory, ours are read from files,
with the share of the time it waited.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("trainer", "pytorch")]
# both: spinning threads make shared machines unmeasurable
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from lib.digits import make_digits  # noqa: E402
from lib.programs import TRAIN  # noqa: E402
from torched import Torched  # noqa: E402

BATCH, THREADS = 32, os.cpu_count()


def torch_epoch(torch, data):
    """Samples a second between the first step and the last full one."""
    seconds = torch.train(data=str(data), epochs=1, batch=BATCH, threads=THREADS)["seconds"]
    return BATCH / seconds[1:-1].mean()


def our_epoch(data, out):
    """Samples a second between the first step and the last full one; share waited."""
    subprocess.run([TRAIN, "--data", data, "--out", out, "--overwrite", "--epochs", "1", "--log-every",
                    "1", "--batch", str(BATCH), "--threads", str(THREADS)], check=True,
                   capture_output=True)
    steps = [e for e in map(json.loads, (out / "log.jsonl").open()) if e["event"] == "step"]
    speed = BATCH * (len(steps) - 2) / (steps[-2]["time"] - steps[0]["time"])
    return speed, sum(e["wait_share"] for e in steps[1:]) / len(steps[1:])


def main():
    with tempfile.TemporaryDirectory() as folder, Torched() as torch:
        data = Path(make_digits(Path(folder) / "digits"))
        torch_epoch(torch, data)
        print(f"torch {torch.version} on {THREADS} threads, batch {BATCH}, 8 frames of 64 x 64")
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
            theirs, (ours, waited) = torch_epoch(torch, data), our_epoch(data, Path(folder) / "out")
            print(f"torch {theirs:.0f}/s, s3sample-train {ours:.0f}/s, ratio {ours / theirs:.2f}, "
                  f"waited {100 * waited:.2f} %", flush=True)


if __name__ == "__main__":
    main()
