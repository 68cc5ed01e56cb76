"""Mounting as people do: in the background, and by mount(8)."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lib import trees
from lib.mount import program
from lib.run import run
from lib.wait import until


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
    assert mount.mounted()
    [mount.pid] = [int(p) for p in os.listdir("/proc") if p.isdigit() and _runs(p, mount)]
    assert (mount / "raw/README").read_text() == "a bucket\n"
    mount.stop()


def test_relative_paths_in_the_environment_hold_in_the_background(ads, proxy, unmounted):
    """AWS's files, the CA bundle and the decoder are found from where the user stands."""
    mount = unmounted(ads.source, {"endpoint_url": proxy.tls_endpoint})
    (mount.folder / "credentials").write_text(f"""[default]
aws_access_key_id = {proxy.access_key}
aws_secret_access_key = {proxy.secret_key}
""")
    (mount.folder / "aws").mkdir()
    (mount.folder / "aws/config").write_text("[default]\nregion = us-east-1\n")
    os.symlink(proxy.certificate, mount.folder / "ca.pem")
    os.symlink(mount.env["S3SAMPLEFS_WORKER"], mount.folder / "decoder")
    env = mount.env | {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "./aws/config",
                       "AWS_CA_BUNDLE": "ca.pem", "S3SAMPLEFS_WORKER": "decoder"}
    done = subprocess.run(mount.command(), cwd=mount.folder, env=env, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    mount.adopt()
    assert (mount / "raw/README").read_text() == "a bucket\n"
    assert np.load(mount / "frames/train/video/clip.mkv.npy").shape == (16, 224, 224, 3)
    mount.stop()


def _runs(pid, mount):
    """The daemon was given a relative mount point; its home is the mount's own."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            ours = f"HOME={mount.home}".encode() in f.read().split(b"\0")
        return ours and os.path.samefile(f"/proc/{pid}/exe", program())
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


def _said_by(mount):
    """What the command says on its way to the background."""
    done = subprocess.run(mount.command(), env=mount.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    mount.adopt()
    return done.stderr


def test_nothing_is_said_when_all_is_well(tree, unmounted):
    mount = unmounted(f"dir:{tree}")
    assert _said_by(mount) == ""
    mount.stop()


def test_a_source_with_nothing_in_it_is_warned_of(bucket, unmounted):
    bucket.put("data/clip.mp4", b"x")
    for wrong in ("dat", "data/clip.mp4", "nosuch"):
        mount = unmounted(f"{bucket.source}/{wrong}", bucket.server.options(),
                          env=bucket.server.environment())
        said = _said_by(mount)
        assert said.startswith("s3samplefs: warning: nothing is in s3://") and wrong in said
        assert said.count("\n") == 1
        mount.stop()


def test_an_empty_folder_is_warned_of(tmp_path, unmounted):
    (tmp_path / "empty").mkdir()
    mount = unmounted(f"dir:{tmp_path}/empty")
    assert "warning: nothing is in dir:" in _said_by(mount)
    mount.stop()


def test_a_mount_point_that_is_not_empty_is_warned_of(tree, unmounted):
    mount = unmounted(f"dir:{tree}")
    (mount.point / "mine").write_text("still here")
    said = _said_by(mount)
    assert f"warning: {mount.point} is not empty" in said and said.count("\n") == 1
    mount.stop()
    assert (mount.point / "mine").read_text() == "still here"


SECRETS = "[mount]\naws_access_key_id = AKIA\naws_secret_access_key = hush\n"


@pytest.mark.parametrize("mode, text, warned", [(0o644, SECRETS, True), (0o604, SECRETS, True),
                                                (0o640, SECRETS, False), (0o600, SECRETS, False),
                                                (0o644, "[mount]\ntimeout = 9s\n", False)])
def test_a_config_with_secrets_that_others_can_read_is_warned_of(tree, unmounted, mode, text,
                                                                 warned):
    mount = unmounted(f"dir:{tree}", config=text)
    mount.options["config"].chmod(mode)
    said = _said_by(mount)
    assert "hush" not in said
    if warned:
        assert f"warning: {mount.options['config']} has credentials in it" in said
        assert said.count("\n") == 1
    else:
        assert said == ""
    mount.stop()


def test_allow_other_of_a_folder_is_warned_of_and_so_in_the_log(tree, unmounted, tmp_path):
    log = tmp_path / "the.log"
    mount = unmounted(f"dir:{tree}", {"allow_other": True, "log": log})
    said = _said_by(mount)
    assert f"warning: allow_other lets everybody read all of {tree}" in said
    assert said.count("\n") == 1
    assert "allow_other lets everybody read" in log.read_text()
    mount.stop()


def test_a_dead_mount_in_the_way_is_named(tree, mounted):
    mount = mounted(f"dir:{tree}")
    mount.process.kill()
    status, said = mount.refuse_again()
    assert status == 2 and "whose program has died" in said and "fusermount3 -u" in said
    mount.unmount("-l")
    mount.pid = None


@pytest.fixture
def mount_8(unmounted):
    """mount_8(source, options, env): mounts by mount(8), which looks for the program in the system's
    folders only. So it runs in a mount namespace of its own, where the built one lies there. Returns
    the mount and the mount point as seen from here."""
    mounts = []

    def make(source, options, env=None):
        mount = unmounted(source, env=env)
        run("unshare", "--mount", "sh", "-c",
            f'mount --bind {program().parent} /usr/local/sbin && exec mount "$@"', "sh",
            "-t", "fuse.s3samplefs", source, mount.point, "-o", options, env=mount.env)
        mounts.append(mount.adopt())
        return mount, Path(f"/proc/{mount.pid}/root") / mount.point.relative_to("/")

    yield make
    for mount in mounts:
        mount.remember_workers()
        run("nsenter", f"--mount=/proc/{mount.pid}/ns/mnt", "umount", mount.point)
        mount.expect_nothing_left()


def _mount_table(mount):
    """(type, source, options) of the mount, as its namespace has it."""
    with open(f"/proc/{mount.pid}/mounts") as table:
        for line in table:
            source, point, kind, options = line.split()[:4]
            if point == str(mount.point):
                return kind, source, options.split(",")
    raise AssertionError("not mounted")


def test_mount_8_mounts_a_bucket(ads, tree, mount_8):
    server = ads.server
    mount, seen = mount_8("s3://ads", f"endpoint_url={server.endpoint},path_style",
                          server.environment())
    assert _mount_table(mount)[:2] == ("fuse.s3samplefs", "s3://ads")
    assert trees.keys(seen / "raw") == trees.keys(tree)
    assert (seen / "raw/README").read_text() == "a bucket\n"
    assert np.load(seen / "frames/train/video/clip.mkv.npy").shape == (16, 224, 224, 3)
    assert np.load(seen / "mfcc/train/video/clip.mkv.npy").shape == (20, 1292)


def test_mount_8_takes_the_options_of_fstab(tree, mount_8):
    mount, seen = mount_8(f"dir:{tree}", "ro,noatime,nosuid,nodev,allow_other,_netdev,nofail")
    assert {"ro", "noatime", "nosuid", "nodev", "allow_other"} <= set(_mount_table(mount)[2])
    assert (seen / "raw/README").read_text() == "a bucket\n"


def test_allow_other_lets_other_users_read(tree, mounted, tmp_path_factory):
    mount = mounted(f"dir:{tree}", {"allow_other": True})
    path = mount / "raw/README"
    base = tmp_path_factory.getbasetemp().resolve()
    for folder in mount.point.parents:      # pytest's own folders are closed to others
        if folder.is_relative_to(base):
            folder.chmod(folder.stat().st_mode | 0o011)
    run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", path)


def test_the_log_goes_where_it_is_sent(tree, mounted, tmp_path):
    mount = mounted(f"dir:{tree}", {"log": tmp_path / "the.log", "log_level": "debug"})
    until((tmp_path / "the.log").read_text, "a line in the log")
    assert mount.log() == ""
