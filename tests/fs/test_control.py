"""info/ and .s3samplefs/: what the mount says about clips and about itself."""
import configparser
import errno
import json
import os
import re

import numpy as np
import pytest

from lib import media


def test_control_directory_lists_its_files(mnt):
    assert {"stats", "stats.json", "errors", "config"} <= set(os.listdir(mnt / ".s3samplefs"))


def test_info_tells_streams_size_and_chosen_frames(mnt):
    text = (mnt / "info/train/video/moov-last.mp4.txt").read_text()
    for word in ("h264", "aac", "320", "180"):
        assert word in text, text


def test_info_of_sound_tells_codec_and_rate(mnt):
    text = (mnt / "info/train/sound/stereo.mp3.txt").read_text()
    assert "mp3" in text and "44100" in text


def test_info_keeps_its_size(mnt):
    path = mnt / "info/train/video/clip.mkv.txt"
    assert os.stat(path).st_size == len(path.read_bytes()) == os.stat(path).st_size


def test_stats_json_counts_what_was_read(mnt):
    before = mnt.stats()
    np.load(mnt / "frames@size=40,num_frames=3/train/video/clip.mkv.npy")
    after = mnt.stats()
    assert after["frames_decoded"] > before["frames_decoded"]
    assert after["fuse_reads"] > before["fuse_reads"]
    assert after["decode_jobs"] > before["decode_jobs"]
    assert all(isinstance(value, int) for value in after.values())


def test_stats_text_names_the_same_counters(mnt):
    lines = (mnt / ".s3samplefs/stats").read_text().splitlines()
    assert {line.split()[0] for line in lines} == set(mnt.stats())


def _waits(mount):
    return [value for name, value in mount.stats().items() if name.startswith("fuse_waits_")]


def test_waits_are_counted_by_how_long_they_took(mnt):
    before = _waits(mnt)
    assert not os.path.exists(mnt / "raw/not-there-1") and not os.path.exists(mnt / "raw/not-there-2")
    after = _waits(mnt)
    assert len(before) == 5 and all(a >= b for a, b in zip(after, before))
    assert sum(after) >= sum(before) + 2


def test_control_files_cannot_be_written(mnt):
    for name in os.listdir(mnt / ".s3samplefs"):
        path = mnt / ".s3samplefs" / name
        assert os.stat(path).st_mode & 0o7777 == 0o444
        with pytest.raises(OSError) as failure:
            os.open(path, os.O_WRONLY | os.O_TRUNC)
        assert failure.value.errno == errno.EROFS


@pytest.mark.parametrize("name", ["stats", "stats.json", "errors", "config"])
def test_control_files_can_be_read_by_anyone(mnt, name):
    assert os.stat(mnt / ".s3samplefs" / name).st_mode & 0o777 == 0o444
    with open(mnt / ".s3samplefs" / name) as f:
        f.read()


def test_config_is_an_ini_that_mounts_the_same_views(tree, mounted):
    first = mounted(f"dir:{tree}", {"timeout": "33s"}, config="[view tiny]\ntype = frames\n"
                                                              "size = 32\nnum_frames = 2\n")
    text = (first / ".s3samplefs/config").read_text()
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert parser["view tiny"]["size"] == "32"
    second = mounted(f"dir:{tree}", config=text)
    assert os.listdir(second.point) == os.listdir(first.point)
    key = "train/video/clip.mkv.npy"
    assert (second / "tiny" / key).read_bytes() == (first / "tiny" / key).read_bytes()


def test_config_keeps_secrets(bucket, mounted):
    server = bucket.server
    mount = mounted(bucket.source, server.options() | {"aws_access_key_id": server.access_key,
                                                       "aws_secret_access_key": server.secret_key})
    text = (mount / ".s3samplefs/config").read_text()
    assert server.secret_key not in text
    assert "(set)" in text
    assert server.secret_key not in mount.log()


def test_errors_tells_which_file_and_why(tmp_path, mounted):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/garbage.mp4").write_bytes(media.garbage())
    mount = mounted(f"dir:{tmp_path / 'source'}")
    assert (mount / ".s3samplefs/errors").read_text() == ""
    with pytest.raises(OSError):
        (mount / "frames/garbage.mp4.npy").read_bytes()
    assert "garbage.mp4" in (mount / ".s3samplefs/errors").read_text()


def test_stats_json_is_one_object(mnt):
    assert isinstance(json.loads((mnt / ".s3samplefs/stats.json").read_text()), dict)


def test_debug_tells_each_request_to_the_store(bucket, mounted):
    bucket.put("d/x", bytes(100_000))
    mount = mounted(bucket, {"log_level": "debug"}, server=bucket.server)
    assert (mount / "raw/d/x").read_bytes() == bytes(100_000)
    line = next(line for line in mount.log().splitlines() if " GET d/x " in line)
    assert re.search(r"s3 GET d/x bytes 0-\d+/100000: answered, status 206, \d+ bytes in \d+ ms, attempt 1$",
                     line), line
