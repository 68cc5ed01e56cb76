"""Every operation that would change something says EROFS."""
import ctypes
import errno
import os

import pytest

from lib.run import run

_libc = ctypes.CDLL(None, use_errno=True)


def _fallocate(path):
    """There is no descriptor open for writing to call it on, so the open is what is refused."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(fd, 0, 1)
    finally:
        os.close(fd)


def _truncate(path):
    if _libc.truncate(os.fsencode(path), ctypes.c_long(0)):
        raise OSError(ctypes.get_errno(), "truncate")


FILE_OPERATIONS = {
    "open for writing": lambda p: os.open(p, os.O_WRONLY),
    "open for reading and writing": lambda p: os.open(p, os.O_RDWR),
    "open for appending": lambda p: os.open(p, os.O_WRONLY | os.O_APPEND),
    "open with O_TRUNC": lambda p: os.open(p, os.O_WRONLY | os.O_TRUNC),
    "unlink": os.unlink,
    "rename": lambda p: os.rename(p, f"{p}.new"),
    "link": lambda p: os.link(p, f"{p}.new"),
    "chmod": lambda p: os.chmod(p, 0o600),
    "chown": lambda p: os.chown(p, 1, 1),
    "truncate": _truncate,
    "utimens": lambda p: os.utime(p, (0, 0)),
    "setxattr": lambda p: os.setxattr(p, "user.mine", b"1"),
    "removexattr": lambda p: os.removexattr(p, "user.s3samplefs.key"),
    "fallocate": _fallocate,
}

DIRECTORY_OPERATIONS = {
    "create": lambda p: os.open(p / "new", os.O_CREAT | os.O_WRONLY),
    "create exclusively": lambda p: os.open(p / "new", os.O_CREAT | os.O_EXCL | os.O_RDWR),
    "mkdir": lambda p: os.mkdir(p / "new"),
    "rmdir": lambda p: os.rmdir(p / "video"),
    "symlink": lambda p: os.symlink("x", p / "new"),
    "mknod": lambda p: os.mknod(p / "new"),
    "mkfifo": lambda p: os.mkfifo(p / "new"),
    "rename a directory": lambda p: os.rename(p / "video", p / "new"),
    "chmod": lambda p: os.chmod(p, 0o700),
}


def _refused(operation, path):
    with pytest.raises(OSError) as failure:
        operation(path)
    assert failure.value.errno == errno.EROFS, failure.value


@pytest.mark.parametrize("name", FILE_OPERATIONS)
def test_objects_refuse(mnt, name):
    _refused(FILE_OPERATIONS[name], mnt / "raw/train/video/clip.mkv")


@pytest.mark.parametrize("name", FILE_OPERATIONS)
def test_virtual_files_refuse(mnt, name):
    _refused(FILE_OPERATIONS[name], mnt / "frames/train/video/clip.mkv.npy")


@pytest.mark.parametrize("name", DIRECTORY_OPERATIONS)
def test_directories_refuse(mnt, name):
    _refused(DIRECTORY_OPERATIONS[name], mnt / "raw/train")


@pytest.mark.parametrize("name", ["create", "mkdir", "symlink", "mknod"])
def test_the_root_refuses(mnt, name):
    _refused(DIRECTORY_OPERATIONS[name], mnt.point)


def test_touch_says_read_only_file_system(mnt):
    with pytest.raises(AssertionError, match="Read-only file system"):
        run("touch", mnt / "raw/new")
