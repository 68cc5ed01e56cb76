"""The media of the tests: a tree like a user's, {split}/{label}/clip, made once.

tree(folder) fills a folder; its relative paths are the keys of the buckets. What is broken or
large has a function of its own and is put where a test needs it.
"""
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from lib.recipes import Clip, converted, made, spoken

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "3")
TEXT = "The quick brown fox jumps over the lazy dog. Every frame has a number, and it is burned in."

# Containers and codecs in which numbered pictures must come back right.
NUMBERED = {
    "train/video/moov-last.mp4": dict(video=X264),
    "train/video/moov-first.mp4": dict(video=X264, output=("-movflags", "+faststart")),
    "train/video/fragmented.mp4": dict(video=X264, output=("-movflags",
                                                           "+frag_keyframe+empty_moov")),
    "train/video/clip.mkv": dict(video=X264),
    "train/video/clip.mov": dict(video=X264),
    "train/video/clip.avi": dict(video=X264, audio=("-c:a", "libmp3lame")),
    "train/video/clip.ts": dict(video=X264),
    "train/video/vp9.webm": dict(video=("-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-g", "25",
                                        "-deadline", "realtime", "-cpu-used", "8"),
                                 audio=("-c:a", "libopus")),
    "train/video/mpeg4.avi": dict(video=("-c:v", "mpeg4", "-q:v", "3", "-g", "12", "-bf", "2"),
                                  audio=("-c:a", "libmp3lame")),
}

# The same, but the shape of the clip is what is special.
SPECIAL = {
    "val/special/five.mp4": dict(frames=5),
    "val/special/one.mp4": dict(frames=1),
    "val/special/silent.mp4": dict(frames=50),
    "val/special/portrait.mp4": dict(frames=30, height=320, width=180),
    "val/special/odd.webm": dict(frames=30, height=143, width=175,
                                 video=("-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-deadline",
                                        "realtime", "-cpu-used", "8")),
    "val/special/vfr.mp4": dict(frames=120, video=("-vf", "select=not(mod(n\\,7))+lt(mod(n\\,40)"
                                                   "\\,15)", "-vsync", "vfr", *X264)),
}


@lru_cache
def speech(seconds=5):
    return spoken(f"speech{seconds}.wav", TEXT, seconds)


def numbered(key):
    return Clip(Path(key).name, sound=speech(), **NUMBERED[key]).make()


def special(key):
    return Clip(Path(key).name, **SPECIAL[key]).make()


def rotated():
    """Shown a quarter turn to the right of how it is coded."""
    return converted("rotated.mp4", Clip("upright.mp4", frames=30).make(), "-c", "copy",
                     "-metadata:s:v", "rotate=90")


def edited():
    """Its edit list starts in the middle of a GOP: frames that decode, but aren't shown."""
    path = numbered("train/video/moov-last.mp4")

    def cut(fresh):
        from lib.recipes import ffmpeg
        ffmpeg("-ss", "1.32", "-i", path, "-c", "copy", "-fflags", "+bitexact", fresh)
    return made("edited.mp4", repr(("cut", path.name)).encode(), cut)


def sounds():
    """key -> file: speech in every audio container, stereo at 44,100 Hz where the name says so."""
    voice = speech()
    stereo = converted("stereo.wav", voice, "-ar", "44100", "-af",
                       "aformat=channel_layouts=stereo,pan=stereo|c0=c0|c1=0.5*c0", "-c:a",
                       "pcm_s16le", "-fflags", "+bitexact")
    return {
        "train/sound/speech.wav": voice,
        "train/sound/stereo.wav": stereo,
        "train/sound/speech.flac": converted("speech.flac", voice),
        "train/sound/stereo.mp3": converted("stereo.mp3", stereo, "-b:a", "128k"),
        "train/sound/stereo.m4a": converted("stereo.m4a", stereo, "-c:a", "aac"),
        "train/sound/speech.ogg": converted("speech.ogg", voice, "-c:a", "libvorbis"),
    }


def files():
    """key -> path of the whole tree."""
    tree = {key: numbered(key) for key in NUMBERED}
    tree |= {key: special(key) for key in SPECIAL}
    tree |= sounds()
    tree["val/special/rotated.mp4"] = rotated()
    tree["val/special/edited.mp4"] = edited()
    # A clip whose sound lies beside it in a file of its own.
    tree["test/pair/pair.mp4"] = special("val/special/silent.mp4")
    tree["test/pair/pair.wav"] = speech()
    return tree


def tree(folder):
    """Fills folder with hard links where it can, copies where it can't; texts, too."""
    for key, path in files().items():
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        os.utime(target, (1_700_000_000, 1_700_000_000))
    (folder / "train" / "notes.txt").write_text("not media\n")
    (folder / "README").write_text("a bucket\n")
    return folder


def ten_minutes():
    """10 minutes at 5 frames a second, index at the end, some 30 MB: grain that doesn't compress."""
    return Clip("ten-minutes.mp4", frames=3000, height=144, width=256, rate=5,
                video=("-vf", "noise=alls=30:allf=t", "-c:v", "libx264", "-pix_fmt", "yuv420p",
                       "-preset", "ultrafast", "-bf", "2", "-g", "25", "-b:v", "400k", "-maxrate",
                       "400k", "-bufsize", "400k")).make()


def garbage(size=200_000):
    """No medium at all."""
    return np.random.default_rng(3).bytes(size)


def claims_fifty_million_samples():
    """An mp4 of a few kilobytes whose sample table claims 50 million samples."""
    data = bytearray(special("val/special/five.mp4").read_bytes())
    many = (50_000_000).to_bytes(4, "big")
    stsz = data.index(b"stsz")
    data[stsz + 8:stsz + 12] = (100).to_bytes(4, "big")      # all samples of one size: no table
    data[stsz + 12:stsz + 16] = many
    stts = data.index(b"stts")
    data[stts + 12:stts + 16] = many                         # the first run's count
    return bytes(data)
