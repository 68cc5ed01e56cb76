"""Extended attributes tell what stands behind a file."""
import errno
import os

import pytest

from lib.run import run

KEY = "train/video/clip.mkv"
FILES = (f"raw/{KEY}", f"frames/{KEY}.npy", f"mfcc/{KEY}.npy", f"info/{KEY}.txt")


@pytest.mark.parametrize("name", FILES)
def test_key_is_the_objects_key(mnt, name):
    assert os.getxattr(mnt / name, "user.s3samplefs.key") == KEY.encode()


@pytest.mark.parametrize("name", FILES)
def test_etag_is_the_objects_etag(mnt, name, request):
    etag = os.getxattr(mnt / name, "user.s3samplefs.etag").decode()
    if mnt.source.startswith("s3:"):
        assert etag == request.getfixturevalue("ads").head(KEY)["ETag"].strip('"')
    else:
        assert etag == os.getxattr(mnt / f"raw/{KEY}", "user.s3samplefs.etag").decode() != ""


def test_getfattr_lists_them(mnt):
    dump = run("getfattr", "-d", "--absolute-names", mnt / f"frames/{KEY}.npy")
    assert f'user.s3samplefs.key="{KEY}"' in dump
    assert "user.s3samplefs.etag=" in dump


def test_a_healthy_file_has_no_error(mnt):
    path = mnt / f"raw/{KEY}"
    assert "user.s3samplefs.error" not in os.listxattr(path)
    with pytest.raises(OSError) as failure:
        os.getxattr(path, "user.s3samplefs.error")
    assert failure.value.errno == errno.ENODATA


def test_an_unknown_attribute_is_enodata(mnt):
    with pytest.raises(OSError) as failure:
        os.getxattr(mnt / f"raw/{KEY}", "user.other")
    assert failure.value.errno == errno.ENODATA


def test_attributes_still_work_after_a_security_attribute_was_asked_for(mnt):
    """The kernel turns xattrs off for good where one answer is ENOSYS."""
    with pytest.raises(OSError):
        os.getxattr(mnt / f"raw/{KEY}", "security.capability")
    assert os.getxattr(mnt / f"raw/{KEY}", "user.s3samplefs.key") == KEY.encode()
