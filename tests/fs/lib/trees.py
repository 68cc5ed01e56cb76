"""Comparing folders."""
import os
import stat

VIDEO = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts")
AUDIO = (".wav", ".flac", ".mp3", ".m4a", ".ogg")


def keys(folder):
    """Relative paths of all files, sorted."""
    return sorted(os.path.relpath(os.path.join(where, name), folder)
                  for where, _, names in os.walk(folder, onerror=_fail) for name in names)


def folders(folder):
    return sorted(os.path.relpath(os.path.join(where, name), folder)
                  for where, names, _ in os.walk(folder, onerror=_fail) for name in names)


def _fail(error):
    raise error


def assert_same(one, other):
    """The same names and the same bytes."""
    assert keys(one) == keys(other)
    assert folders(one) == folders(other)
    for key in keys(one):
        with open(os.path.join(one, key), "rb") as a, open(os.path.join(other, key), "rb") as b:
            assert a.read() == b.read(), key


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)
