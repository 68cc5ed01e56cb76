"""Where the programs under test are."""
import os

TRAIN = os.environ.get("S3SAMPLE_TRAIN", "s3sample-train")
PREDICT = os.environ.get("S3SAMPLE_PREDICT", "s3sample-predict")
LAYER_TOOL = os.environ.get("LAYER_TOOL", "layer_tool")

# contrib/check sets it where there is a GPU, and names what it leaves out where there is none.
WITH_CUDA = bool(os.environ.get("S3SAMPLE_CUDA"))
