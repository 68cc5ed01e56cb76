"""What can't be mounted is told in one sentence: exit 2 for usage and configuration, 1 for the
world outside."""
import subprocess

import pytest

from lib.mount import environment, program
from lib.s3server import ACCESS_KEY


def _run(tmp_path, *argv):
    done = subprocess.run([program(), *argv], env=environment(tmp_path), capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def test_help(tmp_path):
    status, out, err = _run(tmp_path, "--help")
    assert status == 0 and "Usage" in out and "MOUNTPOINT" in out and err == ""


def test_version(tmp_path):
    status, out, _ = _run(tmp_path, "--version")
    assert status == 0 and any(c.isdigit() for c in out)


@pytest.mark.parametrize("argv", [(), ("dir:/tmp",), ("dir:/tmp", "/mnt", "extra"), ("--nonsense",),
                                  ("ftp://x", "/mnt"), ("s3://", "/mnt"), ("dir:", "/mnt"),
                                  ("s3://Bad_Bucket!/x", "/mnt"), ("-o",)], ids=str)
def test_wrong_usage_is_exit_2(tmp_path, argv):
    status, out, err = _run(tmp_path, *argv)
    assert status == 2 and out == ""
    assert err.startswith("s3samplefs: ") and err.count("\n") <= 2


OPTIONS = [
    ({"timeout": "banana"}, ["timeout", "banana"]),
    ({"timeout": "0s"}, ["timeout"]),
    ({"memory": "lots"}, ["memory", "lots"]),
    ({"memory": "1"}, ["memory", "448M"]),
    ({"memory": "1G", "workers": "9"}, ["workers=9", "room for 2", "memory=3008M"]),
    ({"num_frames": "4"}, ["num_frames", "VIEW@num_frames=VALUE", "config="]),
    ({"log": "/nonexistent/s3samplefs.log"}, ["log=/nonexistent/s3samplefs.log", "No such file"]),
    ({"workers": "-1"}, ["workers"]),
    ({"connections": "0"}, ["connections"]),
    ({"max_attempts": "0"}, ["max_attempts"]),
    ({"endpoint_url": "nonsense"}, ["endpoint_url", "http"]),
    ({"endpoint_url": "http://127.0.0.1:99999"}, ["endpoint_url", "99999", "http"]),
    ({"endpoint_url": "http://user:pass%word@127.0.0.1:1"}, ["endpoint_url", "http://***@127.0.0.1:1"]),
    ({"endpoint_url": "https://user:with,comma@host"}, ["https://***: must be"]),
    ({"log_level": "loud"}, ["log_level", "debug"]),
    ({"path_style": "maybe"}, ["path_style"]),
    ({"tiemout": "3s"}, ["tiemout", "timeout"]),
    ({"config": "/nonexistent.ini"}, ["/nonexistent.ini"]),
]


@pytest.mark.parametrize("options, words", OPTIONS, ids=lambda v: str(v)[:40])
def test_a_bad_option_is_exit_2_and_named(tree, unmounted, options, words):
    status, said = unmounted(f"dir:{tree}", options).refuse()
    assert status == 2
    for word in words:
        assert word in said, said
    assert said.count("\n") == 1
    assert "pass%word" not in said and "comma" not in said


CONFIGS = [
    ("[mount]\ntimeout = banana\n", 2, ["timeout", "banana"]),
    ("[mount]\n\nnonsense = 1\n", 3, ["nonsense"]),
    ("[view frames]\ntype = frames\nnum_frames = many\n", 3, ["num_frames", "all"]),
    ("[view frames]\ntype = frames\nresize = zoom\n", 3, ["resize", "crop", "stretch", "pad"]),
    ("[view frames]\ntype = frames\nsampling = random\n", 3, ["sampling", "uniform"]),
    ("[view frames]\ntype = frames\nsize = 0\n", 3, ["size", "native"]),
    ("[view x]\ntype = nonsense\n", 2, ["type", "frames", "mfcc"]),
    ("[view m]\ntype = mfcc\nn_mfcc = 0\n", 3, ["n_mfcc"]),
    ("[view m]\ntype = mfcc\nnum_frames = 3\n", 3, ["num_frames"]),
    ("[view bad name]\ntype = raw\n", 1, ["bad name"]),
    ("[nonsense]\n", 1, ["nonsense"]),
    ("key = value\n", 1, ["key"]),
    ("[mount\n", 1, []),
    ("[mount]\nno equals sign\n", 2, []),
    ("[view a]\ntype = raw\n[view a]\ntype = raw\n", 3, ["a"]),
]


@pytest.mark.parametrize("text, line, words", CONFIGS, ids=lambda v: repr(v)[:50])
def test_a_bad_config_is_exit_2_with_file_line_key_and_accepted_values(tree, unmounted, text, line,
                                                                       words):
    mount = unmounted(f"dir:{tree}", config=text)
    status, said = mount.refuse()
    assert status == 2
    assert f"{mount.options['config']}:{line}:" in said
    for word in words:
        assert word in said, said


CONFLICTS = [
    ("[view m]\ntype = mfcc\nwin_length = 4096\n", ["win_length", "n_fft"]),
    ("[view m]\ntype = mfcc\nn_mfcc = 200\n", ["n_mfcc", "n_mels"]),
    ("[view m]\ntype = mfcc\nfmin = 5000\nfmax = 100\n", ["fmin", "fmax"]),
    ("[view s]\ntype = samples\nframes = nothing\n", ["nothing"]),
]


@pytest.mark.parametrize("text, words", CONFLICTS, ids=lambda v: repr(v)[:50])
def test_keys_that_contradict_each_other_are_exit_2(tree, unmounted, text, words):
    status, said = unmounted(f"dir:{tree}", config=text).refuse()
    assert status == 2
    for word in words:
        assert word in said, said


def test_an_option_wins_over_the_config(tree, mounted):
    mount = mounted(f"dir:{tree}", {"timeout": "7s"}, config="[mount]\ntimeout = 99s\n")
    text = (mount / ".s3samplefs/config").read_text()
    assert "99" not in text and "timeout = 7" in text


def test_a_source_folder_that_is_missing_is_exit_2(tmp_path, unmounted):
    status, said = unmounted(f"dir:{tmp_path / 'nothing'}").refuse()
    assert status == 2 and "nothing" in said and said.count("\n") == 1


def test_a_mount_point_that_is_missing_is_told(tree, unmounted):
    mount = unmounted(f"dir:{tree}")
    mount.point.rmdir()
    status, said = mount.refuse()
    assert status == 2 and str(mount.point) in said


def test_a_bucket_that_is_missing_is_exit_1(seaweed, unmounted):
    status, said = unmounted("s3://nowhere", seaweed.options(),
                             env=seaweed.environment()).refuse()
    assert status == 1 and "nowhere" in said and said.count("\n") == 1


def test_a_wrong_secret_is_exit_1_and_not_shown(ads, unmounted):
    env = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "veryWrongSecret"}
    status, said = unmounted(ads.source, ads.server.options(), env=env).refuse()
    assert status == 1 and said.count("\n") == 1
    assert "ads" in said and "SignatureDoesNotMatch" in said
    assert "veryWrongSecret" not in said


def test_an_unknown_access_key_is_exit_1(ads, unmounted):
    env = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "x"}
    status, said = unmounted(ads.source, ads.server.options(), env=env).refuse()
    assert status == 1 and "InvalidAccessKeyId" in said


def test_a_server_that_does_not_answer_is_exit_1(unmounted):
    env = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    status, said = unmounted("s3://ads", {"endpoint_url": "http://127.0.0.1:1", "path_style": True,
                                          "max_attempts": 1}, env=env).refuse()
    assert status == 1 and "127.0.0.1" in said


def test_a_password_in_the_environments_endpoint_is_not_shown(unmounted):
    env = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
           "AWS_ENDPOINT_URL": "http://me:hushhush@127.0.0.1:1"}
    status, said = unmounted("s3://ads", env=env).refuse()
    assert status != 0 and "http://***@127.0.0.1:1" in said and "hushhush" not in said


def test_no_credentials_at_all_is_exit_1_and_says_where_they_are_looked_for(ads, unmounted):
    status, said = unmounted(ads.source, ads.server.options()).refuse()
    assert status == 1 and "credentials" in said


def test_a_worker_program_that_ends_at_once_is_exit_1(tree, unmounted):
    mount = unmounted(f"dir:{tree}", env={"S3SAMPLEFS_WORKER": "/bin/true"})
    status, said = mount.refuse()
    assert status == 1 and "/true ended with status 0" in said


def test_a_missing_worker_program_is_exit_1(tree, unmounted):
    mount = unmounted(f"dir:{tree}", env={"S3SAMPLEFS_WORKER": "/nonexistent/worker"})
    status, said = mount.refuse()
    assert status == 1 and "/nonexistent/worker" in said


def test_in_the_background_the_sentence_still_reaches_the_terminal(seaweed, unmounted):
    mount = unmounted("s3://nowhere", seaweed.options(), env=seaweed.environment())
    done = subprocess.run(mount.command(), env=mount.env, capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "nowhere" in done.stderr
    assert not mount.mounted()
