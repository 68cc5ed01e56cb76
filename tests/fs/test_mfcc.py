"""MFCC are librosa's."""
import errno
import os

import numpy as np
import pytest

from lib import clips, media, reference

SOUNDS = ("train/sound/speech.wav", "train/sound/stereo.wav", "train/sound/speech.flac",
          "train/sound/stereo.mp3", "train/sound/stereo.m4a", "train/sound/speech.ogg")
TRACKS = ("train/video/moov-last.mp4", "train/video/fragmented.mp4", "train/video/clip.mkv",
          "train/video/clip.avi", "train/video/clip.ts", "train/video/vp9.webm")


def _near(got, expected):
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < reference.MFCC_TOLERANCE


@pytest.mark.parametrize("key", SOUNDS + TRACKS)
def test_fixed_duration_is_librosas(mnt, tree, key):
    got = np.load(mnt / f"mfcc/{key}.npy")
    assert got.shape == (20, 1292)
    _near(got, reference.mfcc(tree / key))


@pytest.mark.parametrize("key", SOUNDS + TRACKS)
def test_full_duration_is_librosas(mnt, tree, key):
    _near(np.load(mnt / f"mfcc@duration=full/{key}.npy"), reference.mfcc(tree / key, duration=None))


@pytest.mark.parametrize("seconds", [0.5, 1.337, 4.999])
def test_a_duration_shorter_than_the_sound_cuts_it(mnt, tree, seconds):
    key = "train/sound/stereo.wav"
    _near(np.load(mnt / f"mfcc@duration={seconds}/{key}.npy"),
          reference.mfcc(tree / key, duration=seconds))


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_of_two(mnt, tree, channel):
    key = "train/sound/stereo.wav"
    _near(np.load(mnt / f"mfcc@channel={channel},duration=full/{key}.npy"),
          reference.mfcc(tree / key, duration=None, channel=channel))


def test_full_duration_has_its_exact_size_before_it_is_read(mnt, tree):
    key = "train/sound/speech.flac"
    path = mnt / f"mfcc@duration=full/{key}.npy"
    size = os.stat(path).st_size
    assert size == 128 + 4 * reference.mfcc(tree / key, duration=None).size
    assert len(path.read_bytes()) == size


def test_a_silent_clip_is_enodata(mnt):
    with pytest.raises(OSError) as failure:
        (mnt / "mfcc/val/special/silent.mp4.npy").read_bytes()
    assert failure.value.errno == errno.ENODATA


def test_digital_silence_is_librosas(tmp_path, mounted):
    import soundfile
    (tmp_path / "source").mkdir()
    soundfile.write(tmp_path / "source/zeros.wav", np.zeros(30_000), 22050)
    mount = mounted(f"dir:{tmp_path / 'source'}")
    got = np.load(mount / "mfcc@duration=full/zeros.wav.npy")
    assert np.allclose(got[0], -1131.371, atol=1e-3)
    assert np.abs(got[1:]).max() < reference.MFCC_TOLERANCE


@pytest.mark.parametrize("samples", [100, 2047, 2048, 5000, 5120])
def test_short_sounds_are_librosas(tmp_path, mounted, samples):
    import soundfile
    (tmp_path / "source").mkdir()
    noise = np.random.default_rng(samples).uniform(-0.5, 0.5, samples)
    soundfile.write(tmp_path / "source/noise.wav", noise, 22050, subtype="PCM_16")
    mount = mounted(f"dir:{tmp_path / 'source'}")
    _near(np.load(mount / "mfcc@duration=full/noise.wav.npy"),
          reference.mfcc(tmp_path / "source/noise.wav", duration=None))


def test_the_sound_of_real_footage(mounted):
    name = "bigbuckbunny.mp4"
    mount = mounted(f"dir:{clips.folder()}")
    _near(np.load(mount / f"mfcc/{name}.npy"), reference.mfcc(clips.folder() / name))


def test_media_have_sound():
    """The tests above are about sound that is there."""
    assert np.abs(reference.samples(media.speech())[0]).max() > 0.1
