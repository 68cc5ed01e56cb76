#!/usr/bin/env python3
"""What a request costs: opening and reading small files whose pages the kernel has.

    bench_requests.py [--rounds N] [--seconds S]

- np.load of small arrays from the mount, beside the same files on the local disk: idle, and beside
  a busy loop for each core and one more
- open, read of 4 KiB, close by one reader and by four, beside libfuse's own example passthrough_ll
  -o cache=always, which is built from where Debian's libfuse3-dev puts its source

The two of a pair take turns; the ratio of a line is the median of the rounds' own ratios. Needs
root, a C compiler and libfuse3-dev.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fs"))

import numpy as np                                  # noqa: E402

from lib.mount import Mount                         # noqa: E402
from lib.wait import is_mounted, until              # noqa: E402

FILES = 64
EXAMPLE = Path("/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c")
SHAPES = {"4 KB": (4, 240), "103 KB": (20, 1292)}   # float32; the second is an MFCC of 30 s


@contextmanager
def busy(n):
    """n loops that take all the time they get."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def passthrough(folder, source):
    """libfuse's example over the same files."""
    program, point = folder / "passthrough_ll", folder / "passthrough"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True,
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-O2", "-w", f"-I{EXAMPLE.parent}", "-o", program, EXAMPLE, *flags],
                   check=True)
    point.mkdir()
    daemon = subprocess.Popen([program, "-f", "-o", f"source={source},cache=always", point])
    until(lambda: is_mounted(point.resolve()), "passthrough_ll mounted")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)
        daemon.wait()


def loads(paths, seconds):
    """np.load a second."""
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for path in paths:
            np.load(path)
        n += len(paths)
    return n / (time.perf_counter() - start)


def open_reads(program, paths, seconds, readers):
    done = subprocess.run([program, str(seconds), str(readers), *paths], check=True,
                          capture_output=True, text=True)
    return float(done.stdout)


def compare(title, ours, other, rounds):
    """ours and other measure a rate each."""
    ours(), other()                                 # pages, attributes, code
    pairs = [(ours(), other()) for _ in range(rounds)]
    mine, theirs = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"  {title:<44} {mine:10.0f} /s {theirs:10.0f} /s {ratio:8.2f} x", flush=True)


def names(folder, prefix, ending):
    return [str(folder / f"{prefix}{i}{ending}") for i in range(FILES)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    args = parser.parse_args()
    if not EXAMPLE.is_file():
        sys.exit(f"{EXAMPLE} is missing: install libfuse3-dev")
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="s3samplefs-bench-") as folder, ExitStack() as stack:
        folder = Path(folder)
        source = folder / "source"
        source.mkdir()
        for i in range(FILES):
            for prefix, shape in SHAPES.items():
                np.save(source / f"{prefix.split()[0]}-{i}.npy", np.full(shape, i, np.float32))
        reader = folder / "open_read"
        subprocess.run(["cc", "-O2", "-o", reader, Path(__file__).parent / "open_read.c",
                        "-lpthread"], check=True)
        mount = stack.enter_context(Mount(folder / "mount", f"dir:{source}"))
        example = stack.enter_context(passthrough(folder, source))
        raw = mount / "raw"
        print(f"np.load: the mount, the local disk, ratio ({cores} cores)")
        for size in SHAPES:
            ours = names(raw, f"{size.split()[0]}-", ".npy")
            disk = names(source, f"{size.split()[0]}-", ".npy")
            for n in (0, cores + 1):
                with busy(n):
                    compare(f"{size}, {f'beside {n} busy loops' if n else 'idle'}",
                            lambda: loads(ours, args.seconds), lambda: loads(disk, args.seconds),
                            args.rounds)
        print("open, read 4 KiB, close: the mount, passthrough_ll -o cache=always, ratio")
        ours, theirs = names(raw, "4-", ".npy"), names(example, "4-", ".npy")
        for n in (0, cores + 1):
            for readers in (1, 4):
                with busy(n):
                    compare(f"{readers} reader{'s' * (readers > 1)}"
                            f"{f', beside {n} busy loops' if n else ''}",
                            lambda: open_reads(reader, ours, args.seconds, readers),
                            lambda: open_reads(reader, theirs, args.seconds, readers), args.rounds)


if __name__ == "__main__":
    main()
