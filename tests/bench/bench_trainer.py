"""s3sample-train beside its twin in PyTorch: the same model, data, batch and threads.

Usage: bench_trainer.py [ROUNDS]

Needs numpy, torch, librosa, soundfile and espeak-ng; S3SAMPLE_TRAIN names the program. The two
take turns, so that other work on the machine hits both; the ratio of each round is printed.
PyTorch's data are in memory, ours are read from files, with the share of the time it waited.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "trainer"))
# before torch is loaded: spinning threads make shared machines unmeasurable
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lib.digits import make_digits  # noqa: E402
from lib.programs import TRAIN  # noqa: E402
from lib.small import samples_of  # noqa: E402
from lib.twin import Twin  # noqa: E402

BATCH, THREADS = 32, os.cpu_count()


class Torch:
    def __init__(self, data):
        rows = [row for row in samples_of(data) if row["split"] == "train"]
        stack = lambda name: torch.from_numpy(np.stack([np.load(data / r["path"] / name) for r in rows]))
        self.frames, self.mfcc = stack("frames.npy"), stack("mfcc.npy")
        self.labels = torch.tensor([int(row["class"]) for row in rows])
        self.model = Twin(10, 20)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.002)

    def epoch(self):
        """Samples a second."""
        start, order = time.perf_counter(), torch.randperm(len(self.labels))
        for part in order.split(BATCH):
            logits = self.model(self.frames[part], self.mfcc[part])
            loss = torch.nn.functional.cross_entropy(logits, self.labels[part], label_smoothing=0.05)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return len(order) / (time.perf_counter() - start)


def our_epoch(data, out):
    """Samples a second between the first step and the last full one; share waited."""
    subprocess.run([TRAIN, "--data", data, "--out", out, "--overwrite", "--epochs", "1", "--log-every",
                    "1", "--batch", str(BATCH), "--threads", str(THREADS)], check=True,
                   capture_output=True)
    steps = [e for e in map(json.loads, (out / "log.jsonl").open()) if e["event"] == "step"]
    speed = BATCH * (len(steps) - 2) / (steps[-2]["time"] - steps[0]["time"])
    return speed, sum(e["wait_share"] for e in steps[1:]) / len(steps[1:])


def main():
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(make_digits(Path(folder) / "digits"))
        twin = Torch(data)
        twin.epoch()
        print(f"{torch.__version__} on {THREADS} threads, batch {BATCH}, 8 frames of 64 x 64")
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
            theirs, (ours, waited) = twin.epoch(), our_epoch(data, Path(folder) / "out")
            print(f"torch {theirs:.0f}/s, s3sample-train {ours:.0f}/s, ratio {ours / theirs:.2f}, "
                  f"waited {100 * waited:.2f} %", flush=True)


if __name__ == "__main__":
    main()
