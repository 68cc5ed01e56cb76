"""The worker's audio half gives librosa's MFCC of FFmpeg's and libsndfile's samples.

Needs numpy, librosa, soxr, soundfile, av, the ffmpeg and espeak-ng commands, and
MFCC_TOOL, the path of the built mfcc_tool, which reads objects as a worker does.
"""

import errno
import glob
import os
import struct
import subprocess

import numpy as np
import pytest

TOOL = os.environ.get("MFCC_TOOL")
if not TOOL:
    pytest.skip("MFCC_TOOL isn't set", allow_module_level=True)

import av
import librosa
import soundfile
import soxr

TOLERANCE = 1e-3
SAMPLES = 100003        # of the clip that is encoded below: no codec's frame divides it
RATE = 44100


class ToolError(Exception):
    def __init__(self, line):
        _, number, self.why = line.split(" ", 2)
        self.errno = int(number)
        super().__init__(line)


@pytest.fixture
def tool(tmp_path):
    """tool(command, file or array, ..., key=value) -> (float32 array, dict of what it printed)"""

    def run(command, source, *args, **keys):
        if isinstance(source, np.ndarray):
            path = tmp_path / "in.f32"
            source.astype("<f4").tofile(path)
        else:
            path = source
        out = tmp_path / "out.f32"
        call = [TOOL, command, path, out, *args, *(f"{k}={v!r}" for k, v in keys.items())]
        done = subprocess.run([str(c) for c in call], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        if done.returncode == 1 and done.stdout.startswith("error "):
            raise ToolError(done.stdout.strip())
        assert done.returncode == 0, done
        told = dict(word.split("=") for word in done.stdout.split()[1:])
        return np.fromfile(out, "<f4"), told

    return run


@pytest.fixture
def compute(tool):
    def run(y, **keys):
        keys.setdefault("win_length", keys.get("n_fft", 2048))
        values, told = tool("compute", y, **keys)
        return values.reshape(keys.get("n_mfcc", 20), int(told["columns"]))

    return run


@pytest.fixture
def pcm(tool):
    """path -> float32 (frames, channels), rate"""

    def run(path):
        values, told = tool("pcm", path)
        samples = values.reshape(-1, int(told["channels"]))
        assert len(samples) == int(told["frames"])
        return samples, int(told["rate"])

    return run


def reference_mfcc(y, sr=22050, n_mfcc=20, n_fft=2048, win_length=None, hop_length=512,
                   n_mels=128, fmin=0.0, fmax=0.0, top_db=80.0, lifter=0.0):
    power = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=n_fft, win_length=win_length,
                                           hop_length=hop_length, n_mels=n_mels, fmin=fmin,
                                           fmax=fmax or None)
    db = librosa.power_to_db(power, top_db=top_db if top_db >= 0 else None)
    return librosa.feature.mfcc(S=db, n_mfcc=n_mfcc, lifter=lifter)


def assert_close(ours, theirs):
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def signal(kind, n, sr=22050):
    t = np.arange(n) / sr
    rng = np.random.default_rng(7)
    y = {
        "noise": lambda: rng.uniform(-1, 1, n),
        "quiet": lambda: 1e-4 * rng.standard_normal(n),
        "silence": lambda: np.zeros(n),
        "tone": lambda: np.sin(2 * np.pi * 440 * t),
        "tones": lambda: 0.5 * np.sin(2 * np.pi * 1000 * t) + 1e-3 * np.sin(2 * np.pi * 3500 * t),
        "dc": lambda: np.full(n, 0.9),
        "square": lambda: np.sign(np.sin(2 * np.pi * 100 * t) + 1e-9),
        "click": lambda: np.where(np.arange(n) == n // 2, 1.0, 0.0),
        "half": lambda: np.where(np.arange(n) < n // 2, 0.0, 0.5 * np.sin(2 * np.pi * 300 * t)),
    }[kind]()
    return y.astype(np.float32)


KINDS = ["noise", "quiet", "silence", "tone", "tones", "dc", "square", "click", "half"]


# The computation


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [100, 2047, 2048, 5000, 5120, 34122])
def test_equals_librosa_at_its_defaults(compute, kind, n):
    y = signal(kind, n)
    assert_close(compute(y), reference_mfcc(y))


@pytest.mark.parametrize("kind", ["noise", "half"])
def test_equals_librosa_on_thirty_seconds(compute, kind):
    y = signal(kind, 661500)
    ours = compute(y)
    assert ours.shape == (20, 1292)
    assert_close(ours, reference_mfcc(y))


def test_digital_silence_is_a_known_number(compute):
    ours = compute(np.zeros(5000, np.float32))
    np.testing.assert_allclose(ours[0], -1131.371, atol=TOLERANCE)
    np.testing.assert_allclose(ours[1:], 0, atol=TOLERANCE)


PARAMETERS = [
    {"n_fft": 400, "hop_length": 160, "n_mels": 40, "n_mfcc": 13, "sr": 16000},
    {"n_fft": 512, "hop_length": 128, "n_mels": 64, "n_mfcc": 64},
    {"n_fft": 401, "hop_length": 160, "n_mels": 40, "n_mfcc": 13, "sr": 16000},
    {"n_fft": 1023, "hop_length": 341, "n_mels": 40},
    {"n_fft": 2048, "win_length": 1200, "hop_length": 300},
    {"n_fft": 2048, "win_length": 1201, "hop_length": 300},
    {"n_fft": 2047, "win_length": 1200, "hop_length": 300},
    {"n_fft": 2047, "win_length": 1199, "hop_length": 300},
    {"n_fft": 512, "win_length": 1, "hop_length": 100, "n_mels": 30},
    {"n_fft": 4096, "hop_length": 1024, "n_mels": 256, "n_mfcc": 40, "sr": 48000},
    {"n_fft": 65536, "hop_length": 16384, "n_mels": 1024, "n_mfcc": 1024, "sr": 44100},
    {"n_fft": 8191, "hop_length": 2000},
    {"n_fft": 256, "hop_length": 1, "n_mels": 20, "n_mfcc": 1},
    {"n_fft": 256, "hop_length": 5000, "n_mels": 20},
    {"n_fft": 1, "hop_length": 10, "n_mels": 1, "n_mfcc": 1},
    {"n_fft": 2, "hop_length": 10, "n_mels": 2, "n_mfcc": 2},
    {"sr": 8000, "n_fft": 256, "hop_length": 80, "n_mels": 23, "n_mfcc": 13},
    {"sr": 44100}, {"sr": 48000}, {"sr": 16000}, {"sr": 8000},
    {"fmin": 20.0, "fmax": 7600.0, "sr": 16000},
    {"fmin": 300.0, "fmax": 3400.0, "n_mels": 40},
    {"fmin": 1000.0, "fmax": 1200.0, "n_mels": 40},
    {"fmax": 20000.0, "sr": 16000},
    {"top_db": 20.0}, {"top_db": 0.0}, {"top_db": -1.0}, {"top_db": 200.0},
    {"lifter": 22.0}, {"lifter": 0.5}, {"lifter": 22.0, "n_mfcc": 13, "top_db": -1.0},
    {"n_mfcc": 128}, {"n_mfcc": 1}, {"n_mels": 1, "n_mfcc": 1}, {"n_mels": 500},
]


@pytest.mark.filterwarnings("ignore:Empty filters detected", "ignore:n_fft")
@pytest.mark.parametrize("kind", ["noise", "tones", "half"])
@pytest.mark.parametrize("keys", PARAMETERS,
                         ids=lambda keys: ",".join(f"{k}={v}" for k, v in keys.items()))
def test_equals_librosa_whatever_the_parameters(compute, kind, keys):
    y = signal(kind, 20000, keys.get("sr", 22050))
    assert_close(compute(y, **keys), reference_mfcc(y, **keys))


def test_the_same_input_gives_the_same_bytes(compute):
    y = signal("noise", 34122)
    assert compute(y).tobytes() == compute(y).tobytes()


def rising(n, sr=22050):
    """ever louder, with gaps that are far below any floor"""
    y = signal("noise", n, sr) * np.geomspace(1e-5, 1, n, dtype=np.float32)
    y[n // 5:n // 4] = 0
    return y.astype(np.float32)


LONG = {
    "rising": rising, "falling": lambda n: rising(n)[::-1],
    "noise": lambda n: signal("noise", n), "half": lambda n: signal("half", n),
    "silence": lambda n: signal("silence", n),
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("keys", [
    {}, {"n_fft": 401, "hop_length": 160, "n_mels": 40}, {"top_db": -1.0}, {"top_db": 10.0},
    {"n_fft": 256, "hop_length": 50000, "n_mels": 20}, {"n_fft": 512, "win_length": 3, "n_mels": 9},
    {"n_fft": 2047, "win_length": 1200, "hop_length": 300, "lifter": 22.0, "n_mfcc": 13},
    {"n_fft": 256, "hop_length": 1, "n_mels": 4, "n_mfcc": 2},
], ids=str)
def test_pieces_give_the_same_bytes_whatever_is_kept(tool, compute, kind, keys):
    """Columns beyond those whose log mels are kept come from a second pass, if from any."""
    keys = {"n_mfcc": 4, **keys}
    keys.setdefault("win_length", keys.get("n_fft", 2048))
    y = np.ascontiguousarray(LONG[kind](60001))
    whole = compute(y, **keys)
    columns, row = whole.shape[1], 4 * keys.get("n_mels", 128)
    for keep, room, chunk in (0, columns, 61), (0, columns + 777, 60001), \
            (columns // 3 * row, 3 * columns, 16385), (columns * row, columns + 1, 1000):
        ours, told = tool("pieces", y, chunk, keep, room, **keys)
        assert ours.tobytes() == whole.tobytes(), (keep, room, chunk)
        if keep == columns * row or kind == "silence" or keys.get("top_db") == -1.0:
            assert told["passes"] == "1"
        elif keep == 0 and kind in ("rising", "half") and keys.get("top_db") == 10.0:
            assert told["passes"] == "2"
    with pytest.raises(ToolError) as e:
        tool("pieces", y, 1000, 0, columns - 1, **keys)
    assert e.value.errno == (errno.ENOMEM if columns > 1 else errno.EINVAL)


@pytest.mark.parametrize("keys, word", [
    ({"n_fft": 0}, "n_fft"), ({"n_fft": 65537}, "n_fft"),
    ({"n_fft": 512, "win_length": 513}, "win_length"), ({"win_length": 0}, "win_length"),
    ({"hop_length": 0}, "hop_length"), ({"n_mels": 0}, "n_mels"), ({"n_mels": 1025}, "n_mels"),
    ({"n_mfcc": 129}, "n_mfcc"), ({"n_mfcc": 0}, "n_mfcc"), ({"sr": 0}, "sr"),
    ({"sr": 4000000000}, "sr"), ({"fmin": -1.0}, "fmin"), ({"fmin": 500.0, "fmax": 500.0}, "fmin"),
    ({"fmin": float("nan")}, "fmin"), ({"fmin": 11025.0}, "fmin"), ({"fmax": float("inf")}, "fmax"),
    ({"top_db": float("nan")}, "top_db"), ({"lifter": -1.0}, "lifter"),
    ({"lifter": float("nan")}, "lifter"), ({"duration": -1.0}, "duration"),
    ({"duration": float("nan")}, "duration"), ({"duration": 1e9}, "duration"),
    ({"duration": 1e-6}, "duration"), ({"channel": -2}, "channel"), ({"preset": 99}, "preset"),
    ({"duration": 3600.0, "hop_length": 1}, "columns"),
])
def test_a_bad_argument_is_named(compute, keys, word):
    with pytest.raises(ToolError) as e:
        compute(signal("noise", 5000), **keys)
    assert e.value.errno == errno.EINVAL
    assert word in e.value.why


# Resampling


@pytest.mark.parametrize("rates", [(44100, 22050), (48000, 22050), (48000, 16000), (44100, 16000),
                                   (8000, 22050), (16000, 22050), (22050, 16000), (11025, 22050),
                                   (96000, 22050), (22050, 48000), (44101, 22050), (100, 8000),
                                   (768000, 8000)])
def test_resampling_is_bit_identical_to_soxr_hq(tool, rates):
    for n in (1, 10, 100, 1000, 4097, 100003):
        y = signal("noise", n)
        theirs = soxr.resample(y, *rates, quality="HQ")
        for chunk in {1 if n < 1000 else 61, 1024, n}:
            ours, _ = tool("resample", y, *rates, chunk)
            assert ours.tobytes() == theirs.tobytes(), (n, chunk)


# Decoding


def command(*args):
    subprocess.run([str(a) for a in args], check=True, stdin=subprocess.DEVNULL)


def ffmpeg(*args):
    command("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *args)


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """A folder with stereo.wav, six.wav and mono.wav, float32 noise and sweeps."""
    folder = tmp_path_factory.mktemp("media")
    rng = np.random.default_rng(5)
    t = np.arange(SAMPLES) / RATE
    left = 0.4 * np.sin(2 * np.pi * (200 + 400 * t) * t)
    right = 0.3 * np.sin(2 * np.pi * 700 * t) * np.sin(6 * np.pi * t)
    left, right = (y + 0.05 * rng.standard_normal(SAMPLES) for y in (left, right))
    six = [left * (i + 1) / 7 + right * (6 - i) / 9 for i in range(6)]
    for name, channels in ("mono", [left]), ("stereo", [left, right]), ("six", six):
        soundfile.write(folder / f"{name}.wav", np.stack(channels, 1).astype("f4"), RATE,
                        subtype="FLOAT")
    return folder


# name -> (source, arguments of ffmpeg, samples it gives back of SAMPLES)
VIDEO = ["-f", "lavfi", "-i", "testsrc=s=320x240:r=25:d=2.2"]
ENCODED = {
    "a.m4a": ("stereo", ["-c:a", "aac"], 100352),
    "mono.m4a": ("mono", ["-c:a", "aac"], 100352),
    "six.m4a": ("six", ["-c:a", "aac"], 100352),
    "frag.m4a": ("stereo", ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"], 101376),
    "fast.m4a": ("stereo", ["-c:a", "aac", "-movflags", "faststart"], 100352),
    "alac.m4a": ("stereo", ["-c:a", "alac"], SAMPLES),
    "a.aac": ("stereo", ["-c:a", "aac"], 101376),
    "a.mka": ("stereo", ["-c:a", "aac"], 101376),
    "a.mp3": ("stereo", ["-c:a", "libmp3lame"], SAMPLES),
    "noxing.mp3": ("mono", ["-c:a", "libmp3lame", "-write_xing", "0"], 101376),
    "a.mp2": ("stereo", ["-c:a", "mp2"], 100224),
    "a.ogg": ("stereo", ["-c:a", "libvorbis"], SAMPLES),
    "six.ogg": ("six", ["-c:a", "libvorbis"], SAMPLES),
    "flac.oga": ("stereo", ["-c:a", "flac"], SAMPLES),
    "a.opus": ("stereo", ["-c:a", "libopus"], 108847),
    "six.opus": ("six", ["-c:a", "libopus", "-mapping_family", "1"], 108847),
    "a.webm": ("mono", ["-c:a", "libopus"], 108847),
    "opus16.mka": ("mono", ["-ar", "16000", "-c:a", "libopus"], 108846),
    "opus24.webm": ("stereo", ["-ar", "24000", "-c:a", "libopus"], 108848),
    "ac3.ts": ("six", ["-c:a", "ac3"], 101376),
    "a.wma": ("stereo", ["-c:a", "wmav2"], 98304),
    "mulaw.wav": ("stereo", ["-c:a", "pcm_mulaw"], SAMPLES),
    "adpcm.wav": ("stereo", ["-c:a", "adpcm_ms"], 100188),
    "video.mp4": ("stereo", [*VIDEO, "-c:v", "libx264", "-c:a", "aac"], 100352),
    "six.mp4": ("six", [*VIDEO, "-c:v", "libx264", "-c:a", "aac"], 100352),
    "frag.mp4": ("stereo", [*VIDEO, "-c:v", "libx264", "-c:a", "aac", "-movflags",
                            "frag_keyframe+empty_moov"], 101376),
    "pcm.mov": ("six", [*VIDEO, "-c:v", "libx264", "-c:a", "pcm_s16be"], SAMPLES),
    "s24.mov": ("mono", [*VIDEO, "-c:v", "libx264", "-c:a", "pcm_s24le"], SAMPLES),
    "video.mkv": ("stereo", [*VIDEO, "-c:v", "libx264", "-c:a", "aac"], 101376),
    "video.ts": ("stereo", [*VIDEO, "-c:v", "libx264", "-c:a", "aac"], 101376),
    "video.avi": ("stereo", [*VIDEO, "-c:v", "mpeg4", "-c:a", "libmp3lame"], 101376),
    "video.flv": ("stereo", [*VIDEO, "-c:v", "flv", "-c:a", "aac"], 101376),
    "video.mpg": ("stereo", [*VIDEO, "-c:v", "mpeg2video", "-c:a", "mp2"], 100224),
    "video.webm": ("stereo", [*VIDEO, "-c:v", "libvpx", "-c:a", "libvorbis"], 100096),
}


@pytest.fixture(scope="session")
def encode(media):
    """name in ENCODED -> the file's path; made once"""

    def run(name):
        path = media / name
        source, args, _ = ENCODED[name]
        if not path.exists():
            ffmpeg("-i", media / f"{source}.wav", *args, path)
        return path

    return run


def by_ffmpeg(path, channels, stream="0:a:0"):
    """float32 (frames, channels), by the ffmpeg command of the same libraries"""
    done = subprocess.run(["ffmpeg", "-loglevel", "quiet", "-i", path, "-map", stream,
                           "-f", "f32le", "-c:a", "pcm_f32le", "-"],
                          stdin=subprocess.DEVNULL, capture_output=True)
    return np.frombuffer(done.stdout, "<f4").reshape(-1, channels)


def by_pyav(path):
    """float32 (frames, channels), rate; by the FFmpeg inside PyAV"""
    parts = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.best("audio")):
            part = frame.to_ndarray()
            if not frame.format.is_planar:
                part = part.reshape(-1, len(frame.layout.channels)).T
            if part.dtype == np.uint8:
                part = (part.astype(np.float32) - 128) / 128
            elif part.dtype.kind == "i":
                part = part.astype(np.float32) / np.float32(2.0 ** (8 * part.dtype.itemsize - 1))
            parts.append(part.astype(np.float32))
            rate = frame.sample_rate
    return np.concatenate(parts, 1).T, rate


# In these a newer FFmpeg, as in PyAV, drops other samples at the end than 5.1.
PYAV_DIFFERS = {"opus16.mka", "opus24.webm"}


@pytest.mark.parametrize("name", ENCODED)
def test_ffmpeg_formats_give_ffmpegs_samples(pcm, encode, name):
    path = encode(name)
    ours, rate = pcm(path)
    assert len(ours) == ENCODED[name][2]
    assert rate == (48000 if "libopus" in ENCODED[name][1] else RATE)
    assert ours.tobytes() == by_ffmpeg(path, ours.shape[1]).tobytes()
    if name in PYAV_DIFFERS:
        return
    theirs, their_rate = by_pyav(path)
    assert ours.shape == theirs.shape and rate == their_rate
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("source", ["mono", "stereo", "six"])
@pytest.mark.parametrize("ending, subtype", [
    ("wav", "PCM_U8"), ("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_32"), ("wav", "FLOAT"),
    ("wav", "DOUBLE"), ("aiff", "PCM_S8"), ("aiff", "PCM_16"), ("aiff", "PCM_24"),
    ("flac", "PCM_S8"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("w64", "PCM_16"),
    ("caf", "PCM_24"), ("au", "FLOAT"), ("rf64", "PCM_16"),
])
def test_uncompressed_formats_and_flac_are_exact(pcm, media, tmp_path, source, ending, subtype):
    y, _ = soundfile.read(media / f"{source}.wav", dtype="float32", always_2d=True)
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, y, RATE, subtype=subtype, format=ending.upper())
    ours, rate = pcm(path)
    theirs, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE and SAMPLES <= len(ours) <= SAMPLES + 1     # 8-bit aiff is written even
    assert ours.tobytes() == theirs.tobytes()
    assert ours.tobytes() == by_ffmpeg(path, ours.shape[1]).tobytes()


def test_a_cover_is_not_video_and_not_audio(pcm, encode, media):
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1", "-frames:v", "1", media / "cover.png")
    for name, codec in ("cover.m4a", "mjpeg"), ("cover.mp3", "png"):
        ffmpeg("-i", media / "stereo.wav", "-i", media / "cover.png", "-map", "0", "-map", "1",
               "-c:v", codec, "-disposition:v", "attached_pic", media / name)
        ours, _ = pcm(media / name)
        assert ours.tobytes() == by_ffmpeg(media / name, 2).tobytes()


def test_the_best_of_several_tracks_is_taken(pcm, media):
    path = media / "tracks.mkv"
    ffmpeg("-i", media / "mono.wav", "-i", media / "stereo.wav", "-map", "0", "-map", "1",
           "-c:a", "aac", "-disposition:a:0", "0", "-disposition:a:1", "default", path)
    ours, _ = pcm(path)
    assert ours.tobytes() == by_ffmpeg(path, 2, "0:a:1").tobytes()
    assert ours.shape == by_pyav(path)[0].shape


def test_a_damaged_packet_is_left_out(pcm, encode, tmp_path):
    whole = encode("fast.m4a").read_bytes()
    path = tmp_path / "hurt.m4a"
    at = len(whole) * 2 // 3
    path.write_bytes(whole[:at] + b"\xff" * 600 + whole[at + 600:])
    ours, _ = pcm(path)
    assert 90000 < len(ours) <= 100352
    assert ours.tobytes() == by_ffmpeg(path, 2).tobytes()


@pytest.mark.parametrize("percent", [3, 10, 30, 50, 70, 90, 99])
@pytest.mark.parametrize("name", ["fast.m4a", "a.mp3", "a.ogg", "a.opus", "video.mkv", "video.ts",
                                  "video.avi", "frag.mp4", "a.aac", "a.wma"])
def test_a_file_cut_short_gives_what_ffmpeg_gets_of_it(pcm, encode, tmp_path, name, percent):
    whole = encode(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[:len(whole) * percent // 100])
    theirs = by_ffmpeg(path, 2)
    if len(theirs) == 0:
        with pytest.raises(ToolError) as e:
            pcm(path)
        assert e.value.errno == errno.EBADMSG
    else:
        assert pcm(path)[0].tobytes() == theirs.tobytes()


@pytest.mark.parametrize("ending, subtype", [("wav", "PCM_16"), ("wav", "PCM_24"),
                                             ("flac", "PCM_16")])
@pytest.mark.parametrize("percent", [10, 50, 99])
def test_an_uncompressed_file_cut_short_gives_its_first_samples(pcm, media, tmp_path, ending,
                                                                subtype, percent):
    y, _ = soundfile.read(media / "stereo.wav", dtype="float32")
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, y, RATE, subtype=subtype)
    theirs, _ = soundfile.read(path, dtype="float32")
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) * percent // 100])
    ours, _ = pcm(path)
    assert 0.8 * percent / 100 * SAMPLES - 4608 < len(ours) < SAMPLES
    assert ours.tobytes() == theirs[:len(ours)].tobytes()


# (ending, where the size of its samples stands, sizes): as recorders leave them that were
# killed, or that wrote to a pipe
UNFINISHED = [
    ("wav", b"data", "<I", [0, 0xffffffff, 0x7fffffff, 3 * SAMPLES * 4]),
    ("wavex", b"data", "<I", [0, 0xffffffff, 0x7ffffff0]),
    ("caf", b"data", ">Q", [4, 2 ** 64 - 1]),
    ("au", b".snd\0\0\0\x18", ">I", [0, 0xffffffff, 0x7fffffff]),
]


@pytest.mark.parametrize("riff", [None, 0, 8, 0xffffffff])
@pytest.mark.parametrize("ending, mark, packed, size", [
    (ending, mark, packed, size) for ending, mark, packed, sizes in UNFINISHED for size in sizes])
def test_samples_without_a_length_are_read_as_ffmpeg_does(pcm, media, tmp_path, ending, mark,
                                                          packed, size, riff):
    y, _ = soundfile.read(media / "stereo.wav", dtype="float32")
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, y, RATE, subtype="PCM_16", format=ending.upper())
    data = bytearray(path.read_bytes())
    at = data.index(mark) + len(mark)
    data[at:at + struct.calcsize(packed)] = struct.pack(packed, size)
    if riff is not None and ending.startswith("wav"):
        data[4:8] = struct.pack("<I", riff)
    path.write_bytes(data)
    ours, _ = pcm(path)
    assert len(ours) == SAMPLES
    assert ours.tobytes() == by_ffmpeg(path, 2).tobytes()


def adts(media, name, rate, channels):
    path = media / name
    ffmpeg("-i", media / "mono.wav", "-ar", rate, "-ac", channels, "-c:a", "aac", "-f", "adts",
           path)
    return path.read_bytes()


@pytest.mark.parametrize("second, word", [((44100, 2), "channels"), ((32000, 1), "rate")])
def test_a_change_in_mid_stream_is_named(tool, media, tmp_path, second, word):
    path = tmp_path / "change.aac"
    path.write_bytes(adts(media, "first.aac", 44100, 1) + adts(media, "second.aac", *second))
    for command_, keys in ("pcm", {}), ("mfcc", {}), ("mfcc", {"duration": 3.0}):
        with pytest.raises(ToolError) as e:
            tool(command_, path, **keys)
        assert e.value.errno == errno.EBADMSG
        assert word in e.value.why and "mid-stream" in e.value.why
    # what comes after the wanted part does no harm
    assert len(tool("mono", path, sr=44100, duration=1.0)[0]) == 44100


BROKEN = {
    "empty.mp4": b"",
    "eleven.wav": b"RIFF\x24\0\0\0WAV",
    "zero.wav": bytes(100000),
    "zero.mp3": bytes(100000),
    "random.mp4": np.random.default_rng(2).bytes(100000),
    "random.flac": b"fLaC" + np.random.default_rng(3).bytes(100000),
    "text.mp3": b"int main(void)\n{\n\treturn 0;\n}\n" * 100,
    "nosample.wav": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"
                    + struct.pack("<HHIIHH", 1, 1, 44100, 88200, 2, 16) + b"data\0\0\0\0",
    "playlist.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n"
                     b"#EXT-X-ENDLIST\n",
    "concat.txt": b"ffconcat version 1.0\nfile 'a.mp3'\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_media_is_ebadmsg(tool, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(ToolError) as e:
        tool("mfcc", path, duration=1.0)
    assert e.value.errno == errno.EBADMSG
    assert e.value.why


def test_a_silent_film_is_enodata(tool, tmp_path):
    for name, codec in ("a.mp4", "libx264"), ("a.ts", "mpeg2video"), ("a.mkv", "libx264"):
        ffmpeg(*VIDEO, "-c:v", codec, tmp_path / name)
        with pytest.raises(ToolError) as e:
            tool("mfcc", tmp_path / name)
        assert e.value.errno == errno.ENODATA and "audio" in e.value.why


# The store


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("name", ["a.m4a", "fast.m4a", "a.mp3", "a.ogg", "video.mkv", "video.ts",
                                  "stereo.wav", "six.mp4", "x.flac"])
def test_the_stores_error_wins_over_the_decoders(tool, encode, media, name, code):
    path = media / name
    if name == "x.flac":
        ffmpeg("-i", media / "stereo.wav", path)
    elif not path.exists():
        encode(name)
    size = path.stat().st_size
    for at in (0, 11, size // 10, size // 2, size - 1):
        for command_ in "pcm", "mfcc":
            with pytest.raises(ToolError) as e:
                tool(command_, path, fail_at=at, fail_err=code)
            assert e.value.errno == code, (at, e.value)


def test_video_payload_is_not_read(tool, tmp_path, media):
    """Where the gaps between the audio's chunks are large; small ones are read over."""
    path = tmp_path / "noise.mp4"
    ffmpeg("-f", "lavfi", "-i", "nullsrc=s=1600x900:r=5:d=2.2,geq=random(1)*255:128:128",
           "-i", media / "stereo.wav", "-c:v", "mpeg4", "-q:v", "1", "-c:a", "aac", path)
    size = path.stat().st_size
    assert size > 12 << 20
    ours, told = tool("pcm", path)
    assert ours.tobytes() == by_ffmpeg(path, 2).tobytes()
    assert int(told["read"]) < size // 10
    _, told = tool("mfcc", path)
    assert int(told["read"]) < size // 10


def test_no_more_is_read_than_the_duration_needs(tool, tmp_path):
    y = np.random.default_rng(0).uniform(-1, 1, (60 * 44100, 2)).astype("f4")
    wav, flac, m4a, mp3 = (tmp_path / f"a.{e}" for e in ("wav", "flac", "m4a", "mp3"))
    soundfile.write(wav, y, 44100, subtype="PCM_16")
    for path in flac, m4a, mp3:
        ffmpeg("-i", wav, *(["-b:a", "320k"] if path != flac else []), path)
    for path, extra in (wav, 1 << 18), (flac, 1 << 19), (m4a, 1 << 18), (mp3, 3 << 20):
        _, told = tool("mfcc", path, duration=6.0)
        assert int(told["read"]) < path.stat().st_size * 0.11 + extra, path


# All of it


def librosas_way(y, rate, keys):
    """y (frames, channels) as librosa.load and util.fix_length treat it, then its MFCC"""
    keys = dict(keys)
    sr, duration = keys.get("sr", 22050), keys.pop("duration", 0)
    if duration:
        y = y[:int(duration * rate)]
    channel = keys.pop("channel", -1)
    y = y.T[channel] if channel >= 0 else librosa.to_mono(y.T)
    y = librosa.resample(y, orig_sr=rate, target_sr=sr)
    if duration:
        y = librosa.util.fix_length(y, size=int(duration * sr))
    return y, reference_mfcc(y, **keys)


@pytest.fixture
def check_whole(tool):
    def run(path, y, rate, **keys):
        keys.setdefault("win_length", keys.get("n_fft", 2048))
        y, theirs = librosas_way(y, rate, keys)
        mono, _ = tool("mono", path, **keys)
        assert np.array_equal(mono, y)
        ours, _ = tool("mfcc", path, **keys)
        assert_close(ours.reshape(keys.get("n_mfcc", 20), -1), theirs)

    return run


WHOLE = [
    {}, {"duration": 30.0}, {"duration": 1.0}, {"duration": 0.5333}, {"duration": 0.01},
    {"sr": 16000, "duration": 2.2677}, {"sr": 44100}, {"sr": 48000, "duration": 3.0}, {"sr": 8000},
    {"sr": 16000, "n_fft": 400, "hop_length": 160, "n_mels": 40, "n_mfcc": 13, "lifter": 22.0,
     "duration": 1.5},
    {"channel": 0},
]


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("keys", WHOLE, ids=str)
@pytest.mark.parametrize("name", ["a.m4a", "six.mp4", "a.mp3", "a.ogg", "a.opus", "video.mkv",
                                  "video.ts", "six.wav", "stereo.wav"])
def test_the_mfcc_of_a_file_is_librosas(check_whole, encode, media, name, keys):
    path = encode(name) if name in ENCODED else media / name
    y, rate = soundfile.read(path, dtype="float32") if name.endswith("wav") else (None, None)
    if y is None:
        channels = 6 if name.startswith("six") else 2
        y, rate = by_ffmpeg(path, channels), 48000 if name == "a.opus" else RATE
    check_whole(path, y, rate, **keys)


@pytest.mark.parametrize("keys", [{"duration": 30.0}, {}, {"sr": 16000, "duration": 1.0}], ids=str)
@pytest.mark.parametrize("path", sorted(glob.glob("/usr/share/sounds/alsa/*.wav")) or [
    pytest.param("", marks=pytest.mark.skip(reason="alsa-utils' sounds aren't installed"))])
def test_recorded_speech(tool, path, keys):
    y, _ = librosa.load(path, sr=keys.get("sr", 22050), duration=keys.get("duration"))
    if "duration" in keys:
        y = librosa.util.fix_length(y, size=int(keys["duration"] * keys.get("sr", 22050)))
    mono, _ = tool("mono", path, **keys)
    assert np.array_equal(mono, y)
    ours, _ = tool("mfcc", path, **keys)
    assert_close(ours.reshape(20, -1), reference_mfcc(y, sr=keys.get("sr", 22050)))


@pytest.mark.parametrize("name, args", [
    ("a.wav", []), ("a.flac", []), ("a.m4a", ["-c:a", "aac"]), ("a.mp3", ["-c:a", "libmp3lame"]),
    ("a.opus", ["-c:a", "libopus"]),
])
def test_synthetic_speech(check_whole, tmp_path, name, args):
    command("espeak-ng", "-w", tmp_path / "said.wav",
            "A read-only filesystem shows a bucket as decoded arrays.")
    path = tmp_path / f"enc.{name}"
    ffmpeg("-i", tmp_path / "said.wav", *args, path)
    check_whole(path, by_ffmpeg(path, 1), by_pyav(path)[1], duration=10.0)


def test_one_channel_can_be_picked(check_whole, tool, media):
    y, rate = soundfile.read(media / "six.wav", dtype="float32")
    for channel in range(6):
        check_whole(media / "six.wav", y, rate, channel=channel, duration=2.0)
    with pytest.raises(ToolError) as e:
        tool("mfcc", media / "stereo.wav", channel=2)
    assert e.value.errno == errno.ENODATA and "2 channels" in e.value.why


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_named(tool, tmp_path, bad):
    y = signal("noise", 22050)
    y[12345] = bad
    soundfile.write(tmp_path / "a.wav", y, 22050, subtype="FLOAT")
    with pytest.raises(ToolError) as e:
        tool("mfcc", tmp_path / "a.wav")
    assert e.value.errno == errno.EBADMSG and "12345" in e.value.why
    tool("mfcc", tmp_path / "a.wav", duration=0.5)


def test_a_result_has_to_fit(tool, media):
    size = 20 * 4 * (1 + 22050 // 512)
    for keys in {"duration": 1.0}, {}:
        with pytest.raises(ToolError) as e:
            tool("mfcc", media / "stereo.wav", out_size=size - 1, **keys)
        assert e.value.errno == errno.ENOMEM
    ours, _ = tool("mfcc", media / "stereo.wav", out_size=size, duration=1.0)
    assert ours.nbytes == size
