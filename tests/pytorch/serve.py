"""The other end of torched.py: calls what it is told to, until there is nobody to tell."""
import os
import sys
import traceback

import layers
import torch
import twin
from torched import receive, send


def answer(function, **arguments):
    try:
        return (getattr(layers, function, None) or getattr(twin, function))(**arguments)
    except Exception:
        return {"error": traceback.format_exc()}


def main():
    # What libraries print doesn't belong into the answers.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    send(out, {"version": torch.__version__})
    while request := receive(sys.stdin.buffer):
        send(out, answer(**request))


main()
