"""Making a media file by ffmpeg, once: kept in a cache folder under the hash of how it was made."""
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lib import burned

_BURNED = Path(burned.__file__).read_bytes()


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "s3samplefs-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@lru_cache
def _ffmpeg_version():
    return subprocess.run(["ffmpeg", "-version"], check=True, capture_output=True).stdout


def made(name, how, make):
    """The file `name`, made by make(path) unless one made the same way (how: bytes) is there."""
    digest = hashlib.sha256(b"\0".join((name.encode(), how, _BURNED, _ffmpeg_version())))
    path = cache_folder() / f"{digest.hexdigest()[:16]}-{Path(name).name}"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            fresh = Path(folder) / Path(name).name
            make(fresh)
            fresh.rename(path)
    return path


def ffmpeg(*argv, stdin=None):
    argv = [str(a) for a in ("ffmpeg", "-v", "error", "-nostdin", "-y", *argv)]
    if stdin is not None:
        argv.remove("-nostdin")
        with subprocess.Popen(argv, stdin=subprocess.PIPE) as encoder:
            for chunk in stdin:
                encoder.stdin.write(chunk)
            encoder.stdin.close()
            assert encoder.wait() == 0, argv
    else:
        subprocess.run(argv, check=True)


@dataclass(frozen=True)
class Clip:
    """Numbered pictures, and sound from a file where `sound` is one."""
    name: str
    frames: int = 125
    height: int = 180
    width: int = 320
    rate: int = 25
    video: tuple = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25")
    sound: object = None                    # path
    audio: tuple = ("-c:a", "aac", "-b:a", "96k")
    output: tuple = ()

    def make(self):
        how = repr((self.frames, self.height, self.width, self.rate, self.video, self.audio,
                    self.output, self.sound and self.sound.name)).encode()
        return made(self.name, how, self._encode)

    def _encode(self, path):
        sound = ("-i", self.sound) if self.sound else ()
        audio = (*self.audio, "-map", "0:v", "-map", "1:a", "-shortest") if self.sound else ("-an",)
        # Bit-exact and single-threaded: the same bytes, thus the same tests, on every machine.
        ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{self.width}x{self.height}",
               "-r", self.rate, "-i", "-", *sound, *self.video, *audio, "-threads", "1",
               "-fflags", "+bitexact", "-flags", "+bitexact", *self.output, path,
               stdin=(burned.paint(self.height, self.width, n).tobytes()
                      for n in range(self.frames)))


def converted(name, source, *argv):
    """A file made from another one."""
    how = repr((source.name, argv)).encode()
    return made(name, how, lambda path: ffmpeg("-i", source, *argv, path))


def spoken(name, text, seconds):
    """Speech of exactly so many seconds, 22,050 Hz mono: espeak-ng says text."""
    def say(path):
        raw = path.with_suffix(".espeak.wav")
        subprocess.run(["espeak-ng", "-v", "en", "-w", raw, text], check=True)
        ffmpeg("-i", raw, "-af", "apad", "-t", seconds, "-c:a", "pcm_s16le", "-fflags", "+bitexact",
               path)
        raw.unlink()
    return made(name, repr((text, seconds)).encode(), say)
