#!/usr/bin/env python3
"""How fast the mount reads and decodes, beside what it can be compared with, in one run.

    bench_reads.py [--clip FILE] [--repeat N]

- cold and warm reads of a frames file through the mount (warm: from the decoded rows, and from the
  kernel's pages), and the same .npy read from the local disk and from tmpfs
- decoding: the frames of one clip through a fresh mount, beside PyAV and, where it is installed,
  torchcodec on the same clip, with the same frames asked for

Prints one line a measurement and its ratio to the first of its group. Figures of one run compare
with each other, not with those of another machine.
"""
import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fs"))

import numpy as np                                  # noqa: E402

from lib import reference                           # noqa: E402
from lib.mount import Mount                         # noqa: E402
from lib.recipes import Clip                        # noqa: E402

FRAMES = 16


def default_clip():
    """30 s of 720p at x264's default GOP."""
    return Clip("bench.mp4", frames=750, height=720, width=1280, video=(
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast")).make()


def timed(job, repeat):
    """Median seconds, and what the last run gave."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        value = job()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), value


def read_all(path, drop=False):
    """Reads a file by 1 MiB; drop: its pages leave the kernel first."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if drop:
            os.fsync(fd) if not path.is_relative_to("/dev/shm") else None
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        total = 0
        while chunk := os.read(fd, 1 << 20):
            total += len(chunk)
        return total
    finally:
        os.close(fd)


class Table:
    """Lines of a group; the first one is what the others are compared with."""

    def __init__(self, title, unit):
        self.unit, self.base = unit, None
        print(f"\n{title}")

    def line(self, name, value):
        self.base = self.base or value
        print(f"  {name:<44} {value:12.1f} {self.unit:<9} {value / self.base:8.3f} x")


def bench_reads(folder, clip, repeat):
    table = Table(f"reading {FRAMES} frames of 720p as .npy (44 MB)", "MB/s")
    source = folder / "source"
    source.mkdir()
    (source / "clip.mp4").write_bytes(clip.read_bytes())
    with Mount(folder / "mount", f"dir:{source}", {"memory": "2G"}) as mount:
        path = mount / "frames@size=native/clip.mp4.npy"
        size = os.stat(path).st_size
        cold, _ = timed(lambda: read_all(path), 1)
        local, memory = folder / "local.npy", Path("/dev/shm") / f"s3samplefs-bench-{os.getpid()}"
        local.write_bytes(path.read_bytes())
        memory.write_bytes(local.read_bytes())
        try:
            pages, _ = timed(lambda: read_all(local), repeat)
            disk, _ = timed(lambda: read_all(local, drop=True), repeat)
            tmpfs, _ = timed(lambda: read_all(memory), repeat)
        finally:
            memory.unlink()
        rows, _ = timed(lambda: read_all(path, drop=True), repeat)
        kept, _ = timed(lambda: read_all(path), repeat)
        decoded = mount.stat("frames_decoded")
    for name, seconds in (("local disk, from the kernel's pages", pages),
                          ("local disk, pages dropped before", disk), ("tmpfs", tmpfs),
                          ("mount, from the kernel's pages", kept),
                          ("mount, from decoded rows (pages dropped)", rows),
                          ("mount, cold: fetch, decode, convert", cold)):
        table.line(name, size / seconds / 1e6)
    print(f"  ({decoded} frames were decoded, once)")


def bench_small_files(folder, clip, repeat):
    """Default files of 2.4 MB: what an epoch over decoded rows and pages costs."""
    table = Table("opening and reading 2.4 MB files", "files/s")
    source = folder / "many"
    source.mkdir()
    for i in range(8):
        (source / f"{i}.mp4").write_bytes(clip.read_bytes())
    with Mount(folder / "mount-many", f"dir:{source}", {"memory": "2G"}) as mount:
        paths = [mount / f"frames/{i}.mp4.npy" for i in range(8)]
        cold, _ = timed(lambda: [read_all(p) for p in paths], 1)
        kept, _ = timed(lambda: [np.load(p) for p in paths], repeat)
        rows, _ = timed(lambda: [read_all(p, drop=True) for p in paths], repeat)
    local = folder / "local-many"
    local.mkdir()
    for i in range(8):
        np.save(local / f"{i}.npy", np.zeros((FRAMES, 224, 224, 3), np.uint8))
    floor, _ = timed(lambda: [np.load(local / f"{i}.npy") for i in range(8)], repeat)
    for name, seconds in (("local disk, np.load from pages", floor),
                          ("mount, np.load from pages", kept),
                          ("mount, from decoded rows", rows), ("mount, cold", cold)):
        table.line(name, 8 / seconds)


def _torchcodec(clip, chosen):
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, RuntimeError, OSError):
        return None

    def decode():
        decoder = VideoDecoder(str(clip), num_ffmpeg_threads=1, seek_mode="exact",
                               dimension_order="NHWC")
        return decoder.get_frames_at(chosen).data.numpy()
    return decode


def _pyav(clip, chosen):
    import av

    def decode():
        """Every frame up to the last wanted one: PyAV has no way to skip by index."""
        wanted, found = set(chosen), {}
        with av.open(str(clip)) as container:
            stream = container.streams.best("video")
            stream.codec_context.thread_count = 1
            for i, frame in enumerate(container.decode(stream)):
                if i in wanted:
                    found[i] = frame.to_ndarray(format="rgb24")
                if i == chosen[-1]:
                    break
        return np.stack([found[i] for i in chosen])
    return decode


def bench_decode(folder, clip, repeat):
    """The same 16 exact uniform frames, native size, one decoding thread each."""
    table = Table(f"decoding {FRAMES} exact uniform frames, native size, one thread", "frames/s")
    chosen = reference.uniform(reference.shown(clip), FRAMES)
    source = folder / "one"
    source.mkdir()
    (source / "clip.mp4").write_bytes(clip.read_bytes())
    runs, number = {}, [0]

    def mounted():
        number[0] += 1
        with Mount(folder / f"mount-one{number[0]}", f"dir:{source}",
                   {"workers": 1, "memory": "2G"}) as mount:
            path = mount / "frames@size=native/clip.mp4.npy"
            start = time.perf_counter()
            value = np.load(path)
            return time.perf_counter() - start, value, mount.stat("frames_decoded")

    outcome = [mounted() for _ in range(repeat)]
    pyav = _pyav(clip, chosen)
    runs["PyAV"], expected = timed(pyav, repeat)
    torchcodec = _torchcodec(clip, chosen)
    if torchcodec:
        runs["torchcodec"], theirs = timed(torchcodec, repeat)
        assert np.array_equal(theirs, expected), "torchcodec and PyAV differ"
    runs["mount, cold, dir:, FUSE included"] = statistics.median(o[0] for o in outcome)
    assert np.array_equal(outcome[0][1], expected), "the mount's frames differ"
    for name, seconds in runs.items():
        table.line(name, FRAMES / seconds)
    print(f"  (the mount decoded {outcome[0][2]} of {chosen[-1] + 1} frames)")
    if not torchcodec:
        print("  (torchcodec is not installed)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clip", type=Path, help="a video file (default: a generated one)")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    clip = args.clip or default_clip()
    with tempfile.TemporaryDirectory(prefix="s3samplefs-bench-") as folder:
        folder = Path(folder)
        bench_reads(folder, clip, args.repeat)
        bench_small_files(folder, clip, args.repeat)
        bench_decode(folder, clip, args.repeat)


if __name__ == "__main__":
    main()
