"""Trainings, and what is left of them."""
import json
import os
import subprocess
from pathlib import Path

from lib.mount import environment, program

SAMPLES = "num_frames=8,size=64,duration=1.5"
# The defaults, but for the epochs: six are enough for the digits.
EPOCHS = 6
OPTIONS = ["--device", "cpu", "--threads", "2", "--epochs", str(EPOCHS), "--log-every", "1"]


def trainer():
    named = os.environ.get("S3SAMPLE_TRAIN")
    path = Path(named) if named else program().parent / "s3sample-train"
    assert path.is_file(), f"no {path}: build it or set S3SAMPLE_TRAIN"
    return path


def training_environment(home, extra=None):
    """Both programs in PATH. Threads that wait don't spin: there may be more of them than cores."""
    env = environment(home, {"OMP_WAIT_POLICY": "passive"} | (extra or {}))
    return env | {"PATH": f"{trainer().parent}:{env['PATH']}"}


def train(data, out, *options):
    run = subprocess.run([trainer(), "--data", data, "--out", out, *OPTIONS, *options],
                         env=training_environment(out), capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr
    return out


def checkpoint(out):
    return (Path(out) / "checkpoint.safetensors").read_bytes()


def arrays(out):
    """The checkpoint's arrays: names, shapes, bytes; without what it says about the samples'
    origin."""
    data = checkpoint(out)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    del header["__metadata__"]
    return header, data[end:]


def events(out):
    """What log.jsonl tells, without what depends on the time."""
    lines = [json.loads(line) for line in (Path(out) / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time", "samples_per_s", "wait_share")}
            for line in lines]


def accuracy(out):
    return [event for event in events(out) if event["event"] == "epoch"][-1]["val_accuracy"]
