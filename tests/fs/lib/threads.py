"""Readers in threads of their own, so that the test can go on while they wait."""
import threading

from lib.wait import DEADLINE


class Reader(threading.Thread):
    """Runs job(); value or error (an exception) is there when it is done."""

    def __init__(self, job, *args):
        super().__init__(daemon=True)
        self._job, self._args = job, args
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self._job(*self._args)
        except Exception as error:      # pylint: disable=broad-except
            self.error = error

    def done(self):
        return not self.is_alive()

    def finish(self, timeout=DEADLINE):
        """Waits; returns the value or raises what the job raised."""
        self.join(timeout)
        assert self.done(), "a reader still waits"
        if self.error:
            raise self.error
        return self.value


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def errno_of(job, *args):
    """The errno with which job fails, None where it doesn't."""
    try:
        job(*args)
    except OSError as error:
        return error.errno
    return None
