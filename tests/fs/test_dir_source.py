"""A folder as the source: mounts of this program inside it, files that change, who may read them."""
import os
import subprocess
from contextlib import ExitStack

import pytest

from lib import wait
from lib.mount import Mount
from lib.run import run


def _say(*argv):
    """A program's output; one that hangs is killed, which this test outlives."""
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True,
                          timeout=wait.DEADLINE).stdout


def _files(folder):
    return sorted(_say("find", folder, "-type", "f", "-printf", "%P\n").split())


def _there(path):
    """By another process, which may hang."""
    return subprocess.run(["test", "-e", path], timeout=wait.DEADLINE).returncode == 0


def _expect_mounts_left_out(mount, files):
    """All ways in: a listing, index.csv, look-ups. Twice as many at once as dir: has threads."""
    assert [name for name in _files(mount / "raw") if "/log" not in name] == files
    lists = [subprocess.Popen(["ls", "-R", mount / "raw"], stdout=subprocess.DEVNULL)
             for _ in range(16)]
    for ls in lists:
        assert ls.wait(wait.DEADLINE) == 0
    assert _say("cat", mount / "samples/index.csv").startswith("path,")


@pytest.fixture
def par(tmp_path):
    """A folder with two files in it."""
    for name in ("par/a/one.txt", "par/b/two.txt"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "par"


@pytest.fixture
def bind():
    """bind(what, where): mounted there too, until the test ends."""
    with ExitStack() as ends:
        def make(what, where, *how):
            run("mount", *(how or ("--bind",)), what, where)
            ends.callback(run, "umount", "-l", where)
        yield make


@pytest.fixture
def inside(tmp_path, par, mounted):
    """A mount whose source holds its mount point."""
    return mounted(f"dir:{tmp_path}")


FILES = ["par/a/one.txt", "par/b/two.txt"]


def test_the_mount_point_inside_the_source_is_left_out(inside):
    _expect_mounts_left_out(inside, FILES)
    assert sorted(os.listdir(inside / "raw")) == ["mount0", "par"]
    assert sorted(os.listdir(inside / "raw/mount0")) == ["home", "log"]
    assert not _there(inside / "raw/mount0/mnt")
    assert not _there(inside / "raw/mount0/mnt/raw/par/a/one.txt")
    assert (inside / "raw/par/a/one.txt").read_text() == "par/a/one.txt"


def test_other_names_of_the_mount_inside_the_source_are_left_out(par, inside, bind):
    for name in ("bound", "part"):
        (par / name).mkdir()
    (par / "file").touch()
    bind(inside.point, par / "bound")
    bind(inside / "raw/par/a", par / "part")
    bind(inside / "raw/par/a/one.txt", par / "file")
    (par / "link").symlink_to("../mount0/mnt")
    (par / "deep").symlink_to("../mount0/mnt/raw/par/a")
    (par / "round").symlink_to("a/.././../mount0/home/../mnt/raw")
    (par / "plain").symlink_to("../par/./b/../b")
    (par / "twice").symlink_to("plain/two.txt")
    _expect_mounts_left_out(inside, sorted(FILES + ["par/plain/two.txt", "par/twice"]))
    for name in ("bound", "part", "file", "link", "deep", "round", "deep/one.txt"):
        assert not _there(inside / "raw/par" / name), name
    assert (inside / "raw/par/twice").read_text() == "par/b/two.txt"


def test_other_filesystems_inside_the_source_stay(par, inside, bind):
    (par / "disk").mkdir()
    bind("none", par / "disk", "-t", "tmpfs")
    (par / "disk/deep").mkdir()
    (par / "disk/deep/three.txt").write_text("three")
    (par / "disk/up.txt").symlink_to("deep/../../a/one.txt")
    (par / "disk/out").symlink_to("../../../../../../../etc")
    (par / "disk/etc").symlink_to("/etc")
    (par / "disk/ours").symlink_to("../../mount0/mnt/raw")
    (par / "disk/self").symlink_to(".")
    (par / "through").symlink_to("disk/deep/three.txt")
    _expect_mounts_left_out(inside, sorted(
        FILES + ["par/disk/deep/three.txt", "par/disk/up.txt", "par/through"]))
    assert (inside / "raw/par/disk/deep/three.txt").read_text() == "three"
    assert (inside / "raw/par/through").read_text() == "three"
    assert (inside / "raw/par/disk/up.txt").read_text() == "par/a/one.txt"
    assert not _there(inside / "raw/par/disk/out/passwd")
    assert not _there(inside / "raw/par/disk/etc/passwd")


def test_two_mounts_inside_each_others_source(tmp_path):
    one = Mount(tmp_path / "x/one", f"dir:{tmp_path / 'y'}")
    (tmp_path / "y/two").mkdir(parents=True)
    (tmp_path / "y/two").rmdir()
    two = Mount(tmp_path / "y/two", f"dir:{tmp_path / 'x'}")
    (tmp_path / "x/in-x").write_text("x")
    (tmp_path / "y/in-y").write_text("y")
    with one, two:
        _expect_mounts_left_out(one, ["in-y"])
        _expect_mounts_left_out(two, ["in-x"])
        assert not _there(one / "raw/two/mnt/raw/one/mnt")
        assert os.listdir(one / "raw/two") and "mnt" not in os.listdir(one / "raw/two")


def test_a_mount_inside_its_source_that_was_detached_and_made_again(tmp_path, par, inside):
    old = os.open(inside / "raw/par", os.O_RDONLY)
    inside.remember_workers()
    inside.unmount("-l")
    again = Mount(tmp_path / "again", f"dir:{tmp_path}")
    with ExitStack() as ends:
        ends.callback(again.clean_up)
        run("mount", "--bind", again.folder, inside.folder)
        ends.callback(run, "umount", "-l", inside.folder)
        again.start()
        ends.callback(again.stop)
        _expect_mounts_left_out(again, FILES)
        # The old one, which nothing leads to any more but this:
        fresh = subprocess.run(["ls", f"/proc/self/fd/{old}/"], pass_fds=[old], timeout=wait.DEADLINE,
                               capture_output=True, text=True, check=True)
        assert fresh.stdout.split() == ["a", "b"]
        os.close(old)


def test_a_mount_whose_program_was_killed_is_left_out_like_others(tmp_path, par, mounted):
    dead = Mount(tmp_path / "dead", f"dir:{par}")
    with ExitStack() as ends:
        ends.callback(dead.clean_up)
        dead.start()
        dead.process.kill()
        mount = mounted(f"dir:{tmp_path}")
        _expect_mounts_left_out(mount, FILES)
        assert "mnt" not in os.listdir(mount / "raw/dead")
        assert "left out" not in mount.log()


def test_a_type_of_ones_own_changes_nothing(tmp_path, par, mounted):
    mount = mounted(f"dir:{tmp_path}", {"subtype": "mine"})
    _expect_mounts_left_out(mount, FILES)
