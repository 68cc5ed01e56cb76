"""contrib/run_training.sh: from a folder, from a bucket, from a copy of it; and no mount is left."""
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lib.clips import PARAMETERS
from lib.programs import TRAIN
from lib.runs import ENV, OPTIONS, checkpoint, events, wait_for_step
from safetensors.numpy import load_file

SCRIPT = Path(__file__).parents[2] / "contrib/run_training.sh"
BIN = Path(sys.executable).parent
SHORT = [*OPTIONS, "--epochs", "2", "--batch", "4", "--val-share", "0.25"]


@pytest.fixture(scope="module")
def bucket(media):
    """An S3 server whose bucket "clips" is the folder of clips. Returns the environment."""
    server = subprocess.Popen([BIN / "rclone", "serve", "s3", "--config", "/dev/null", "--addr",
                               "127.0.0.1:0", "--auth-key", "AKIATEST,secrettest", media.parent],
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if found := re.search(r"http://[\d.:]+", line):
            break
    endpoint = found[0]
    yield dict(ENV, PATH=f"{BIN}:{os.environ['PATH']}", S3SAMPLE_TRAIN=TRAIN, VIEW=PARAMETERS,
               MOUNT_OPTIONS="path_style", AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="AKIATEST",
               AWS_SECRET_ACCESS_KEY="secrettest", AWS_REGION="us-east-1",
               AWS_DEFAULT_REGION="us-east-1")
    server.kill()
    server.stderr.close()
    server.wait()


@pytest.fixture
def environment(bucket, tmp_path):
    """With a place for mounts of its own, which has to be empty at the end."""
    (tmp_path / "tmp").mkdir()
    yield dict(bucket, TMPDIR=str(tmp_path / "tmp"))
    assert os.listdir(tmp_path / "tmp") == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def run(environment, *arguments, status=0):
    run = subprocess.run([SCRIPT, *map(str, arguments)], env=environment, capture_output=True,
                         text=True, timeout=300)
    assert run.returncode == status, (run.returncode, run.stderr)
    return run.stderr


def test_both_ways_from_a_bucket_give_the_same_weights_and_the_bill(environment, tmp_path):
    told = run(environment, "s3-streaming", "clips", "--out", tmp_path / "a", *SHORT)
    assert "the first batch was there after" in told
    bill = re.search(r"s3-streaming: \d+ s in all; (\d+) bytes by (\d+) GET, (\d+) LIST, (\d+) HEAD", told)
    assert all(int(n) > 0 for n in bill.groups()[:3])
    assert "outside of AWS" in told
    told = run(environment, "aws", "clips", "--out", tmp_path / "b", *SHORT)
    assert re.search(r"aws: \d+ s in all; \d+ bytes by 12 GET, 1 LIST", told)
    # The list of samples is another one: a folder's ETags aren't the store's.
    a, b = load_file(checkpoint(tmp_path / "a")), load_file(checkpoint(tmp_path / "b"))
    assert a.keys() == b.keys()
    assert all((a[name] == b[name]).all() for name in a)
    assert events(tmp_path / "a", "step") == events(tmp_path / "b", "step")


def test_a_folder_is_trained_on_as_it_is(environment, small, tmp_path):
    run(environment, "local", small, "--out", tmp_path / "out", *SHORT)
    assert events(tmp_path / "out", "end") == [{"event": "end", "how": "complete"}]


@pytest.mark.parametrize("number,status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_unmounts(environment, tmp_path, number, status):
    process = subprocess.Popen([SCRIPT, "s3-streaming", "clips", "--out", tmp_path / "out", *SHORT[:-4],
                                "--epochs", "1000000", "--batch", "4"], env=environment,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for_step(process, 3)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == status, told
    assert "--resume goes on" in told and "s3-streaming:" in told


def test_a_run_that_fails_unmounts_too(environment, tmp_path):
    told = run(environment, "s3-streaming", "clips", "--out", tmp_path / "out", "--crop", "999", status=1)
    assert "crop = 999" in told


def test_a_bucket_that_is_not_there_is_told(environment, tmp_path):
    assert "nowhere" in run(environment, "s3-streaming", "nowhere", "--out", tmp_path / "out", status=1)


def test_without_arguments_it_says_how(environment):
    assert "s3-streaming BUCKET" in run(environment, status=2)
    assert "local DIR" in run(environment, "ftp", "x", status=2)
