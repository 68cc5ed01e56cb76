"""The model once more, in PyTorch: the same layers, the same initial values by name."""
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

    def load(self, arrays):
        """arrays: of a checkpoint, by name"""
        self.load_state_dict({name: torch.from_numpy(np.array(arrays[name]))
                              for name in self.state_dict()})
