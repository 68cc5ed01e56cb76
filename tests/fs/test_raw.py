"""raw/ gives the objects' bytes, however they are read."""
import mmap
import os
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

SIZE = 9_000_001        # several blocks and GETs, and an odd end
KEY = "big/random.bin"


@pytest.fixture(scope="module")
def content():
    return np.random.default_rng(1).bytes(SIZE)


@pytest.fixture(params=["dir", "s3"])
def big(request, content, tmp_path, mounted):
    """The path of one large object, cold."""
    if request.param == "dir":
        (tmp_path / "source/big").mkdir(parents=True)
        (tmp_path / "source" / KEY).write_bytes(content)
        return mounted(f"dir:{tmp_path / 'source'}") / "raw" / KEY
    bucket = request.getfixturevalue("bucket")
    bucket.put(KEY, content)
    return mounted(bucket, server=bucket.server) / "raw" / KEY


def test_read_from_front_to_back_is_identical(big, content):
    assert big.read_bytes() == content


def test_random_preads_from_32_threads_are_identical(big, content):
    fd = os.open(big, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)

    def reader(seed):
        choose = random.Random(seed)
        for _ in range(40):
            offset = choose.randrange(SIZE)
            length = choose.choice((1, 100, 4096, 65_536, 300_000))
            if os.pread(fd, length, offset) != content[offset:offset + length]:
                return offset, length
        return None

    with ThreadPoolExecutor(32) as pool:
        wrong = [answer for answer in pool.map(reader, range(32)) if answer]
    os.close(fd)
    assert wrong == []


def test_a_mapping_is_identical(big, content):
    with open(big, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[SIZE - 5000:] == content[SIZE - 5000:]
        assert view[:] == content


def test_direct_reads_are_identical(big, content):
    fd = os.open(big, os.O_RDONLY | os.O_DIRECT)
    buffer = mmap.mmap(-1, 1 << 20)
    got = b""
    while n := os.preadv(fd, [buffer], len(got)):
        got += buffer[:n]
    os.close(fd)
    buffer.close()
    assert got == content


def test_reading_at_and_past_the_end(big):
    fd = os.open(big, os.O_RDONLY)
    assert len(os.pread(fd, 100, SIZE - 1)) == 1
    assert os.pread(fd, 100, SIZE) == b""
    assert os.pread(fd, 100, SIZE + 10_000_000) == b""
    os.close(fd)


def test_two_views_of_one_object_share_its_bytes(bucket, proxy, content, mounted):
    """The one cache of object bytes lies under all views."""
    bucket.put(KEY, content[:1_000_000])
    mount = mounted(bucket, server=proxy, config="[view raw]\ntype = raw\n[view same]\ntype = raw\n")
    assert (mount / "raw" / KEY).read_bytes() == content[:1_000_000]
    with proxy.recording() as log:
        assert (mount / "same" / KEY).read_bytes() == content[:1_000_000]
    assert log.gets() == []
