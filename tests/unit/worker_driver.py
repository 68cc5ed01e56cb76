"""The worker binary under worker_tool, and the planning of FRAMES jobs that the
daemon would do, written from the documentation."""

import json
import os
import subprocess

import numpy as np

CONTIGUOUS, SKIP_NONREF, WHOLE, INTRA_ONLY = 1, 2, 4, 8
KEY, HIDDEN = 1, 2
NOPTS = -(2**63)
EAGAIN, EBADMSG, EIO = 11, 74, 5
CROP, STRETCH, PAD = range(3)


class Packet:
    def __init__(self, index, fields):
        self.index = index
        self.pts, self.dts, self.pos, self.duration, self.size, self.flags = fields


class Worker:
    """One worker on one file; used as a context manager."""

    def __init__(self, path, extension=None, **options):
        tool, worker = os.environ["WORKER_TOOL"], os.environ["WORKER"]
        args = [tool, worker, str(path), extension or str(path).rsplit(".", 1)[1]]
        args += [f"{k}={v}" for k, v in options.items()]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait()
        assert status == 0, f"worker_tool ended with {status}"

    def command(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def probe(self):
        answer = self.command("probe")
        if "table" in answer:
            self.table = answer["table"]
            self.packets = [Packet(i, p) for i, p in enumerate(self.table["packets"])]
            assert answer["check"] == 0, answer["check_why"]
        return answer

    def frames(self, rows, session=0, first=0, n=None, target=None, no_skip=0, drain=0, reorder=0,
               size=(0, 0), mode=CROP):
        """rows: (pts or None, packet, ordinal, emit). Returns (answer, rows' pixels)."""
        n = len(self.packets) - first if n is None else n
        target = first + n - 1 if target is None else target
        words = ["frames", session, first, n, target, no_skip, drain, reorder, *size, mode, len(rows)]
        for slot, (pts, packet, ordinal, emit) in enumerate(rows):
            words += ["none" if pts is None else pts, packet, ordinal, slot, emit]
        answer = self.command(" ".join(map(str, words)))
        data = self.process.stdout.read(answer["out_len"])
        h, w = size if size[0] else (self.table["height"], self.table["width"])
        return answer, np.frombuffer(data, np.uint8).reshape(len(rows), h, w, 3)

    # What media/plan does.

    def has_pts(self):
        return self.packets[0].pts != NOPTS

    def reorder(self):
        """The most packets that precede one in decode order and follow it in output order."""
        if not self.has_pts():
            return 0
        return max(sum(q.pts > p.pts for q in self.packets[max(0, i - 32) : i])
                   for i, p in enumerate(self.packets))

    def shown(self):
        """Packets in output order."""
        return sorted((p for p in self.packets if not p.flags & HIDDEN), key=lambda p: p.pts)

    def sync_points(self, pts):
        """Sync packets from which pts can be reached, the best first."""
        return [p.index for p in reversed(self.packets) if p.flags & KEY and p.pts <= pts]

    def fetch(self, wanted, session=0, **spec):
        """Pixels of the wanted packets (in output order), as the daemon would get them."""
        if not self.has_pts():
            rows = [(None, i, i, 1) for i in wanted]
            answer, pixels = self.frames(rows, session=session, **spec)
            assert answer["err"] == 0, answer
            return pixels
        reorder = self.reorder()
        target = max(p.index for p in wanted)
        rows = [(p.pts, p.index, 0, 1) for p in wanted]
        tried = None
        for attempt, first in enumerate(self.sync_points(min(p.pts for p in wanted)) or [0]):
            first = min(first, min(p.index for p in wanted))
            end = min(len(self.packets), target + 2 * reorder + 20)
            answer, pixels = self.frames(rows, session=session, first=first, n=end - first, target=target,
                                         no_skip=int(attempt > 0), reorder=reorder, **spec)
            if answer["err"] != -EAGAIN:
                break
            tried = answer
        assert answer["err"] == 0, (answer, tried)
        assert sorted(answer["rows"]) == list(range(len(rows)))
        return pixels
