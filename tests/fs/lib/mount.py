"""A real mount: starts the program, waits until it is mounted, and leaves nothing behind."""
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from lib import wait
from lib.process import Process, children

_ROOT = Path(__file__).resolve().parents[3]
_SANITIZERS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")


def _built(variable, name):
    """A program of the build tree: the environment names it, else ./build holds it."""
    named = os.environ.get(variable)
    places = [named] if named else [_ROOT / "build" / name, _ROOT / "build" / "src" / name]
    for place in places:
        if place and Path(place).is_file():
            return Path(place).resolve()
    raise FileNotFoundError(f"no {name}: build it in {_ROOT / 'build'} or set {variable}")


def program():
    return _built("S3SAMPLEFS_BIN", "s3samplefs")


def worker_program():
    return _built("S3SAMPLEFS_WORKER", "s3samplefs-worker")


def sanitized():
    """Whether the program was built with a sanitizer, which takes memory of its own."""
    needed = subprocess.run(["ldd", program()], check=True, capture_output=True, text=True).stdout
    return any(name in needed for name in ("libasan", "libtsan", "libubsan"))


def environment(home, extra=None):
    """What the program gets: nothing of ours that could name other credentials."""
    env = {k: v for k, v in os.environ.items()
           if k in ("LANG", "LC_ALL", "UBSAN_OPTIONS", "ASAN_OPTIONS", "TSAN_OPTIONS",
                    "LSAN_OPTIONS")}
    env |= {"PATH": f"{program().parent}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home),
            "TMPDIR": str(home), "S3SAMPLEFS_WORKER": str(worker_program())}
    return env | (extra or {})


def option_list(options):
    """{"timeout": "3s", "path_style": True} as -o takes it."""
    words = []
    for key, value in options.items():
        if value is True:
            words.append(key)
        elif value is not None and value is not False:
            words.append(f"{key}={value}")
    return ",".join(words)


class Mount:
    """with Mount(folder, source, {"timeout": "3s"}, config="[view ...]") as mnt: mnt / "raw" """

    def __init__(self, folder, source, options=None, config=None, env=None):
        folder.mkdir(parents=True)
        self.folder = folder = folder.resolve()
        self.source = str(source)
        self.point = folder / "mnt"
        self.home = folder / "home"
        self.point.mkdir()
        self.home.mkdir()
        self.options = dict(options or {})
        if config is not None:
            (folder / "config.ini").write_text(config)
            self.options["config"] = folder / "config.ini"
        self.env = environment(self.home, env)
        self.worker = self.env["S3SAMPLEFS_WORKER"]
        self.pid = None
        self.process = None
        self._workers = []

    def __truediv__(self, name):
        return self.point / name

    def command(self, *flags):
        words = [program(), self.source, self.point, *flags]
        if self.options:
            words += ["-o", option_list(self.options)]
        return [str(w) for w in words]

    def start(self):
        """In the foreground; returns when the kernel shows the mount."""
        self.process = Process(self.command("-f"), self.folder / "log", env=self.env)
        self.pid = self.process.pid
        gone = os.pidfd_open(self.pid)
        try:
            wait.until_mounts(lambda: self.mounted() or self.process.popen.poll() is not None,
                              "mounted", wake=(gone,))
        finally:
            os.close(gone)
        self.process.must_run()
        return self

    def refuse(self, *flags):
        """Runs a mount that must fail. Returns exit status and what it said."""
        done = subprocess.run(self.command("-f", *flags), env=self.env, capture_output=True,
                              text=True, timeout=wait.DEADLINE, stdin=subprocess.DEVNULL)
        assert not self.mounted()
        return done.returncode, done.stderr

    def refuse_again(self):
        """The same on top of what is mounted."""
        done = subprocess.run(self.command("-f"), env=self.env, capture_output=True, text=True,
                              timeout=wait.DEADLINE, stdin=subprocess.DEVNULL)
        return done.returncode, done.stderr

    def adopt(self):
        """Finds the daemon that went to the background by its mount point."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                ours = os.path.samefile(entry / "exe", program())
            except OSError:
                continue
            if ours and os.fsencode(self.point) in words:
                self.pid = int(entry.name)
                return self
        raise AssertionError("no daemon in the background")

    def mounted(self):
        return wait.is_mounted(self.point)

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stats(self):
        return json.loads((self.point / ".s3samplefs" / "stats.json").read_text())

    def stat(self, name):
        return self.stats()[name]

    def until_stat(self, name, at_least):
        wait.until(lambda: self.stat(name) >= at_least, f"{name} >= {at_least}",
                   check=self.must_run)

    def idle_stats(self):
        """The counters once no job runs: a reader may have its rows before the job that made them
        has ended and been counted."""
        wait.until(lambda: self.stat("memory_reserved") == 0, "no running job",
                   check=self.must_run)
        return self.stats()

    def must_run(self):
        if self.process:
            self.process.must_run()

    def workers(self):
        """Process ids of the worker processes: of those that are in their sandbox, not of what they are
        started by, nor of their namespaces' inits."""
        found = []
        for pid in children(self.pid):
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                if name == "s3sample-worker" and os.path.samefile(f"/proc/{pid}/exe", self.worker):
                    found.append(pid)
            except OSError:
                continue
        return found

    def unmount(self, *flags):
        """By umount. The daemon itself looks at a mount that has just come up, to set its read-ahead:
        for that moment it is busy."""
        wait.until(lambda: subprocess.run(["umount", *flags, self.point],
                                          capture_output=True).returncode == 0,
                   f"umount {self.point}", check=self._must_be_mounted)

    def _must_be_mounted(self):
        assert self.mounted(), f"{self.point} is not mounted"

    def terminate(self, sig=signal.SIGTERM):
        os.kill(self.pid, sig)

    def expect_nothing_left(self, status=0):
        """The daemon has ended as it should, and so have its workers; no mount, no temporary
        file, no word from a sanitizer."""
        wait.until_gone(self.pid, "the daemon")
        for pid in self._workers:
            wait.until_gone(pid, "a worker")
        wait.until_mounts(lambda: not self.mounted(), "unmounted")
        left = sorted(str(p) for p in self.home.rglob("*") if p.is_file())
        assert not left, f"left behind: {left}"
        for word in _SANITIZERS:
            assert word not in self.log(), self.log()[-8000:]
        if self.process:
            assert self.process.popen.wait(wait.DEADLINE) == status, self.log()[-4000:]

    def remember_workers(self):
        """Workers are known by their parent: note them before it ends."""
        self._workers = self.workers()

    def stop(self):
        """The ordinary end: umount."""
        if self.pid is None:
            return
        self.remember_workers()
        if self.mounted():
            self.unmount()
        self.expect_nothing_left()
        self.pid = None

    def clean_up(self):
        """After a failed test: whatever it takes."""
        if self.process:
            self.process.kill()
        elif self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while self.mounted():
            self.unmount("-l")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            if kind is not None:
                print(self.log()[-4000:])
            self.clean_up()
