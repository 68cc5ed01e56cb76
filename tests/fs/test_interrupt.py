"""Whoever waits for a name can be interrupted, but only by what is to end him."""
import errno
import os
import signal
import subprocess
import sys

import pytest

from lib.wait import DEADLINE, until

# In C's terms, because Python asks again after EINTR.
CHILD = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(int(sys.argv[3]), lambda *_: None)
signal.siginterrupt(int(sys.argv[3]), False)
libc = ctypes.CDLL(None, use_errno=True)
path = os.fsencode(sys.argv[2])
if sys.argv[1] == "open":
    failed = libc.open(path, os.O_RDONLY) < 0
elif sys.argv[1] == "stat":
    failed = libc.access(path, os.R_OK) < 0
else:
    libc.opendir.restype = ctypes.c_void_p
    libc.readdir.argtypes = [ctypes.c_void_p]
    libc.readdir.restype = ctypes.c_void_p
    listing = libc.opendir(path)
    failed = listing is None
    while not failed:
        ctypes.set_errno(0)
        if not libc.readdir(listing):
            failed = True
print(ctypes.get_errno() if failed else 0, flush=True)
"""


@pytest.fixture
def waiting(bucket, proxy, mounted):
    """A mount whose every request is held, and a child that waits for one."""
    for i in range(3):
        bucket.put(f"d/{i}.mp4", b"x")
    mount = mounted(bucket, server=proxy)
    os.stat(mount / "raw/d")
    children = []

    def start(what, name, *command, handled=signal.SIGINT):
        argv = command or (sys.executable, "-c", CHILD, what, mount / name, str(int(handled)))
        # A shell's job in the background ignores SIGINT, and so would its children.
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        children.append(child)
        return child

    with proxy.gate() as gate:
        yield mount, gate, start
    for child in children:
        child.communicate(timeout=DEADLINE)


@pytest.mark.parametrize("what, name", [
    ("stat", "raw/d/0.mp4"), ("open", "raw/d/0.mp4"), ("list", "raw/d"),
    ("open", "frames@size=native/d/0.mp4.npy")])
def test_sigint_gives_eintr(waiting, what, name):
    _, gate, start = waiting
    child = start(what, name)
    gate.until_held(1, check=lambda: child.poll() is None or pytest.fail("it didn't wait"))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=DEADLINE)
    assert out.strip() == str(errno.EINTR), err


def test_sigint_ends_a_waiting_ls(waiting):
    mount, gate, start = waiting
    child = start("ls", None, "ls", "-l", mount / "raw/d")
    gate.until_held(1)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=DEADLINE)
    assert child.returncode == -signal.SIGINT


@pytest.mark.parametrize("number", ["SIGTERM", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGKILL"])
def test_a_fatal_signal_ends_a_waiting_ls(waiting, number):
    mount, gate, start = waiting
    child = start("ls", None, "ls", "-l", mount / "raw/d")
    gate.until_held(1)
    child.send_signal(getattr(signal, number))
    child.communicate(timeout=DEADLINE)
    assert child.returncode == -getattr(signal, number)


def _interrupt(mount, child, number):
    """Sends a signal for which it has a handler, and waits until the daemon has heard of it."""
    before = mount.stat("fuse_interrupts")
    child.send_signal(number)
    mount.until_stat("fuse_interrupts", before + 1)


@pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGALRM, signal.SIGPROF, signal.SIGHUP],
                         ids=lambda number: number.name)
@pytest.mark.parametrize("what, name", [("stat", "raw/d/0.mp4"), ("open", "raw/d/0.mp4"), ("list", "raw/d")])
def test_other_signals_with_handlers_interrupt_nothing(waiting, proxy, what, name, number):
    """No disk gives EINTR: programs take it for "there is nothing"."""
    mount, gate, start = waiting
    child = start(what, name, handled=number)
    gate.until_held(1)
    _interrupt(mount, child, number)
    # That one of these is answered takes a second, in which the first child was looked at as well.
    other = start("stat", "raw/d/1.mp4")
    until(lambda: any("1.mp4" in line for line in gate.held()), "another one waits")
    other.send_signal(signal.SIGINT)
    assert other.communicate(timeout=DEADLINE)[0].strip() == str(errno.EINTR)
    proxy.clear()
    out, err = child.communicate(timeout=DEADLINE)
    assert out.strip() == "0", err


def test_sigint_after_another_signal_still_ends_it(waiting):
    """The kernel tells of the first one only."""
    mount, gate, start = waiting
    child = start("list", "raw/d", handled=signal.SIGCHLD)
    gate.until_held(1)
    _interrupt(mount, child, signal.SIGCHLD)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=DEADLINE)
    assert child.returncode == -signal.SIGINT


def test_an_interrupted_look_up_leaves_the_name_usable(waiting, proxy):
    mount, gate, start = waiting
    child = start("stat", "raw/d/1.mp4")
    gate.until_held(1)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=DEADLINE)
    proxy.clear()
    assert os.stat(mount / "raw/d/1.mp4").st_size == 1
