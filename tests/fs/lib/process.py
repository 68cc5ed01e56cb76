"""Child processes that cannot outlive the test run."""
import ctypes
import os
import signal
import subprocess

from lib.wait import DEADLINE

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program with its output in a file. stop() ends it and waits for it."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=out, env=env, cwd=cwd, start_new_session=True,
                                          preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    def output(self):
        with open(self.log, "r", errors="replace") as log:
            return log.read()

    def must_run(self):
        if self.popen.poll() is not None:
            raise AssertionError(f"{self.argv[0]} ended with {self.popen.returncode}:\n"
                                 + self.output()[-4000:])

    def stop(self, sig=signal.SIGTERM, timeout=DEADLINE):
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.argv[0]} ignored signal {sig}") from None
        return self.popen.returncode

    def kill(self):
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()


def children(pid):
    """Process ids of the direct children of pid."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                stat = f.read()
        except OSError:
            continue
        # The command's name stands in parentheses and may hold blanks.
        fields = stat[stat.rindex(b")") + 2:].split()
        if int(fields[1]) == pid and fields[0] not in b"ZX":
            found.append(int(name))
    return found
