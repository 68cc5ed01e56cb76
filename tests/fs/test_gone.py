"""What goes away while somebody reads it: an error with a reason, never a quiet end."""
import errno
import os
import shutil

import numpy as np
import pytest

from lib.threads import errno_of


@pytest.fixture
def many(bucket, proxy, mounted, tmp_path):
    """A mount of a directory whose listing takes two pages."""
    folder = tmp_path / "many"
    (folder / "d").mkdir(parents=True)
    for i in range(1001):
        (folder / f"d/{i:04}.mp4").write_bytes(b"x")
    bucket.put_tree(folder)
    mount = mounted(bucket, server=proxy)
    os.stat(mount / "raw/d")
    return mount


def _errors(mount):
    return (mount / ".s3samplefs/errors").read_text()


@pytest.mark.parametrize("which", [{}, {"key": "continuation-token"}], ids=["all", "second"])
@pytest.mark.parametrize("code", ["NoSuchBucket", "NoSuchKey", ""])
def test_a_listing_that_ends_in_a_404_is_not_shown_as_complete(many, proxy, code, which):
    """To readdir(3) ENOENT would be the end of the directory."""
    proxy.rule(kind="LIST", action="status", status=404, code=code, **which)
    assert errno_of(os.listdir, many / "raw/d") in (errno.ESTALE, errno.EIO)
    assert proxy.status()["hits"] > 0
    assert "raw/d: " in _errors(many)
    proxy.clear()
    assert len(os.listdir(many / "raw/d")) == 1001


def test_an_index_that_cannot_be_listed_is_not_taken_for_absent(many, proxy):
    proxy.rule(kind="LIST", action="status", status=404, code="NoSuchBucket")
    assert errno_of(os.stat, many / "samples/index.csv") in (errno.ESTALE, errno.EIO)
    assert "samples/index.csv: " in _errors(many)
    proxy.clear()
    assert os.stat(many / "samples/index.csv").st_size > 0


def test_a_folder_removed_while_it_is_listed_is_not_shown_as_complete(tmp_path, mounted):
    folder = tmp_path / "source/d"
    folder.mkdir(parents=True)
    for i in range(12_000):                          # more than a page
        (folder / f"{i:05}").touch()
    mount = mounted(f"dir:{tmp_path / 'source'}")
    with os.scandir(mount / "raw/d") as listing:
        next(listing)
        shutil.rmtree(folder)
        assert errno_of(list, listing) in (errno.ESTALE, errno.EIO)
    assert "raw/d: " in _errors(mount)


@pytest.fixture(params=["dir", "s3"])
def deletable(request, tmp_path, mounted):
    """A mount of x.mp4, and a function that deletes it."""
    content = np.random.default_rng(4).bytes(1_000_000)
    if request.param == "dir":
        source = tmp_path / "source"
        source.mkdir()
        (source / "x.mp4").write_bytes(content)
        return mounted(f"dir:{source}"), (source / "x.mp4").unlink
    bucket = request.getfixturevalue("bucket")
    bucket.put("x.mp4", content)
    return mounted(bucket, server=bucket.server), lambda: bucket.delete("x.mp4")


@pytest.mark.parametrize("name", ["raw/x.mp4", "frames/x.mp4.npy"])
def test_an_object_deleted_while_open_is_an_error_with_a_reason(deletable, name):
    mount, delete = deletable
    fd = os.open(mount / name, os.O_RDONLY | os.O_DIRECT)
    delete()
    assert errno_of(os.pread, fd, 1000, 4096) == errno.ENOENT
    assert b"deleted" in os.getxattr(fd, "user.s3samplefs.error")
    os.close(fd)
    error, = _errors(mount).splitlines()
    assert f" ENOENT {name}: " in error and "deleted" in error
    assert errno_of(os.open, mount / name, os.O_RDONLY) == errno.ENOENT
