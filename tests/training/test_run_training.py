"""contrib/run_training.sh as people use it: what it trains on, what it says, what it leaves behind."""
import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from lib.process import Process
from lib.programs import program as tool
from lib.wait import unescape, until, until_gone
from runs import SAMPLES, arrays, events, training_environment

SCRIPT = Path(__file__).resolve().parents[2] / "contrib/run_training.sh"
TRAINER = ["--epochs", "2", "--batch", "4", "--video-width", "4", "--log-every", "1"]
ENDLESS = ["--epochs", "1000000", "--batch", "4", "--log-every", "1"]


class World:
    """A folder in which it runs; `tmp` is where it may have temporary files."""

    def __init__(self, folder, store):
        self.out, self.tmp, home = folder / "run", folder / "tmp", folder / "home"
        self.tmp.mkdir()
        home.mkdir()
        self.env = training_environment(home, store.environment() | {"TMPDIR": str(self.tmp)})
        self.env["PATH"] += f":{Path(tool('aws')).parent}"

    def command(self, *arguments, samples=SAMPLES, trainer=TRAINER):
        words = [*arguments, "--out", self.out, "--samples", samples] if samples else arguments
        return [str(word) for word in (SCRIPT, *words, *(["--", *trainer] if trainer else []))]

    def run(self, *arguments, **more):
        return subprocess.run(self.command(*arguments, **more), env=self.env, capture_output=True,
                              text=True, timeout=120, stdin=subprocess.DEVNULL)

    def refuse(self, *arguments, status=1, **more):
        """The one sentence with which it ends."""
        ended = self.run(*arguments, **more)
        assert ended.returncode == status, ended.stderr
        assert ended.stderr.count("\n") == 1, ended.stderr
        self.expect_nothing_left()
        return ended.stderr.strip()

    def launch(self, *arguments, **more):
        """In the background, with signals as at a terminal: a shell can't trap what nohup ignores."""
        return Process(["env", "--default-signal=HUP,INT,TERM", *self.command(*arguments, **more)],
                       self.tmp.parent / "output", env=self.env)

    def start(self, *arguments):
        process = self.launch(*arguments, trainer=ENDLESS)
        until(lambda: '"event":"step"' in self.log(), "a step", check=process.must_run)
        return process

    def log(self):
        path = self.out / "log.jsonl"
        return path.read_text() if path.exists() else ""

    def cost(self):
        return json.loads((self.out / "cost.json").read_text())

    def mounts(self):
        table = Path("/proc/self/mountinfo").read_bytes().splitlines()
        points = [os.fsdecode(unescape(line.split(b" ")[4])) for line in table]
        return [point for point in points if point.startswith(f"{self.tmp}/")]

    def processes(self):
        """Those that name our folder: the mount, the trainer, the script."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if os.fsencode(self.out) in words or os.fsencode(f"{self.tmp}/") in words:
                found.append(int(entry.name))
        return found

    def expect_nothing_left(self):
        assert self.mounts() == []
        assert self.processes() == []
        assert list(self.tmp.iterdir()) == []


@pytest.fixture
def world(tmp_path, store):
    world = World(tmp_path, store)
    yield world
    for pid in world.processes():
        os.kill(pid, signal.SIGKILL)
    for point in world.mounts():
        subprocess.run(["umount", "-l", point])


def count(log, kind):
    return len(log.of(kind))


# ---- the three ways ----------------------------------------------------------------------------


def test_streaming_tells_what_the_proxy_counted(world, store, bucket):
    with store.recording() as log:
        ended = world.run("s3-streaming", "clips/data", "--endpoint-url", store.endpoint)
    assert ended.returncode == 0, ended.stderr
    cost = world.cost()
    assert cost["measured"]["requests"] == {kind: count(log, kind) for kind in ("GET", "HEAD", "LIST")}
    assert cost["measured"]["bytes"] == sum(request.bytes for request in log.requests
                                            if request.kind != "HEAD")
    assert count(log, "GET") >= 8 and not log.gets("README.txt")
    assert "6 samples of 2 classes to train on, 2" in ended.stderr
    assert "In the same region S3 takes money for requests alone" in ended.stderr
    world.expect_nothing_left()


def test_a_copy_tells_what_the_proxy_counted(world, store, bucket, few):
    with store.recording() as log:
        ended = world.run("aws", "s3://clips/data/", "--endpoint-url", store.endpoint)
    assert ended.returncode == 0, ended.stderr
    cost = world.cost()
    assert cost["measured"]["requests"] == {kind: count(log, kind) for kind in ("GET", "HEAD", "LIST")}
    assert cost["measured"]["bytes"] == log.bytes()
    assert cost["object_bytes"] == sum(path.stat().st_size for path in few.rglob("*.*"))
    world.expect_nothing_left()


def test_each_way_computes_what_the_other_one_measures(world, store, bucket, few, tmp_path):
    costs = {}
    for way in ("s3-streaming", "aws"):
        world.out = tmp_path / way
        assert world.run(way, "clips/data", "--endpoint-url", store.endpoint).returncode == 0
        costs[way] = world.cost()
    copied, streamed = costs["aws"], costs["s3-streaming"]
    assert streamed["computed"] == copied["measured"]
    # The report of a streaming run lists every directory itself, and this is on its bill.
    directories = 1 + sum(path.is_dir() for path in few.rglob("*"))
    expected = copied["computed"]["requests"]
    expected["LIST"] += directories
    assert streamed["measured"]["requests"] == expected
    assert copied["computed"]["bytes"] == sum(path.stat().st_size for path in few.rglob("*.mp4"))
    assert events(tmp_path / "aws") == events(tmp_path / "s3-streaming")
    assert arrays(tmp_path / "aws") == arrays(tmp_path / "s3-streaming")


def test_dollars_are_requests_and_bytes_by_the_list(world, store, bucket):
    assert world.run("s3-streaming", "clips/data", "--endpoint-url", store.endpoint).returncode == 0
    cost = world.cost()
    n, gigabytes = cost["measured"]["requests"], cost["measured"]["bytes"] / 1e9
    requests = (n["GET"] + n["HEAD"]) * 0.0004 / 1000 + n["LIST"] * 0.005 / 1000
    by_case = {case: pair["measured"] for case, pair in cost["dollars"].items()}
    assert by_case == pytest.approx({
        "in the same region": requests,
        "same region, through a NAT gateway": requests + 0.045 * gigabytes,
        "from another region": requests + 0.02 * gigabytes,
        "to the internet": requests + 0.09 * gigabytes})
    times = cost["seconds"]
    assert 0 < times["before_training"] < times["first_batch"] < times["all"]


def test_a_copy_that_stays_is_not_copied_again(world, store, bucket, few, tmp_path):
    for copied in (True, False):
        ended = world.run("aws", "clips/data", "--endpoint-url", store.endpoint, "--copy",
                          tmp_path / "copy", trainer=[*TRAINER, "--overwrite"])
        assert ended.returncode == 0, ended.stderr
        assert (world.cost()["measured"]["bytes"] > 0) == copied
    assert (tmp_path / "copy/README.txt").read_bytes() == (few / "README.txt").read_bytes()
    world.expect_nothing_left()


def test_local_trains_on_a_mount_and_on_a_folder(world, mounted, tmp_path):
    ended = world.run("local", mounted.point, trainer=["--epochs", "1", "--video-width", "4"])
    assert ended.returncode == 0, ended.stderr
    assert "300 samples of 10 classes" in ended.stderr
    folder = tmp_path / "arrays"
    subprocess.run(["cp", "-r", mounted / f"samples@{SAMPLES}/val", folder], check=True)
    world.out = tmp_path / "other"
    ended = world.run("local", folder, "--out", world.out, samples=None,
                      trainer=["--epochs", "1", "--video-width", "4"])
    assert ended.returncode == 0, ended.stderr
    assert "What it costs" not in ended.stderr
    world.expect_nothing_left()


# ---- the end, however it comes -----------------------------------------------------------------


@pytest.mark.parametrize("way", ["s3-streaming", "aws"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_leaves_nothing(world, store, bucket, way, sig):
    run = world.start(way, "clips/data", "--endpoint-url", store.endpoint)
    assert len(world.mounts()) == 1
    assert run.stop(sig) == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}[sig]
    assert "--resume goes on" in run.output()
    world.expect_nothing_left()


def test_ctrl_c_reaches_the_trainer_once(world, store, bucket):
    """A terminal sends it to the whole process group; a trainer that hears it twice saves nothing."""
    run = world.start("s3-streaming", "clips/data", "--endpoint-url", store.endpoint)
    os.killpg(run.pid, signal.SIGINT)
    assert run.popen.wait(60) == 130
    assert "--resume goes on" in run.output()
    world.expect_nothing_left()


def test_a_signal_during_the_copy_leaves_nothing(world, store, bucket):
    with store.gate(kind="GET") as gate:
        run = world.launch("aws", "clips/data", "--endpoint-url", store.endpoint)
        gate.until_held(1, check=run.must_run)
        assert run.stop(signal.SIGTERM) == 143
    world.expect_nothing_left()


def test_a_trainer_that_is_killed_leaves_nothing(world, store, bucket):
    run = world.start("s3-streaming", "clips/data", "--endpoint-url", store.endpoint)
    trainers = [pid for pid in world.processes()
                if Path(f"/proc/{pid}/exe").resolve().name == "s3sample-train"]
    os.kill(trainers[0], signal.SIGKILL)
    assert run.popen.wait(60) == 128 + signal.SIGKILL
    world.expect_nothing_left()


def test_a_mount_that_dies_is_told_and_taken_off(world, store, bucket):
    run = world.start("s3-streaming", "clips/data", "--endpoint-url", store.endpoint)
    daemons = [pid for pid in world.processes()
               if Path(f"/proc/{pid}/exe").resolve().name == "s3samplefs"]
    os.kill(daemons[0], signal.SIGKILL)
    assert run.popen.wait(60) == 1
    assert "run_training.sh: the mount died" in run.output()
    world.expect_nothing_left()


def test_a_mount_in_use_is_detached(world, store, bucket):
    run = world.start("s3-streaming", "clips/data", "--endpoint-url", store.endpoint)
    with open(f"{world.mounts()[0]}/.s3samplefs/stats"):
        run.popen.send_signal(signal.SIGTERM)
        assert run.popen.wait(60) == 143
    assert "in use; detaching" in run.output()
    world.expect_nothing_left()


def test_a_failing_trainer_gives_its_status(world, store, bucket):
    ended = world.run("s3-streaming", "clips/data", "--endpoint-url", store.endpoint,
                      trainer=["--epochs", "many"])
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and "epochs" in ended.stderr
    world.expect_nothing_left()


# ---- what can't be done --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["s3-streaming", "aws"])
def test_a_bucket_that_is_not_there(world, store, way):
    assert "nowhere" in world.refuse(way, "nowhere", "--endpoint-url", store.endpoint)


def test_what_the_trainer_refuses_is_told_before_anything_is_copied(world, store, bucket, tmp_path):
    options = ["aws", "clips/data", "--endpoint-url", store.endpoint, "--copy", tmp_path / "copy"]
    sentence = world.refuse(*options, trainer=["--epoch", "3"], status=2)
    assert sentence.startswith("s3sample-train: --epoch: no such key (did you mean epochs?)")
    world.out.mkdir()
    (world.out / "checkpoint.safetensors").touch()
    assert "checkpoint.safetensors: is there already; " in world.refuse(*options)
    assert not (tmp_path / "copy").exists()


def test_a_prefix_with_nothing_below(world, store, bucket):
    sentence = world.refuse("aws", "clips/nothing", "--endpoint-url", store.endpoint)
    assert sentence == "run_training.sh: nothing was copied: there is nothing below s3://clips/nothing"


@pytest.mark.parametrize("way, missing", [
    ("s3-streaming", "s3samplefs"), ("s3-streaming", "s3sample-train"), ("aws", "aws"),
    ("s3-streaming", "python3"), ("aws", "fusermount3")])
def test_a_program_that_is_missing(world, tmp_path, way, missing):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "env", "s3samplefs", "s3sample-train", "aws", "python3", "fusermount3"):
        if name != missing:
            (programs / name).symlink_to("/usr/bin/env" if name == "env" else "/bin/bash")
    world.env["PATH"] = str(programs)
    assert world.refuse(way, "bucket").startswith(f"run_training.sh: {missing} is missing: ")


@pytest.mark.parametrize("arguments, part", [
    ([], "s3-streaming, aws or local is missing"),
    (["gcs", "bucket"], "there are s3-streaming, aws and local"),
    (["aws"], "one place to train from has to follow"),
    (["aws", "a-bucket", "b"], "one place to train from"),
    (["aws", "https://bucket"], "is not BUCKET or BUCKET/PREFIX"),
    (["local", ".", "--mount", "memory=1G"], "local mounts nothing"),
    (["s3-streaming", "bucket", "--copy", "x"], "--copy is for aws"),
    (["s3-streaming", "bucket", "--epochs", "3"], "those of the trainer stand behind --"),
    (["s3-streaming", "bucket", "--out"], "a value has to follow"),
    (["local", ".", "--", "--data", "x"], "--data is this program's to set"),
])
def test_a_command_line_that_is_wrong(world, arguments, part):
    assert part in world.refuse(*arguments, samples=None, trainer=None, status=2)


def test_samples_that_there_cannot_be(world, store, bucket):
    sentence = world.refuse("s3-streaming", "clips/data", "--endpoint-url", store.endpoint,
                            samples="num_frames=none")
    assert "num_frames" in sentence
