"""Where the programs are that the tests start."""
import shutil
import sys
from pathlib import Path


def program(name):
    """A program of the tests' virtual environment, or else of PATH."""
    beside = Path(sys.prefix) / "bin" / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed"
    return found
