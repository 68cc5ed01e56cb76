"""Where the programs under test are."""
import functools
import os
import re
import subprocess

import pytest

TRAIN = os.environ.get("S3SAMPLE_TRAIN", "s3sample-train")
PREDICT = os.environ.get("S3SAMPLE_PREDICT", "s3sample-predict")
LAYER_TOOL = os.environ.get("LAYER_TOOL", "layer_tool")

# contrib/check sets it where there is a GPU, and names what it leaves out where there is none.
WITH_CUDA = bool(os.environ.get("S3SAMPLE_CUDA"))


@functools.cache
def capability():
    """Of the GPU, as (7, 5) of a T4."""
    text = subprocess.run([LAYER_TOOL, "cuda", "describe"], check=True, capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"compute capability (\d+)\.(\d+)", text).groups()))


def need(device, precision):
    """bf16 and tf32 came with 8.0; contrib/check knows this reason."""
    if device == "cuda" and precision in ("bf16", "tf32") and capability() < (8, 0):
        pytest.skip(f"not on this card: {precision}")
