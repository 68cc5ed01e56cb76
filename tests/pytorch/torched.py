"""PyTorch in a process of its own, so that the tests' Python and NumPy may be others than those
PyTorch was built for.

    with Torched() as torch:
        torch.relu(x=..., dy=...)["y"]

calls a function of layers.py or twin.py. What goes there and comes back are .npz files in a pipe:
NumPy 1 and 2 read each other's. A number or a string is an array without dimensions.
"""
import io
import os
import struct
import subprocess
from pathlib import Path

import numpy as np

# Debian's python3-torch is for Debian's Python.
PYTHON = os.environ.get("TORCH_PYTHON", "/usr/bin/python3")


def send(pipe, values):
    body = io.BytesIO()
    np.savez(body, **values)
    pipe.write(struct.pack("<Q", body.tell()) + body.getvalue())
    pipe.flush()


def receive(pipe):
    """The values by name; None at the end."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    with np.load(io.BytesIO(pipe.read(struct.unpack("<Q", head)[0]))) as body:
        return {name: body[name] if body[name].ndim else body[name].item() for name in body.files}


class Torched:
    def __init__(self):
        # Threads that wait don't spin: there may be more of them than cores.
        self._process = subprocess.Popen([PYTHON, Path(__file__).with_name("serve.py")],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         env=os.environ | {"OMP_WAIT_POLICY": "passive"})
        self.version = self._answer()["version"]

    def _answer(self):
        values = receive(self._process.stdout)
        if values is None:
            raise RuntimeError(f"{PYTHON} can't run PyTorch (Debian: python3-torch; TORCH_PYTHON "
                               f"names another Python that has it)")
        if "error" in values:
            raise RuntimeError(values["error"])
        return values

    def __getattr__(self, function):
        def call(**arguments):
            send(self._process.stdin, {"function": function} | arguments)
            return self._answer()
        return call

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
