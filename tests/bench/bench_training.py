#!/usr/bin/env python3
"""How long the trainer's device waits for data, and how fast it is beside the same model in
PyTorch, in one run.

    bench_training.py [--epochs N] [--repeat N] [--delay MS]

- the share of time that the device waited: from a local copy of the samples, from a mount that has
  been read once, from a fresh mount of a bucket behind a proxy with --delay before each first byte,
  with more readers, with more decoding processes
- samples/s of s3sample-train from the local copy, and of tests/pytorch/twin.py with the same
  batches from memory, as a ratio; and what both reach on voices never heard, over several seeds.
  TORCH_PYTHON names a Python with PyTorch (/usr/bin/python3).

The data are the digits of tests/training. Figures of one run compare with each other, not with
those of another machine.
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

# For both programs alike, before any library reads it: threads that wait don't spin.
os.environ["OMP_WAIT_POLICY"] = "passive"
_TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_TESTS / name) for name in ("training", "fs", "pytorch")]

import digits                                       # noqa: E402
from lib.mount import Mount                         # noqa: E402
from lib.proxy import Proxy                         # noqa: E402
from lib.recipes import cache_folder                # noqa: E402
from lib.s3server import Bucket                     # noqa: E402
from lib.seaweed import SeaweedFS                   # noqa: E402
from runs import SAMPLES, accuracy, train           # noqa: E402
from torched import Torched                         # noqa: E402

THREADS, BATCH = 2, 32
VIEW = f"samples@{SAMPLES}"


def last_epoch(out):
    """With the times that events() leaves out."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "epoch"][-1]


def measure(data, folder, *options):
    out = train(data, folder / "out", "--overwrite", *options)
    return last_epoch(out)


# ---- waiting -----------------------------------------------------------------------------------


def bench_waiting(clips, copy, folder, epochs, delay):
    print(f"\nshare of time the device waited, {epochs} epochs\n"
          f"  {'from':<58} {'waited':>8} {'samples/s':>10}")

    def line(name, data, epochs=epochs, *more):
        told = measure(data, folder, "--epochs", str(epochs), *more)
        print(f"  {name:<58} {100 * told['wait_share']:6.1f} % {told['samples_per_s']:10.0f}",
              flush=True)

    line("a local copy", copy)
    with Mount(folder / "dir", f"dir:{clips}", {"metadata_ttl": "forever"}) as mount:
        line("a fresh mount of a folder, first epoch", mount / VIEW, 1)
        line("the same mount, now warm", mount / VIEW)
    server = SeaweedFS(folder / "seaweed")
    proxy = Proxy(server, folder / "nginx")
    try:
        bucket = Bucket(server, "digits").create().put_tree(clips)
        proxy.rule(delay=delay / 1000)
        options = proxy.options() | {"metadata_ttl": "forever"}
        # No decoding process waits for its first bytes: more of them than cores should bring little.
        for readers, more in (("4", {}), ("16", {}), ("16", {"workers": 8, "memory": "4G"})):
            with Mount(folder / "s3", bucket.source, options | more,
                       env=proxy.environment()) as mount:
                name = f"{delay} ms away, {readers} readers" + (", 8 workers" if more else "")
                line(f"a fresh mount {name}, first epoch", mount / VIEW, 1, "--readers", readers)
                line("the same mount, now warm", mount / VIEW, epochs, "--readers", readers)
    finally:
        proxy.stop()
        server.stop()


# ---- PyTorch -----------------------------------------------------------------------------------


def train_twin(torch, copy, epochs, seed):
    """The accuracy it reaches, and samples a second of training and validation together."""
    told = torch.train(data=str(copy), epochs=epochs, seed=seed, batch=BATCH, threads=THREADS)
    seconds = told["seconds"].sum() + told["seconds_val"].sum()
    return told["accuracy"][-1], epochs * len(list(copy.rglob("label.txt"))) / seconds


def bench_twin(torch, copy, folder, epochs, repeat):
    ours, theirs = [], []
    train_twin(torch, copy, 1, 0)                   # once before it counts: its libraries load
    for seed in range(repeat):                      # in turns, so that both meet the same machine
        told = measure(copy, folder, "--epochs", str(epochs), "--seed", str(seed))
        ours.append((accuracy(folder / "out"), told["samples_per_s"]))
        theirs.append(train_twin(torch, copy, epochs, seed))
    print(f"\nbeside the twin in PyTorch {torch.version}, {THREADS} threads, batch {BATCH}, "
          f"{epochs} epochs, {repeat} seeds\n"
          f"  {'':<20} {'samples/s':>10} {'accuracy on voices never heard':>32}")
    for name, runs in (("s3sample-train", ours), ("PyTorch", theirs)):
        reached = ", ".join(f"{100 * a:.1f}" for a, _ in runs)
        print(f"  {name:<20} {statistics.median(s for _, s in runs):10.0f} {reached:>30} %")
    ratio = statistics.median(a / b for (_, a), (_, b) in zip(ours, theirs))
    print(f"  ratio {ratio:.2f} (median of {repeat})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--delay", type=int, default=30, help="ms before each first byte")
    options = parser.parse_args()
    clips = digits.make_digits(cache_folder() / "digits-bench")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Mount(folder / "copied", f"dir:{clips}") as mount:
            shutil.copytree(mount / VIEW, folder / "copy")
        bench_waiting(clips, folder / "copy", folder, options.epochs, options.delay)
        with Torched() as torch:
            bench_twin(torch, folder / "copy", folder, options.epochs, options.repeat)


if __name__ == "__main__":
    main()
