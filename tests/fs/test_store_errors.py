"""What a failing store looks like to a reader; the error table of the manual, row by row."""
import errno
import os
import signal
import time

import numpy as np
import pytest

from lib.run import run
from lib.s3server import Bucket
from lib.threads import Reader, errno_of, read_bytes
from lib.wait import until

QUICK = {"timeout": "3s"}


@pytest.fixture
def content():
    return np.random.default_rng(4).bytes(1_000_000)


def test_a_missing_key_is_enoent(bucket, mounted):
    bucket.put("there", b"1")
    mount = mounted(bucket, server=bucket.server)
    assert errno_of(read_bytes, mount / "raw/missing") == errno.ENOENT
    assert errno_of(os.listdir, mount / "raw/missing") == errno.ENOENT


def test_a_key_that_does_not_match_the_view_is_enoent(bucket, mounted):
    bucket.put("notes.txt", b"1")
    mount = mounted(bucket, server=bucket.server)
    assert errno_of(read_bytes, mount / "frames/notes.txt.npy") == errno.ENOENT


def test_credentials_that_go_bad_are_eacces(rclone, mounted):
    (rclone.root / "ads").mkdir()
    (rclone.root / "ads/before.txt").write_text("read before")
    (rclone.root / "ads/after.txt").write_text("not read yet")
    mount = mounted("s3://ads", {"metadata_ttl": "forever"}, server=rclone)
    assert sorted(os.listdir(mount / "raw")) == ["after.txt", "before.txt"]
    assert read_bytes(mount / "raw/before.txt") == b"read before"
    rclone.change_secret("another")
    assert errno_of(read_bytes, mount / "raw/after.txt") == errno.EACCES
    assert b"" != os.getxattr(mount / "raw/after.txt", "user.s3samplefs.error")
    assert "after.txt" in (mount / ".s3samplefs/errors").read_text()


def test_a_refusal_is_not_taken_for_a_missing_key(bucket, proxy, mounted):
    bucket.put("d/x", b"1")
    mount = mounted(bucket, server=proxy)
    proxy.rule(action="status", status=403, code="AccessDenied")
    assert errno_of(os.stat, mount / "raw/d/x") == errno.EACCES
    assert errno_of(os.listdir, mount / "raw") == errno.EACCES


def test_a_refusal_is_not_retried(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="status", status=403, code="AccessDenied")
    with proxy.recording() as log:
        assert errno_of(read_bytes, mount / "raw/x") == errno.EACCES
    # The kernel asks for a failed page again; each time one request.
    assert len(log.gets()) <= 3 and mount.stat("s3_retries") == 0


@pytest.mark.parametrize("status, code", [(403, "RequestTimeTooSkewed"), (400, "ExpiredToken"),
                                          (403, "ExpiredToken")])
def test_what_a_new_signature_heals_is_signed_again_but_not_for_ever(bucket, proxy, mounted, content, status,
                                                         code):
    """Outside of max_attempts."""
    bucket.put("x", content)
    mount = mounted(bucket, {"max_attempts": 1}, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="status", status=status, code=code, times=1)
    assert read_bytes(mount / "raw/x") == content
    proxy.rule(kind="GET", key="y", action="status", status=status, code=code)
    bucket.put("y", b"1")
    with proxy.recording() as log:
        fd = os.open(mount / "raw/y", os.O_RDONLY | os.O_DIRECT)
        assert errno_of(os.pread, fd, 1, 0) == errno.EACCES
        os.close(fd)
    assert 1 <= len(log.gets("y")) <= 2


def test_an_archived_object_is_eacces_and_says_so(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, server=proxy)
    proxy.rule(kind="GET", action="status", status=403, code="InvalidObjectState")
    assert errno_of(read_bytes, mount / "raw/x") == errno.EACCES
    assert b"archive" in os.getxattr(mount / "raw/x", "user.s3samplefs.error").lower()


def test_a_server_that_is_gone_is_eio_and_one_that_is_back_is_read(bucket, proxy, mounted, content):
    bucket.put("x", content)
    mount = mounted(bucket, {"max_attempts": 2}, server=proxy)
    os.stat(mount / "raw/x")
    proxy.stop()
    try:
        assert errno_of(read_bytes, mount / "raw/x") == errno.EIO
        assert b"" != os.getxattr(mount / "raw/x", "user.s3samplefs.error")
    finally:
        proxy.start()
    assert read_bytes(mount / "raw/x") == content


def test_names_cannot_be_looked_up_while_the_server_is_gone(bucket, proxy, mounted):
    """An outage is never "no such file"."""
    bucket.put("d/x", b"1")
    mount = mounted(bucket, {"max_attempts": 2}, server=proxy)
    proxy.stop()
    try:
        assert errno_of(os.stat, mount / "raw/d/x") == errno.EIO
        assert errno_of(os.listdir, mount / "raw") == errno.EIO
    finally:
        proxy.start()
    assert os.stat(mount / "raw/d/x").st_size == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_busy_server_is_asked_again(bucket, proxy, mounted, content, status):
    bucket.put("x", content)
    mount = mounted(bucket, server=proxy)
    proxy.rule(kind="GET", action="status", status=status, times=2)
    assert read_bytes(mount / "raw/x") == content
    assert mount.stat("s3_retries") == 2


def test_a_server_that_stays_busy_is_eio_after_four_attempts(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="status", status=503)
    fd = os.open(mount / "raw/x", os.O_RDONLY | os.O_DIRECT)
    with proxy.recording() as log:
        assert errno_of(os.pread, fd, 1, 0) == errno.EIO
    os.close(fd)
    assert len(log.gets()) == 4
    assert mount.stat("s3_retries") == 3 and mount.stat("s3_errors") == 1


def test_max_attempts_counts_the_first_one(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, {"max_attempts": 1}, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="status", status=503)
    fd = os.open(mount / "raw/x", os.O_RDONLY | os.O_DIRECT)
    with proxy.recording() as log:
        assert errno_of(os.pread, fd, 1, 0) == errno.EIO
    os.close(fd)
    assert len(log.gets()) == 1


def test_one_503_in_five_harms_nobody(ads, tree, proxy, mounted):
    mount = mounted(ads, {"max_attempts": 20}, server=proxy)
    proxy.rule(action="status", status=503, coin=0.2, seed=11)
    for name in ("clip.mkv", "clip.mov", "moov-last.mp4", "vp9.webm", "clip.avi"):
        key = f"train/video/{name}"
        assert read_bytes(mount / "raw" / key) == (tree / key).read_bytes()
        assert np.load(mount / f"frames/{key}.npy").shape == (16, 224, 224, 3)
        assert np.load(mount / f"mfcc/{key}.npy").shape == (20, 1292)
    assert proxy.status()["hits"] > 0
    assert mount.stat("s3_retries") >= proxy.status()["hits"]


def test_cut_bodies_are_resumed_where_they_broke_off(bucket, proxy, mounted, content):
    bucket.put("x", content)
    mount = mounted(bucket, server=proxy)
    proxy.rule(kind="GET", action="cut", keep=10_000, times=2)
    with proxy.recording() as log:
        assert read_bytes(mount / "raw/x") == content
    first, second = [r for r in log.gets("x") if r.bytes == 10_000]
    assert any(r.range[0] == first.range[0] + 10_000 for r in log.gets("x"))
    assert mount.stat("s3_retries") >= 2


def test_bodies_that_are_always_cut_are_eio(bucket, proxy, mounted, content):
    bucket.put("x", content)
    mount = mounted(bucket, {"max_attempts": 3}, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="cut", keep=0)
    assert errno_of(read_bytes, mount / "raw/x") == errno.EIO


def test_resets_are_retried(bucket, proxy, mounted, content):
    bucket.put("d/x", content)
    mount = mounted(bucket, server=proxy)
    proxy.rule(action="reset", times=2)
    assert read_bytes(mount / "raw/d/x") == content


def test_a_stall_past_the_deadline_is_etimedout(bucket, proxy, mounted, content):
    bucket.put("x", content)
    mount = mounted(bucket, QUICK, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="stall", keep=1000)
    assert errno_of(read_bytes, mount / "raw/x") == errno.ETIMEDOUT
    assert b"" != os.getxattr(mount / "raw/x", "user.s3samplefs.error")
    proxy.clear()
    assert read_bytes(mount / "raw/x") == content


def test_no_first_byte_before_the_deadline_is_etimedout(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, QUICK, server=proxy)
    os.stat(mount / "raw/x")
    with proxy.gate(kind="GET") as gate:
        reader = Reader(errno_of, read_bytes, mount / "raw/x")
        gate.until_held(1)
        assert reader.finish() == errno.ETIMEDOUT


def test_a_daemon_that_was_stopped_for_longer_than_the_deadline_has_missed_nothing(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, QUICK | {"max_attempts": 1}, server=proxy)
    os.stat(mount / "raw/x")
    with proxy.gate(kind="GET") as gate:
        reader = Reader(errno_of, read_bytes, mount / "raw/x")
        gate.until_held(1)
        os.kill(mount.pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + 5
            gate.release()
            proxy.settle()
            until(lambda: time.monotonic() > end, "the deadline's end")
        finally:
            os.kill(mount.pid, signal.SIGCONT)
        assert reader.finish() is None


def test_many_readers_of_a_dead_store_wait_one_deadline_and_no_queue(ads, proxy, tmp_path, mounted):
    """They would be a hundred rounds of four, each as long as the deadline. Whoever comes later is
    told at once, and the first answer ends it."""
    names = [f"{i:03}" for i in range(400)]
    (tmp_path / "many").mkdir()
    for name in names:
        (tmp_path / "many" / name).write_text(name)
    where = Bucket(ads.server, "many").create().put_tree(tmp_path / "many")
    mount = mounted(where.source, {"timeout": "2s", "max_attempts": 2, "connections": 4}
                    | proxy.options(), env=proxy.environment())
    assert len(os.listdir(mount / "raw")) == len(names)
    with proxy.gate(kind="GET") as gate:
        before = proxy.status()["arrived"]
        readers = [Reader(errno_of, read_bytes, mount / "raw" / name) for name in names]
        gate.until_held(4)
        assert {reader.finish() for reader in readers} <= {errno.ETIMEDOUT, errno.EIO}
        late = [Reader(errno_of, read_bytes, mount / "raw" / name) for name in names[:50]]
        assert {reader.finish() for reader in late} <= {errno.ETIMEDOUT, errno.EIO}
        assert proxy.status()["arrived"] - before < len(names) // 4
    assert "no answer" in (mount / ".s3samplefs/errors").read_text()
    until(lambda: errno_of(read_bytes, mount / "raw/000") is None, "a reader's answer")
    for name in names:
        assert read_bytes(mount / "raw" / name) == name.encode()
    mount.stop()
    where.drop()


def test_a_look_up_past_the_deadline_is_etimedout(bucket, proxy, mounted):
    bucket.put("d/x", b"1")
    mount = mounted(bucket, QUICK, server=proxy)
    with proxy.gate() as gate:
        reader = Reader(errno_of, os.stat, mount / "raw/d/x")
        gate.until_held(1)
        assert reader.finish() == errno.ETIMEDOUT


def test_a_slow_server_is_only_slow(bucket, proxy, mounted, content):
    bucket.put("x", content)
    mount = mounted(bucket, server=proxy)
    proxy.rule(kind="GET", delay=0.05, rate=4_000_000)
    assert read_bytes(mount / "raw/x") == content


def _replace(where, key, data):
    if hasattr(where, "put"):
        where.put(key, data)
    else:
        fresh = where / f".{key}.new"
        fresh.write_bytes(data)
        fresh.rename(where / key)


@pytest.fixture(params=["dir", "s3"])
def replaceable(request, tmp_path, mounted):
    """A function that mounts content as "x", and one that puts other bytes there."""
    def make(data, **options):
        if request.param == "dir":
            where = tmp_path / "source"
            where.mkdir()
            _replace(where, "x", data)
            mount = mounted(f"dir:{where}", options)
        else:
            where = request.getfixturevalue("bucket")
            _replace(where, "x", data)
            mount = mounted(where, options, server=where.server)
        return mount, lambda new: _replace(where, "x", new)
    return make


def test_an_object_replaced_while_open_is_estale_and_never_a_mix(replaceable, content):
    other = content[::-1]
    mount, replace = replaceable(content)
    old = os.open(mount / "raw/x", os.O_RDONLY)
    os.posix_fadvise(old, 0, 0, os.POSIX_FADV_RANDOM)
    assert os.pread(old, 1000, 0) == content[:1000]
    replace(other)
    assert errno_of(os.pread, old, 1000, 900_000) == errno.ESTALE
    # A new open sees the new version whole, and the old handle still never does.
    assert read_bytes(mount / "raw/x") == other
    for offset in (0, 300_000, 900_000):
        try:
            assert os.pread(old, 1000, offset) == content[offset:offset + 1000]
        except OSError as error:
            assert error.errno == errno.ESTALE
    os.close(old)
    assert read_bytes(mount / "raw/x") == other


def test_a_replaced_object_keeps_its_inode_number(replaceable, content):
    mount, replace = replaceable(content, metadata_ttl="100ms")
    before = os.stat(mount / "raw/x")
    replace(content + b"more")
    until(lambda: os.stat(mount / "raw/x").st_size == len(content) + 4, "the new size")
    assert os.stat(mount / "raw/x").st_ino == before.st_ino
    assert read_bytes(mount / "raw/x") == content + b"more"


def test_metadata_is_believed_for_as_long_as_the_ttl(replaceable, content):
    mount, replace = replaceable(content, metadata_ttl="forever")
    assert read_bytes(mount / "raw/x") == content
    replace(content + b"more")
    assert os.stat(mount / "raw/x").st_size == len(content)
    assert read_bytes(mount / "raw/x") == content


def test_a_new_object_appears_after_the_ttl(bucket, mounted):
    mount = mounted(bucket, {"metadata_ttl": "100ms"}, server=bucket.server)
    assert not os.path.lexists(mount / "raw/new")
    bucket.put("new", b"here")
    until(lambda: os.path.lexists(mount / "raw/new"), "the new object")
    assert read_bytes(mount / "raw/new") == b"here"


def test_a_deleted_object_disappears_after_the_ttl(bucket, mounted):
    bucket.put("old", b"here")
    mount = mounted(bucket, {"metadata_ttl": "100ms"}, server=bucket.server)
    assert read_bytes(mount / "raw/old") == b"here"
    bucket.delete("old")
    until(lambda: not os.path.lexists(mount / "raw/old"), "the object's absence")


def test_errors_count(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, {"max_attempts": 1}, server=proxy)
    before = mount.stats()
    proxy.rule(action="status", status=500)
    assert errno_of(os.stat, mount / "raw/x") == errno.EIO
    after = mount.stats()
    assert after["s3_errors"] > before["s3_errors"]
    assert after["fuse_errors"] > before["fuse_errors"]


def test_a_reason_in_words_for_every_failure(bucket, proxy, mounted):
    bucket.put("x", b"1")
    mount = mounted(bucket, {"max_attempts": 1}, server=proxy)
    os.stat(mount / "raw/x")
    proxy.rule(kind="GET", action="status", status=503)
    assert errno_of(read_bytes, mount / "raw/x") == errno.EIO
    dump = run("getfattr", "--absolute-names", "-n", "user.s3samplefs.error", mount / "raw/x")
    assert "503" in dump or "SlowDown" in dump
    assert "raw/x" in (mount / ".s3samplefs/errors").read_text()
    assert "503" in mount.log() or "SlowDown" in mount.log()
