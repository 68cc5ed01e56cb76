"""Training runs, and what is left of them."""
import json
import os
import subprocess
from pathlib import Path

from lib.programs import PREDICT, TRAIN

ENV = dict(os.environ, OMP_WAIT_POLICY="passive")
OPTIONS = ["--threads", "2", "--batch", "8", "--lr", "0.01", "--seed", "5", "--video-width", "4",
           "--video-depth", "2", "--audio-width", "8", "--audio-depth", "2", "--log-every", "1"]


def command(data, out, *options):
    return [TRAIN, "--data", str(data), "--out", str(out), *OPTIONS, *map(str, options)]


def start(data, out, *options, **popen):
    return subprocess.Popen(command(data, out, *options), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=ENV, **popen)


def train(data, out, *options, status=0, env=None, **popen):
    """The whole of stderr; fails unless the exit status is this one."""
    run = subprocess.run(command(data, out, *options), capture_output=True, text=True, timeout=300,
                         env=dict(ENV, **(env or {})), **popen)
    assert run.returncode == status, (run.returncode, run.stderr)
    assert run.stdout == ""
    return run.stderr


def refused(*arguments, status=2):
    """The sentence with which the program ends that doesn't even start."""
    run = subprocess.run([TRAIN, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                         env=ENV)
    assert run.returncode == status, (run.returncode, run.stderr)
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, run.stderr
    return lines[0]


def predict(*arguments, status=0):
    run = subprocess.run([PREDICT, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                         env=ENV)
    assert run.returncode == status, (run.returncode, run.stderr)
    return run.stdout, run.stderr


def checkpoint(out):
    return Path(out) / "checkpoint.safetensors"


def same_bits(a, b):
    return checkpoint(a).read_bytes() == checkpoint(b).read_bytes()


def events(out, kind):
    """What log.jsonl tells, without what depends on the time."""
    lines = [json.loads(line) for line in (Path(out) / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time", "samples_per_s", "wait_share")}
            for line in lines if line["event"] == kind]


def wait_for_step(run, step):
    """Reads a running program's lines until it has done so many steps."""
    seen = 0
    for line in run.stderr:
        seen += " samples/s" in line
        if seen == step:
            return
    raise AssertionError(f"it ended after {seen} steps")
