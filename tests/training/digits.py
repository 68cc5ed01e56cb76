#!/usr/bin/env python3
"""A data set that can be learned: clips of spoken digits, with moving shapes as picture.

    tests/training/digits.py FOLDER [--speeds 120,150,180] [--seed N] [--jobs N]

makes FOLDER/{train,val}/{zero..nine}/VOICE-SPEED.mp4 (H.264 and AAC, 1.5 s each) by
espeak-ng and ffmpeg. Whole voices are held out for validation: with a random split every
voice would be known, which is trivial.

Sound tells the digit, but for clips in which noise drowns it. Picture tells it in part: the
colour says which of five pairs it is, shape and direction which of the two, and each of the
three is wrong in some of the clips. So each alone is better than chance, and both together
are best. Everything drawn follows from the seed and the clip's name; the same programs make
the same bytes.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

WORDS = "zero one two three four five six seven eight nine".split()
VOICES = "m1 m2 m4 m5 m6 m8 f1 f2 f3 f4".split()
HELD_OUT = "m3 m7 f5".split()
SPEEDS = (120, 150, 180)                # words a minute
SECONDS, RATE = 1.5, 22050              # of sound
SIDE, FPS, FRAMES = 96, 12, 18          # of picture
COLOURS = ((230, 40, 40), (40, 200, 60), (60, 80, 230), (230, 210, 40), (200, 60, 210))
WRONG = 0.06                            # share of clips with another colour; shape; direction
DROWNED = 0.06                          # share of clips in which nobody can hear the word


def draw(digit, random):
    """uint8 (FRAMES, SIDE, SIDE, 3): a square or a disc on its way across or down, on noise."""
    def told(truth, n):
        return int(random.integers(n)) if random.random() < WRONG * n / (n - 1) else truth

    half, colour = digit // 5, COLOURS[told(digit % 5, 5)]
    disc, down = told(half, 2), told(half, 2)
    frames = random.integers(0, 70, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    radius, aside = random.integers(11, 19), random.integers(24, SIDE - 24)
    start, speed = random.integers(16, 30), random.uniform(1.5, 2.5)
    y, x = np.mgrid[:SIDE, :SIDE]
    for t, frame in enumerate(frames):
        along = start + speed * t
        across, along_it = (x - aside, y - along) if down else (y - aside, x - along)
        inside = (across ** 2 + along_it ** 2 < radius ** 2 if disc
                  else np.maximum(abs(across), abs(along_it)) < radius * 0.9)
        shade = np.array(colour) + random.integers(-25, 26, (int(inside.sum()), 3))
        frame[inside] = np.clip(shade, 0, 255)
    return frames


def speak(digit, voice, speed, random, wav):
    """The word, in the file wav: 16 bit, as long as the clip, with noise."""
    pitch = random.integers(35, 66)
    subprocess.run(["espeak-ng", "-v", f"en+{voice}", "-s", str(speed), "-p", str(pitch),
                    "-w", str(wav), WORDS[digit]], check=True)
    with wave.open(str(wav)) as spoken:
        if spoken.getframerate() != RATE:
            raise OSError(f"espeak-ng speaks at {spoken.getframerate()} Hz, not at {RATE}")
        word = np.frombuffer(spoken.readframes(int(SECONDS * RATE)), "<i2").astype(float)
    drowned = random.random() < DROWNED
    sound = random.normal(0, 4000 if drowned else 100, int(SECONDS * RATE))
    sound[:len(word)] += word * (0.01 if drowned else 1)
    with wave.open(str(wav), "wb") as noisy:
        noisy.setparams((1, 2, RATE, 0, "NONE", ""))
        noisy.writeframes(np.clip(sound, -32768, 32767).astype("<i2").tobytes())


def encode(frames, wav, to):
    """One thread and no dates: the same bytes each time."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y",
                    "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIDE}x{SIDE}", "-r", str(FPS),
                    "-i", "pipe:0", "-i", str(wav), "-threads", "1",
                    "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
                    "-c:a", "aac", "-b:a", "64k", "-fflags", "+bitexact",
                    "-flags:v", "+bitexact", "-flags:a", "+bitexact",
                    "-movflags", "+faststart", str(to)],
                   input=frames.tobytes(), check=True)


def make_clip(folder, digit, voice, speed, seed):
    split = "val" if voice in HELD_OUT else "train"
    path = Path(folder) / split / WORDS[digit] / f"{voice}-{speed}.mp4"
    if path.exists():
        return path
    name = f"{seed} {digit} {voice} {speed}"
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        wav, clip = Path(work) / "sound.wav", Path(work) / "clip.mp4"
        speak(digit, voice, speed, random, wav)
        encode(draw(digit, random), wav, clip)
        half = path.with_suffix(".part")
        half.write_bytes(clip.read_bytes())
        half.rename(path)       # one that is there is whole
    return path


def make_digits(folder, speeds=SPEEDS, seed=1, jobs=None):
    """Returns the folder. Clips that are there stay."""
    clips = [(folder, digit, voice, speed, seed)
             for voice in VOICES + HELD_OUT for speed in speeds for digit in range(len(WORDS))]
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        list(pool.map(lambda clip: make_clip(*clip), clips))
    return Path(folder)


def main():
    parser = argparse.ArgumentParser(description="Makes clips of spoken digits.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speeds", default=",".join(map(str, SPEEDS)), help="words a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, help="clips made at once (one a core)")
    options = parser.parse_args()
    try:
        make_digits(options.folder, [int(s) for s in options.speeds.split(",")], options.seed,
                    options.jobs)
    except FileNotFoundError as missing:
        sys.exit(f"digits.py: {missing.filename} is missing: install it")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"digits.py: {error}")


if __name__ == "__main__":
    main()
