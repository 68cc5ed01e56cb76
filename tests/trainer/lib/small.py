"""A few small samples of made-up arrays, that can be told apart by both modalities."""
import csv
from pathlib import Path

import numpy as np

CLASSES = ["blue", "green", "red"]
FRAMES = (2, 20, 24, 3)
MFCC = (6, 20)


def arrays(number, random):
    """A square of the class's colour, somewhere; a slow wave in the class's coefficient. A tint
    of the whole picture or a shift of a whole row would be normalised away."""
    frames = random.integers(0, 90, FRAMES, dtype=np.uint8)
    y, x = random.integers(0, FRAMES[1] - 10), random.integers(0, FRAMES[2] - 10)
    frames[:, y:y + 10, x:x + 10, 2 - number] += 150
    mfcc = random.standard_normal(MFCC).astype(np.float32) * 10 - 100
    mfcc[number] += 60 * np.cos(np.pi / 5 * np.arange(MFCC[1]) + random.uniform(0, 6)).astype(np.float32)
    return frames, mfcc


def make_small(folder, n=36, val=9, index=True, classes=CLASSES):
    """n samples that train, val that validate. Class and number make the path."""
    random = np.random.default_rng(11)
    folder = Path(folder)
    rows = []
    for i in range(n + val):
        label = classes[i % len(classes)]
        path = f"{'train' if i < n else 'val'}/{label}/clip{i:03}"
        (folder / path).mkdir(parents=True)
        frames, mfcc = arrays(i % len(classes), random)
        np.save(folder / path / "frames.npy", frames)
        np.save(folder / path / "mfcc.npy", mfcc)
        (folder / path / "label.txt").write_text(label + "\n")
        rows.append([path, path.split("/")[0], label, i % len(classes), "", "", f"etag{i}", ""])
    if index:
        with open(folder / "index.csv", "w", newline="") as f:
            csv.writer(f, lineterminator="\n").writerows(
                ["path split label class video audio etag size".split(), *rows])
    return folder


def samples_of(folder):
    with open(Path(folder) / "index.csv", newline="") as f:
        return list(csv.DictReader(f))
