"""Waiting for events with a deadline; nothing here sleeps for a fixed time.

A deadline is only how long a broken program may hang before the test says so:
it never decides whether a working one passes.
"""
import os
import select
import threading
import time

DEADLINE = float(os.environ.get("S3SAMPLEFS_TEST_DEADLINE", "60"))


class TooLate(AssertionError):
    """The event did not come before the deadline."""


def until(state, what, timeout=DEADLINE, check=None):
    """Polls state() until it is true, returns its value. check() may raise to give up early."""
    end = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        value = state()
        if value:
            return value
        if check:
            check()
        if time.monotonic() > end:
            raise TooLate(f"{what}: not within {timeout:.0f} s")
        pause.wait(0.005)


def until_mounts(state, what, timeout=DEADLINE, wake=()):
    """As until(), woken by the kernel when the mount table changes or a descriptor of wake is
    readable."""
    end = time.monotonic() + timeout
    with open("/proc/self/mountinfo", "rb") as table:
        poll = select.poll()
        poll.register(table, select.POLLERR | select.POLLPRI)
        for fd in wake:
            poll.register(fd, select.POLLIN)
        while True:
            value = state()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                raise TooLate(f"{what}: not within {timeout:.0f} s")
            poll.poll(min(left, 1.0) * 1000)


def is_mounted(path):
    """Whether something is mounted exactly at path, which has no symbolic links in it. Touches only
    the kernel's table: a mount that hangs must not hang us."""
    wanted = os.fsencode(path)
    with open("/proc/self/mountinfo", "rb") as table:
        return any(unescape(line.split(b" ")[4]) == wanted for line in table)


def unescape(field):
    """mountinfo writes blank, tab, newline and backslash as octal."""
    for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(code, byte)
    return field


def until_gone(pid, what, timeout=DEADLINE):
    """Waits for a process that need not be our child to end."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(timeout * 1000):
            raise TooLate(f"{what} (process {pid}) still runs after {timeout:.0f} s")
    finally:
        os.close(fd)
