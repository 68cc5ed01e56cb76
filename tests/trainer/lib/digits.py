"""A data set that can be learned: spoken digits of espeak-ng, in several voices and at
several speeds, with moving coloured shapes as video.

The layout is that of the mount's samples view: frames.npy uint8 (8, 64, 64, 3), mfcc.npy
float32 (20, 65), label.txt, and index.csv. What is held out for validation are whole voices:
with a random split every voice is known, which is trivial.
"""
import csv
import hashlib
import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import soundfile

WORDS = "zero one two three four five six seven eight nine".split()
VOICES = ["m1", "m2", "m4", "m5", "m6", "m8", "f1", "f2", "f3", "f4"]
HELD_OUT = ["m3", "m7", "f5"]
SPEEDS = [120, 135, 150, 165, 180]
FRAMES, SIZE, RATE, DURATION = 8, 64, 22050, 1.5

COLOURS = [(230, 40, 40), (40, 200, 60), (60, 80, 230), (230, 210, 40), (200, 60, 210)]


def speak(word, voice, speed, pitch):
    wav = subprocess.run(["espeak-ng", "-v", f"en+{voice}", "-s", str(speed), "-p", str(pitch),
                          "--stdout", word], check=True, capture_output=True).stdout
    sound, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    if rate != RATE:
        sound = librosa.resample(sound, orig_sr=rate, target_sr=RATE)
    return librosa.util.fix_length(sound, size=int(RATE * DURATION))


def moving_shape(number, random):
    """Digit d: colour d % 5; a square that moves across or, from 5 on, a disc that moves down;
    noise everywhere, a place and a size by chance."""
    frames = random.integers(0, 60, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    radius, start = random.integers(7, 13), random.integers(12, 24)
    across, speed = random.integers(16, 48), random.integers(3, 5)
    y, x = np.mgrid[:SIZE, :SIZE]
    for t in range(FRAMES):
        along = start + speed * t
        if number < 5:
            shape = (abs(y - across) < radius) & (abs(x - along) < radius)
        else:
            shape = (y - along) ** 2 + (x - across) ** 2 < radius ** 2
        frames[t, shape] = np.clip(np.array(COLOURS[number % 5])
                                   + random.integers(-25, 25, (shape.sum(), 3)), 0, 255)
    return frames


def make_sample(folder, number, voice, speed):
    path = f"{'val' if voice in HELD_OUT else 'train'}/{WORDS[number]}/{voice}-{speed}"
    seed = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "little")
    random = np.random.default_rng(seed)
    sound = speak(WORDS[number], voice, speed, int(random.integers(35, 65)))
    sound += random.normal(0, 0.003, sound.shape).astype(np.float32)
    to = Path(folder) / path
    to.mkdir(parents=True)
    np.save(to / "mfcc.npy", librosa.feature.mfcc(y=sound, sr=RATE, n_mfcc=20).astype(np.float32))
    np.save(to / "frames.npy", moving_shape(number, random))
    (to / "label.txt").write_text(WORDS[number] + "\n")
    return path, WORDS[number]


def make_digits(folder, voices=VOICES, held_out=HELD_OUT, speeds=SPEEDS):
    jobs = [(n, v, s) for v in voices + held_out for s in speeds for n in range(len(WORDS))]
    # once before the threads: numba compiles
    librosa.feature.mfcc(y=np.zeros(RATE, np.float32), sr=RATE, n_mfcc=20)
    with ThreadPoolExecutor(2) as pool:
        rows = sorted(pool.map(lambda job: make_sample(folder, *job), jobs))
    classes = sorted(WORDS)
    with open(Path(folder) / "index.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow("path split label class video audio etag size".split())
        for path, label in rows:
            out.writerow([path, path.split("/")[0], label, classes.index(label), "", "", "", ""])
    return folder
