"""Sound of every ending, of hours, and of files that something is missing from."""
import configparser
import errno
import os

import numpy as np
import pytest

from lib import media, reference
from lib.recipes import converted, ffmpeg, made
from lib.threads import errno_of, read_bytes

# ending -> arguments of ffmpeg behind a second of speech and of pictures
X264 = ("-map", "1", "-map", "0", "-pix_fmt", "yuv420p", "-c:v", "libx264")
MPEG2 = ("-map", "1", "-map", "0", "-pix_fmt", "yuv420p", "-c:v", "mpeg2video")
VIDEO = {
    "mp4": X264, "m4v": (*X264, "-f", "mp4"), "mov": X264, "mkv": X264,
    "webm": ("-map", "1", "-map", "0", "-c:v", "libvpx", "-ar", "48000", "-c:a", "libopus"),
    "avi": (*X264, "-c:v", "mpeg4", "-c:a", "libmp3lame"), "ts": X264, "m2ts": X264,
    "mts": (*X264, "-f", "mpegts"), "mpg": MPEG2, "mpeg": (*MPEG2, "-f", "vob"),
    "wmv": (*X264, "-c:v", "wmv2", "-c:a", "wmav2", "-f", "asf"),
    "flv": (*X264, "-c:v", "flv", "-ar", "22050", "-c:a", "libmp3lame"), "3gp": (*X264, "-c:a", "aac"),
    "ogv": ("-map", "1", "-map", "0", "-c:v", "libtheora", "-c:a", "libvorbis"),
}
AUDIO = {
    "wav": (), "mp3": (), "m4a": ("-c:a", "aac"), "aac": ("-c:a", "aac"), "flac": (),
    "ogg": ("-c:a", "libvorbis"), "oga": ("-c:a", "flac"), "opus": ("-ar", "48000"),
    "wma": ("-c:a", "wmav2", "-f", "asf"), "aif": ("-f", "aiff"), "aiff": (), "au": (),
    "mka": ("-c:a", "aac"), "ac3": ("-ar", "48000"),
}


def _amr(path):
    """Speech frames of 12.2 kbit/s with noise for speech: nothing here encodes AMR."""
    noise = np.random.default_rng(4)
    path.write_bytes(b"#!AMR\n" + b"".join(b"\x3c" + noise.bytes(31) for _ in range(50)))


def _file(ending):
    if ending == "amr":
        return made("one.amr", b"noise", _amr)
    pictures = ("-f", "lavfi", "-i", "testsrc=s=128x96:r=25:d=1") if ending in VIDEO else ()
    arguments = (VIDEO | AUDIO)[ending]

    def make(fresh):
        ffmpeg("-t", "1", "-i", media.speech(), *pictures, *arguments, "-fflags", "+bitexact",
               "-flags", "+bitexact", fresh)
    return made(f"one.{ending}", repr((pictures, arguments)).encode(), make)


def _default_endings(mount, view):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((mount / ".s3samplefs/config").read_text())
    return [glob.removeprefix("*.") for glob in parser[f"view {view}"]["match"].split()]


def test_every_ending_of_the_default_match_can_be_opened(tmp_path, mounted):
    folder = tmp_path / "source"
    folder.mkdir()
    mount = mounted(f"dir:{folder}")
    endings = _default_endings(mount, "mfcc")
    assert endings and set(endings) == set(_default_endings(mount, "info"))
    assert set(endings) == set(VIDEO) | set(AUDIO) | {"amr"}, "how is one of these made?"
    for ending in endings:
        (folder / f"{ending}.{ending}").write_bytes(_file(ending).read_bytes())
    for ending in endings:
        name = f"{ending}.{ending}"
        got = np.load(mount / f"mfcc@duration=1/{name}.npy")
        expected = reference.mfcc(folder / name, duration=1.0)
        assert np.abs(got - expected).max() < reference.MFCC_TOLERANCE, ending
        assert "audio" in (mount / f"info/{name}.txt").read_text(), ending
    for ending in _default_endings(mount, "frames"):
        assert np.load(mount / f"frames@size=32,num_frames=2/{ending}.{ending}.npy").any(), ending


# -- long ones --------------------------------------------------------------------------

def _minutes(name, seconds, *filters):
    """Speech over and over, ever louder."""
    louder = f"volume='0.001+t/{seconds}':eval=frame"
    return converted(name, media.speech(), "-af",
                     ",".join((f"aloop=-1:size=2e9,atrim=end={seconds}", louder, *filters)),
                     "-b:a", "64k")


@pytest.fixture(scope="module")
def minute():
    return _minutes("minute.mp3", 60)


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@pytest.mark.parametrize("top_db", [80, None])
def test_sound_of_forty_million_samples_is_librosas(tmp_path, mounted, minute, top_db):
    """As many as 35 minutes have at 22050 Hz. Ever louder, and its log mels aren't all kept: with
    top_db what came first is computed again."""
    (tmp_path / "minute.mp3").write_bytes(minute.read_bytes())
    mount = mounted(f"dir:{tmp_path}", {"workers": 1, "timeout": "10m"})
    keys = dict(sr=768000, hop_length=2048, n_mels=1024)
    name = ",".join(f"{key}={value}" for key, value in keys.items())
    got = np.load(mount / f"mfcc@duration=full,top_db={top_db or 'none'},{name}/minute.mp3.npy")
    expected = reference.mfcc(minute, duration=None, top_db=top_db, **keys)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < reference.MFCC_TOLERANCE


def test_a_result_beyond_memory_is_enomem_and_remembered(tmp_path, mounted, minute):
    (tmp_path / "minute.mp3").write_bytes(minute.read_bytes())
    mount = mounted(f"dir:{tmp_path}", {"workers": 1, "memory": "448M", "timeout": "10m"})
    path = mount / "mfcc@duration=full,hop_length=8,n_fft=64,win_length=64/minute.mp3.npy"
    assert errno_of(os.open, path, os.O_RDONLY) == errno.ENOMEM
    jobs = mount.stat("decode_jobs")
    assert errno_of(os.open, path, os.O_RDONLY) == errno.ENOMEM
    assert mount.stat("decode_jobs") == jobs
    assert "memory=" in (mount / ".s3samplefs/errors").read_text()
    assert errno_of(read_bytes, mount / "mfcc/minute.mp3.npy") is None
