"""Servers, media and mounts for the tests of the mounted filesystem. Needs root and /dev/fuse."""
import itertools
import threading
from contextlib import ExitStack

import pytest

from lib import media
from lib.mount import Mount, program, worker_program
from lib.proxy import Proxy
from lib.rclone import Rclone
from lib.s3server import Bucket
from lib.seaweed import SeaweedFS

# Thousands of waiting readers are threads here; they need little stack.
threading.stack_size(256 * 1024)


def pytest_configure(config):
    program(), worker_program()


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory):
    server = SeaweedFS(tmp_path_factory.mktemp("seaweed") / "server")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _proxy(seaweed, tmp_path_factory):
    proxy = Proxy(seaweed, tmp_path_factory.mktemp("proxy") / "nginx")
    yield proxy
    proxy.stop()


@pytest.fixture
def proxy(_proxy):
    """nginx before SeaweedFS, without a rule at the start and at the end of every test."""
    _proxy.clear()
    yield _proxy
    _proxy.clear()


_bucket_numbers = itertools.count(1)


@pytest.fixture
def bucket(seaweed):
    """A fresh bucket."""
    fresh = Bucket(seaweed, f"bucket{next(_bucket_numbers)}").create()
    yield fresh
    fresh.drop()


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A folder of media: {split}/{label}/clip."""
    return media.tree(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="session")
def ads(seaweed, tree):
    """The same media as a bucket of SeaweedFS; nothing in it changes."""
    return Bucket(seaweed, "ads").create().put_tree(tree)


@pytest.fixture(scope="session", params=["dir", "s3"])
def mnt(request, tmp_path_factory, tree):
    """The media mounted, from a folder and from SeaweedFS. Shared: a test changes nothing."""
    folder = tmp_path_factory.mktemp("mount") / request.param
    if request.param == "dir":
        mount = Mount(folder, f"dir:{tree}")
    else:
        ads = request.getfixturevalue("ads")
        mount = Mount(folder, ads.source, ads.server.options(), env=ads.server.environment())
    with mount:
        yield mount


@pytest.fixture
def mounted(tmp_path):
    """mounted(source, options, config, env): a mount of the test's own, ended after it."""
    numbers = itertools.count()
    with ExitStack() as ends:          # each mount ends, also where another one's end fails
        def make(source, options=None, config=None, env=None, server=None):
            if server is not None:
                options = server.options() | (options or {})
                env = server.environment() | (env or {})
                source = getattr(source, "source", source)
            mount = Mount(tmp_path / f"mount{next(numbers)}", source, options, config, env)
            ends.callback(mount.clean_up)
            ends.callback(mount.stop)
            return mount.start()

        yield make


@pytest.fixture
def unmounted(tmp_path):
    """As mounted, but not started: for mounts that must fail or are started another way."""
    numbers = itertools.count()
    with ExitStack() as ends:
        def make(source, options=None, config=None, env=None):
            mount = Mount(tmp_path / f"unmounted{next(numbers)}", source, options, config, env)
            ends.callback(mount.clean_up)
            return mount

        yield make


@pytest.fixture
def rclone(tmp_path):
    """A second S3 server; its buckets are the folders of rclone.root."""
    root = tmp_path / "rclone"
    root.mkdir()
    server = Rclone(root, tmp_path / "rclone.log")
    yield server
    server.stop()
