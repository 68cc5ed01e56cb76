"""Mounting as people do: in the background, and by mount(8)."""
import os
import subprocess

import numpy as np

from lib import trees
from lib.run import run


def test_the_command_returns_when_the_mount_is_there(tree, unmounted):
    mount = unmounted(f"dir:{tree}")
    run(*mount.command(), env=mount.env)
    assert mount.mounted()
    mount.adopt()
    assert trees.keys(mount / "raw") == trees.keys(tree)
    assert np.load(mount / "frames/train/video/clip.mkv.npy").shape == (16, 224, 224, 3)
    mount.stop()


def test_relative_paths_hold_in_the_background(tree, unmounted):
    mount = unmounted("dir:.")
    done = subprocess.run([mount.command()[0], "dir:.", os.path.relpath(mount.point, tree)],
                          cwd=tree, env=mount.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    mount.source = f"dir:{tree}"
    assert mount.mounted()
    [pid] = [int(p) for p in os.listdir("/proc") if p.isdigit() and _runs(p, mount)]
    mount.pid = pid
    assert (mount / "raw/README").read_text() == "a bucket\n"
    mount.stop()


def _runs(pid, mount):
    """The daemon was given a relative mount point; its home is the mount's own."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            ours = f"HOME={mount.home}".encode() in f.read().split(b"\0")
        return ours and os.readlink(f"/proc/{pid}/exe") == mount.command()[0]
    except OSError:
        return False


def test_the_daemon_in_the_background_holds_no_terminal_and_no_folder(tree, unmounted):
    mount = unmounted(f"dir:{tree}")
    run(*mount.command(), env=mount.env, cwd=mount.folder)
    mount.adopt()
    assert os.readlink(f"/proc/{mount.pid}/cwd") == "/"
    for fd in (0, 1, 2):
        assert os.readlink(f"/proc/{mount.pid}/fd/{fd}") == "/dev/null"
    assert os.getsid(mount.pid) != os.getsid(0)
    mount.stop()


def test_mount_8_mounts_a_bucket(ads, tree, unmounted):
    server = ads.server
    mount = unmounted(ads.source, server.options(), env=server.environment())
    run("mount", "-t", "fuse.s3samplefs", "s3://ads", mount.point, "-o",
        f"endpoint_url={server.endpoint},path_style", env=mount.env)
    assert mount.mounted()
    mount.adopt()
    assert trees.keys(mount / "raw") == trees.keys(tree)
    assert (mount / "raw/README").read_text() == "a bucket\n"
    assert np.load(mount / "frames/train/video/clip.mkv.npy").shape == (16, 224, 224, 3)
    assert "fuse.s3samplefs" in run("findmnt", "-n", "-o", "FSTYPE", mount.point)
    assert run("findmnt", "-n", "-o", "SOURCE", mount.point).strip() == "s3://ads"
    run("umount", mount.point)
    mount.expect_nothing_left()
    mount.pid = None


def test_mount_8_takes_the_options_of_fstab(tree, unmounted):
    mount = unmounted(f"dir:{tree}")
    run("mount", "-t", "fuse.s3samplefs", f"dir:{tree}", mount.point, "-o",
        "ro,noatime,nosuid,nodev,allow_other,_netdev,nofail",
        env=mount.env)
    mount.adopt()
    assert "allow_other" in run("findmnt", "-n", "-o", "OPTIONS", mount.point)
    mount.stop()


def test_allow_other_lets_other_users_read(tree, mounted):
    mount = mounted(f"dir:{tree}", {"allow_other": True})
    path = mount / "raw/README"
    for folder in path.parents:
        if folder.is_relative_to("/tmp") and folder != mount.point and folder.owner() == "root" \
                and not folder.is_relative_to(mount.point):
            folder.chmod(folder.stat().st_mode | 0o011)
    run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", path)


def test_the_log_goes_where_it_is_sent(tree, mounted, tmp_path):
    mount = mounted(f"dir:{tree}", {"log": tmp_path / "the.log", "log_level": "debug"})
    os.listdir(mount / "raw")
    assert (tmp_path / "the.log").read_text() != ""
    assert mount.log() == ""
