"""What a view must give, by other programs: PyAV decodes, Pillow resizes, librosa makes the MFCC.

The times are integers of the stream's time base, as in the definitions under test; nothing here
shares code with the program.
"""
import subprocess
from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np
from PIL import Image

MFCC_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Shown:
    """The shown frames of a clip, in output order."""
    pts: tuple          # int, in the time base
    end: int            # the last one's pts plus its duration
    key: tuple          # bool
    pictures: tuple     # uint8 (H, W, 3), turned as they are to be shown

    def __len__(self):
        return len(self.pts)


def _durations(path):
    """pts -> stored duration of the packets of the video stream."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        return {p.pts: p.duration or 0 for p in container.demux(stream) if p.size}


@lru_cache(maxsize=12)
def shown(path):
    """Decodes a whole clip."""
    durations = _durations(path)
    pts, key, pictures = [], [], []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        for frame in container.decode(stream):
            pts.append(frame.pts)
            key.append(bool(frame.key_frame))
            # PyAV doesn't turn a picture; it tells by how many degrees counterclockwise.
            pictures.append(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90))
    if None in pts or any(a >= b for a, b in zip(pts, pts[1:])):
        # A container that stores no presentation times: output order counts.
        pts = list(range(len(pts)))
        durations = {}
    if len(pts) > 1:
        last = durations.get(pts[-1]) or pts[-1] - pts[-2]
    else:
        last = durations.get(pts[0]) or 1
    return Shown(tuple(pts), pts[-1] + last, tuple(key), tuple(pictures))


def uniform(clip, count):
    """Frame i is the last one with (pts - start) * 2T <= (2i + 1) * D."""
    start, length = clip.pts[0], clip.end - clip.pts[0]
    return [max(j for j, pts in enumerate(clip.pts)
                if (pts - start) * 2 * count <= (2 * i + 1) * length) for i in range(count)]


def linspace(clip, count):
    """floor(linspace(0, N - 1, T))."""
    if count == 1:
        return [0]
    return [i * (len(clip) - 1) // (count - 1) for i in range(count)]


def keyframes(clip, count):
    """The nearest keyframe at or before uniform's times, else the first shown frame."""
    start, length = clip.pts[0], clip.end - clip.pts[0]
    return [max((j for j, pts in enumerate(clip.pts)
                 if clip.key[j] and (pts - start) * 2 * count <= (2 * i + 1) * length), default=0)
            for i in range(count)]


def everything(clip, _count=None):
    return list(range(len(clip)))


SAMPLINGS = {"uniform": uniform, "linspace": linspace, "keyframes": keyframes}


def native(path, count=16, sampling="uniform"):
    """uint8 (T, H, W, 3)."""
    clip = shown(path)
    return np.stack([clip.pictures[j] for j in SAMPLINGS[sampling](clip, count)])


def _scaled(picture, height, width):
    """Horizontal first, then vertical: in one call Pillow 13 takes the other order for some shapes,
    which differs by 1 here and there."""
    image = Image.fromarray(picture)
    image = image.resize((width, image.height), Image.Resampling.BILINEAR)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def resized(picture, size, mode="crop"):
    """One picture as torchvision's Resize and CenterCrop make it, by Pillow. size: N or (H, W)."""
    h, w = picture.shape[:2]
    height, width = size if isinstance(size, tuple) else (size, size)
    if mode == "stretch":
        return _scaled(picture, height, width)
    wide = h * width >= w * height                      # the width decides
    if mode == "pad":
        wide = not wide
    new_h, new_w = ((int(width * h / w), width) if wide else (height, int(height * w / h)))
    scaled = _scaled(picture, max(new_h, 1), max(new_w, 1))
    new_h, new_w = scaled.shape[:2]
    if mode == "crop":
        top, left = round((new_h - height) / 2), round((new_w - width) / 2)
        return scaled[top:top + height, left:left + width]
    top, left = (height - new_h) // 2, (width - new_w) // 2
    padded = np.zeros((height, width, 3), np.uint8)
    padded[top:top + new_h, left:left + new_w] = scaled
    return padded


def frames(path, count=16, sampling="uniform", size=224, mode="crop"):
    """uint8 (T, H, W, 3) as a frames view gives."""
    clip = shown(path)
    chosen = SAMPLINGS[sampling](clip, count)
    small = {j: resized(clip.pictures[j], size, mode) for j in set(chosen)}
    return np.stack([small[j] for j in chosen])


def samples(path):
    """float32 (channels, n) and the rate: what FFmpeg's decoder gives of the first sound track."""
    probe = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries",
                            "stream=sample_rate,channels", "-of", "csv=p=0", path],
                           check=True, capture_output=True, text=True).stdout
    rate, channels = map(int, probe.split()[0].split(",")[:2])     # a .ts tells it twice
    raw = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:a:0", "-f",
                          "f32le", "-c:a", "pcm_f32le", "-"], check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.float32).reshape(-1, channels).T, rate


def mfcc(path, duration=30.0, sr=22050, channel=None, top_db=80.0, n_mfcc=20,
         **parameters):
    """float32 (n_mfcc, T) by librosa; duration in seconds, None: all of it. parameters: those of
    the mel spectrogram."""
    import librosa
    y, rate = samples(path)
    mono = y.mean(axis=0) if channel is None else y[channel]
    if duration is not None:
        mono = mono[:int(duration * rate)]
    mono = librosa.resample(mono, orig_sr=rate, target_sr=sr, res_type="soxr_hq")
    if duration is not None:
        mono = librosa.util.fix_length(mono, size=int(duration * sr))
    power = librosa.feature.melspectrogram(y=mono, sr=sr, **parameters)
    decibels = librosa.power_to_db(power, top_db=top_db)
    return librosa.feature.mfcc(S=decibels, n_mfcc=n_mfcc).astype(np.float32)
