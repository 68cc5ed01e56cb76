"""Programs that look at the mount from outside Python."""
import subprocess

from lib.wait import DEADLINE


def run(*argv, **kwargs):
    """Runs a program that must succeed; returns its stdout as text."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True,
                          timeout=4 * DEADLINE, **kwargs)
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stderr}"
    return done.stdout
