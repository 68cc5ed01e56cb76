"""What trainings start from: clips of spoken digits, and a bucket behind a proxy that counts."""
import hashlib
import shutil
import subprocess
from pathlib import Path

import digits
import pytest
from lib.mount import Mount, program, worker_program
from lib.proxy import Proxy
from lib.recipes import cache_folder
from lib.s3server import Bucket
from lib.seaweed import SeaweedFS
from runs import trainer
from torched import Torched


def pytest_configure(config):
    program(), worker_program(), trainer()


@pytest.fixture(scope="session")
def clips():
    """All the digits. Kept from run to run: making them takes a minute."""
    made_by = Path(digits.__file__).read_bytes() + b"".join(
        subprocess.run([name, "--version" if name == "espeak-ng" else "-version"], check=True,
                       capture_output=True).stdout for name in ("ffmpeg", "espeak-ng"))
    return digits.make_digits(cache_folder() / f"digits-{hashlib.sha256(made_by).hexdigest()[:16]}")


@pytest.fixture(scope="session")
def few(clips, tmp_path_factory):
    """Two digits by four voices, and a file that is no clip."""
    folder = tmp_path_factory.mktemp("few")
    for digit in ("one", "two"):
        for split, voices in (("train", ("m1", "m2", "f1")), ("val", ("m3",))):
            (folder / split / digit).mkdir(parents=True)
            for voice in voices:
                shutil.copy(clips / split / digit / f"{voice}-150.mp4", folder / split / digit)
    (folder / "README.txt").write_text("What a bucket has besides.\n")
    return folder


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """SeaweedFS behind nginx."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweed") / "server")
    proxy = Proxy(server, tmp_path_factory.mktemp("proxy") / "nginx")
    yield proxy
    proxy.stop()
    server.stop()


@pytest.fixture(scope="session")
def bucket(store, few):
    """The few clips below a prefix, and an object beside it."""
    bucket = Bucket(store, "clips").create()
    for path in few.rglob("*.*"):
        bucket.put(f"data/{path.relative_to(few)}", path)
    bucket.put("other/object", b"not of this data set")
    return bucket


@pytest.fixture(scope="session")
def mounted(clips, tmp_path_factory):
    """All the digits mounted from the folder."""
    with Mount(tmp_path_factory.mktemp("mounted") / "dir", f"dir:{clips}") as mount:
        yield mount


@pytest.fixture(scope="session")
def pytorch():
    with Torched() as torch:
        yield torch
