"""The trainer's model and training once more, in PyTorch: the same layers by the same names, the
same order of samples, the same rates."""
import csv
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])


def groups_of(channels):
    groups = 8
    while groups > 1 and (channels % groups or channels < 4 * groups):
        groups //= 2
    return groups


class Layer(nn.Module):
    def __init__(self, inputs, outputs, size, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, (size[0] // 2, size[1] // 2), bias=False)
        self.norm = nn.GroupNorm(groups_of(outputs), outputs)

    def forward(self, x):
        return functional.relu(self.norm(self.conv(x)))


def branch(inputs, width, depth, width_max, size, stride):
    layers = []
    for i in range(depth):
        outputs = min(width << i, width_max)
        layers.append(Layer(inputs, outputs, size, stride))
        inputs = outputs
    return nn.Sequential(*layers), inputs


class Twin(nn.Module):
    def __init__(self, classes, n_mfcc, video_width=16, video_depth=4, audio_width=64, audio_depth=4):
        super().__init__()
        self.video, v = branch(3, video_width, video_depth, 1 << 30, (3, 3), (2, 2))
        self.audio, a = branch(n_mfcc, audio_width, audio_depth, 4 * audio_width, (1, 5), (1, 2))
        self.linear = nn.Linear(v + a, classes)

    def forward(self, frames, mfcc):
        """frames uint8 (N, T, H, W, 3), mfcc float32 (N, n_mfcc, columns)"""
        n, t = frames.shape[:2]
        x = ((frames.float() / 255 - MEAN) / STD).flatten(0, 1).permute(0, 3, 1, 2).contiguous()
        x = self.video(x).unflatten(0, (n, t)).mean((1, 3, 4))
        y = (mfcc - mfcc.mean(2, keepdim=True)) / (mfcc.std(2, keepdim=True, unbiased=False) + 1e-3)
        y = self.audio(y[:, :, None, :]).mean((2, 3))
        return self.linear(torch.cat([x, y], 1))


def twin_of(arrays):
    """With the values of a checkpoint, in its sizes."""
    def sizes(name):
        first = arrays[f"{name}.0.conv.weight"]
        return len(first), sum(f"{name}.{i}.conv.weight" in arrays for i in range(99))

    twin = Twin(len(arrays["linear.bias"]), arrays["audio.0.conv.weight"].shape[1], *sizes("video"),
                *sizes("audio"))
    twin.load_state_dict({name: torch.from_numpy(arrays[name]) for name in twin.state_dict()})
    return twin


def logits(frames, mfcc, **arrays):
    with torch.no_grad():
        return {"logits": twin_of(arrays)(torch.from_numpy(frames), torch.from_numpy(mfcc)).numpy()}


# ---- training ----------------------------------------------------------------------------------


def load_samples(data):
    """Of each split: positions in the list, frames, mfcc, classes."""
    with open(Path(data) / "index.csv", newline="") as f:
        rows = list(csv.DictReader(f))

    def part(split):
        chosen = [i for i, row in enumerate(rows) if row["split"] == split]
        stack = lambda name: torch.from_numpy(
            np.stack([np.load(Path(data) / rows[i]["path"] / name) for i in chosen]))
        return (np.array(chosen), stack("frames.npy"), stack("mfcc.npy"),
                torch.tensor([int(rows[i]["class"]) for i in chosen]))
    return part("train"), part("val")


def philox4x32(counter, key):
    """Philox4x32-10: 4 words of counter, arrays or numbers, and 2 of key, all of 32 bits."""
    low = np.uint64(0xffffffff)
    c = [np.asarray(word, np.uint64) for word in counter]
    for i in range(10):
        k = [np.uint64((word + i * step) & 0xffffffff)
             for word, step in zip(key, (0x9E3779B9, 0xBB67AE85))]
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [q >> np.uint64(32) ^ c[1] ^ k[0], q & low, p >> np.uint64(32) ^ c[3] ^ k[1], p & low]
    return c


def order_of(samples, epoch, seed):
    """Where in the list `samples` those are that come first, second, ... in an epoch."""
    bits = philox4x32((samples, 0, epoch, 1), (seed & 0xffffffff, seed >> 32))
    return torch.from_numpy(np.lexsort((samples, bits[0] << np.uint64(32) | bits[1])))


def train(data, epochs, seed=0, batch=32, lr=0.002, warmup=1, cosine=True, threads=2, **arrays):
    """AdamW on the samples of a folder, with the defaults of s3sample-train; from the values of a
    checkpoint, or PyTorch's own. Returns the loss and the seconds of each step, the accuracy on what
    is held out after each epoch, and the seconds that took."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    (numbers, frames, mfcc, labels), (_, *seen_val, labels_val) = load_samples(data)
    twin = twin_of(arrays) if arrays else Twin(int(labels.max()) + 1, mfcc.shape[1])
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in twin.parameters() if p.ndim > 1], "weight_decay": 0.01},
         {"params": [p for p in twin.parameters() if p.ndim == 1], "weight_decay": 0}], lr=lr)
    steps = math.ceil(len(labels) / batch)
    rising, falling = warmup * steps, (epochs - warmup) * steps
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: (
        (i + 1) / rising if i < rising else
        0.5 * (1 + math.cos(math.pi * (i - rising) / max(1, falling))) if cosine else 1))
    losses, seconds, accuracy, seconds_val = [], [], [], []
    for epoch in range(epochs):
        for part in order_of(numbers, epoch, seed).split(batch):
            start = time.perf_counter()
            loss = functional.cross_entropy(twin(frames[part], mfcc[part]), labels[part],
                                            label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.step()
            losses.append(loss.item())
            seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        with torch.no_grad():
            right = [twin(*x).argmax(1) == y for *x, y in zip(*(a.split(batch) for a in seen_val),
                                                              labels_val.split(batch))]
        accuracy.append(torch.cat(right).double().mean())
        seconds_val.append(time.perf_counter() - start)
    return dict(losses=losses, seconds=seconds, accuracy=accuracy, seconds_val=seconds_val)
