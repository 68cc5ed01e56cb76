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


# -- several tracks -----------------------------------------------------------------------

def _two_tracks(name, first, second, *argv):
    """A film with two tracks of sound; both say that they are the one to be played."""
    quiet = converted("quiet.wav", media.speech(), "-af", "volume=0.2,atempo=0.8")

    def make(fresh):
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=128x96:r=25:d=1", "-i", media.speech(), "-i", quiet,
               "-map", "0", "-map", "1", "-map", "2", "-pix_fmt", "yuv420p", "-c:v", "libx264",
               *(f"{option}:a:{i}" if option.startswith("-") else option
                 for i, options in enumerate((first, second)) for option in options),
               "-disposition:a:0", "default", "-disposition:a:1", "default", *argv,
               "-fflags", "+bitexact", "-flags", "+bitexact", fresh)
    return made(name, repr((first, second, argv)).encode(), make)


def _track(path, number, folder):
    """One of the tracks in a file of its own."""
    alone = folder / f"track{number}.wav"
    ffmpeg("-i", path, "-map", f"0:a:{number}", "-c:a", "pcm_f32le", alone)
    return alone


def _streams(mount, name):
    text = (mount / f"info/{name}.txt").read_text()
    return {int(line.split()[1].rstrip(":")): line for line in text.splitlines()
            if line.startswith("stream ")}


def _is_mfcc_of(mount, name, alone):
    got = np.load(mount / f"mfcc@duration=2/{name}.npy")
    return np.abs(got - reference.mfcc(alone, duration=2.0)).max() < reference.MFCC_TOLERANCE


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_track_without_a_decoder_is_passed_over(tmp_path, mounted, ending):
    folder = tmp_path / "source"
    folder.mkdir()
    path = _two_tracks(f"undecodable.{ending}", ("-c", "aac", "-b", "128k", "-ac", "2"),
                       ("-c", "aac", "-b", "32k"))
    data = path.read_bytes()
    for name in (b"mp4a", b"esds") if ending == "mp4" else (b"A_AAC",):
        data = data.replace(name, b"ZZZZ" if ending == "mp4" else b"A_ZZZ", 1)
    (folder / path.name).write_bytes(data)
    mount = mounted(f"dir:{folder}")
    assert _is_mfcc_of(mount, path.name, _track(path, 1, tmp_path))
    streams = _streams(mount, path.name)
    assert "no decoder" in streams[1] and "selected" not in streams[1]
    assert "aac" in streams[2] and "selected" in streams[2]


@pytest.mark.parametrize("first, second", [
    (("-c", "pcm_s16le"), ("-c", "aac", "-b", "96k")),
    (("-c", "aac", "-b", "96k"), ("-c", "pcm_s16le")),
    (("-c", "alac"), ("-c", "aac", "-b", "24k")),
    (("-c", "ac3", "-ar", "48000"), ("-c", "aac", "-b", "24k")),
], ids=str)
def test_info_and_mfcc_agree_on_the_best_track(tmp_path, mounted, first, second):
    """Also where looking into the tracks gives another than their headers do."""
    path = _two_tracks("tracks.mov", first, second)
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "tracks.mov").write_bytes(path.read_bytes())
    mount = mounted(f"dir:{folder}")
    selected = [n for n, line in _streams(mount, "tracks.mov").items()
                if "audio" in line and "selected" in line]
    assert len(selected) == 1
    assert _is_mfcc_of(mount, "tracks.mov", _track(path, selected[0] - 1, tmp_path))
    assert not _is_mfcc_of(mount, "tracks.mov", _track(path, 2 - selected[0], tmp_path))
