"""The mount is a tree of files that ordinary programs can walk, list and copy."""
import math
import os
import shutil
import stat

import numpy as np

from lib import trees
from lib.run import run

DEFAULT_VIEWS = {"raw", "frames", "mfcc", "info", "samples"}
FRAMES_BYTES = 128 + 16 * 224 * 224 * 3


def test_root_lists_the_views_and_the_control_directory(mnt):
    assert set(os.listdir(mnt.point)) == DEFAULT_VIEWS | {".s3samplefs"}


def test_raw_mirrors_the_source(mnt, tree):
    assert trees.keys(mnt / "raw") == trees.keys(tree)
    assert trees.folders(mnt / "raw") == trees.folders(tree)


def test_ls_recursive_works(mnt, tree):
    listing = run("ls", "-lR", mnt / "raw")
    for key in trees.keys(tree):
        assert os.path.basename(key) in listing


def test_find_counts_files_and_directories(mnt, tree):
    found = run("find", mnt / "raw", "-type", "f", "-printf", "%P %s\\n").splitlines()
    assert sorted(found) == [f"{key} {(tree / key).stat().st_size}" for key in trees.keys(tree)]
    found = run("find", mnt / "raw", "-mindepth", "1", "-type", "d", "-printf", "%P\\n")
    assert sorted(found.splitlines()) == trees.folders(tree)


def test_frames_view_lists_videos_only_with_npy_appended(mnt, tree):
    videos = [f"{key}.npy" for key in trees.keys(tree) if key.endswith(trees.VIDEO)]
    assert trees.keys(mnt / "frames") == sorted(videos)


def test_mfcc_view_lists_audio_and_video(mnt, tree):
    media = [f"{key}.npy" for key in trees.keys(tree) if key.endswith(trees.VIDEO + trees.AUDIO)]
    assert trees.keys(mnt / "mfcc") == sorted(media)


def test_stat_tells_exact_sizes_of_objects(mnt, tree):
    for key in trees.keys(tree):
        assert os.stat(mnt / "raw" / key).st_size == (tree / key).stat().st_size, key


def test_stat_tells_the_exact_size_of_a_fixed_shape(mnt):
    assert os.stat(mnt / "frames/train/video/moov-last.mp4.npy").st_size == FRAMES_BYTES
    assert os.stat(mnt / "mfcc/train/sound/speech.wav.npy").st_size == 128 + 20 * 1292 * 4


def test_every_virtual_file_reads_back_as_many_bytes_as_stat_says(mnt):
    for view in ("frames", "mfcc", "info"):
        for name in ("train/video/clip.mkv", "train/video/clip.avi", "train/video/vp9.webm"):
            path = mnt / view / (name + (".txt" if view == "info" else ".npy"))
            assert os.stat(path).st_size == len(path.read_bytes()), path


def test_modes_are_read_only(mnt):
    for where, folders, files in os.walk(mnt.point):
        assert trees.mode(where) == 0o555, where
        for name in files:
            assert trees.mode(os.path.join(where, name)) == 0o444, name


OLD_TIMES = {"epoch": 0, "before": -1, "half": -1.5, "lumiere": -2_100_000_000, "late": 32_503_680_000}


def test_times_before_1970_and_at_it_are_shown(tmp_path, mounted, rclone):
    """Archives made to be reproducible set all times to 0; scans of old films go further back."""
    (rclone.root / "films").mkdir()
    for name, seconds in OLD_TIMES.items():
        path = rclone.root / "films" / name
        path.write_bytes(b"x")
        os.utime(path, ns=(int(seconds * 10**9),) * 2)
    of_dir = mounted(f"dir:{rclone.root / 'films'}")
    of_s3 = mounted("s3://films", server=rclone)
    for listed_first in (False, True):
        for mount in (of_dir, of_s3):
            if listed_first:
                os.listdir(mount / "raw")
            for name, seconds in OLD_TIMES.items():
                shown = os.stat(mount / "raw" / name).st_mtime
                if name != "late":            # beyond what nanoseconds in 64 bits reach
                    assert math.floor(shown) == math.floor(seconds), (mount.source, name)
                elif mount is of_dir:
                    assert shown >= 9_223_372_036


def test_mtime_is_the_objects_last_modified(mnt, tree, request):
    key = "train/video/clip.mkv"
    if mnt.source.startswith("s3:"):
        expected = request.getfixturevalue("ads").head(key)["LastModified"].timestamp()
    else:
        expected = (tree / key).stat().st_mtime
    for path in (mnt / "raw" / key, mnt / "frames" / f"{key}.npy", mnt / "mfcc" / f"{key}.npy"):
        assert int(os.stat(path).st_mtime) == int(expected)


def test_inode_numbers_are_the_same_after_a_remount(tree, mounted):
    def numbers(mount):
        return {os.path.relpath(os.path.join(where, name), mount.point):
                os.lstat(os.path.join(where, name)).st_ino
                for where, folders, files in os.walk(mount.point) for name in folders + files}
    first, second = mounted(f"dir:{tree}"), mounted(f"dir:{tree}")
    assert numbers(first) == numbers(second)
    assert len(set(numbers(first).values())) == len(numbers(first))


def test_readdir_and_stat_agree_on_inode_numbers(mnt):
    for entry in os.scandir(mnt / "raw/train/video"):
        assert entry.inode() == os.lstat(entry.path).st_ino


def test_statfs_answers(mnt):
    assert os.statvfs(mnt.point).f_namemax == 255


def test_missing_names_are_enoent(mnt):
    for name in ("nothing", "raw/nothing", "raw/train/nothing", "raw/train/nothing/deeper",
                 "frames/train/video/nothing.mp4.npy", "frames/train/video/clip.mkv",
                 "frames/train/notes.txt.npy", "mfcc/train/video/clip.mkv.wav",
                 ".s3samplefs/nothing"):
        assert not os.path.lexists(mnt / name), name


def test_a_file_is_no_directory(mnt):
    try:
        os.stat(mnt / "raw/README/x")
    except NotADirectoryError:
        return
    raise AssertionError("raw/README/x exists")


def test_cat_gives_the_object(mnt, tree):
    assert run("cat", mnt / "raw/train/notes.txt") == (tree / "train/notes.txt").read_text()


def test_cp_r_copies_the_objects(mnt, tree, tmp_path):
    run("cp", "-r", mnt / "raw", tmp_path / "copy")
    trees.assert_same(tree, tmp_path / "copy")


def test_rsync_copies_the_objects_with_their_times(mnt, tree, tmp_path):
    run("rsync", "-a", f"{mnt / 'raw'}/", tmp_path / "copy")
    trees.assert_same(tree, tmp_path / "copy")
    for key in trees.keys(tree):
        assert int(os.stat(tmp_path / "copy" / key).st_mtime) == int(
            os.stat(mnt / "raw" / key).st_mtime)


def test_rsync_finds_nothing_to_do_the_second_time(mnt, tmp_path):
    run("rsync", "-a", f"{mnt / 'raw'}/", tmp_path / "copy")
    assert run("rsync", "-a", "--itemize-changes", f"{mnt / 'raw'}/", tmp_path / "copy") == ""


def test_tar_packs_the_objects(mnt, tree, tmp_path):
    run("tar", "-C", mnt.point, "-cf", tmp_path / "all.tar", "raw")
    (tmp_path / "out").mkdir()
    run("tar", "-C", tmp_path / "out", "-xf", tmp_path / "all.tar")
    trees.assert_same(tree, tmp_path / "out" / "raw")


def test_a_copied_view_loads_like_the_mounted_one(mnt, tmp_path):
    shutil.copytree(mnt / "frames/train/video", tmp_path / "frames")
    for name in sorted(os.listdir(tmp_path / "frames")):
        assert np.array_equal(np.load(tmp_path / "frames" / name),
                              np.load(mnt / "frames/train/video" / name)), name


def test_nothing_is_executable_or_a_symbolic_link(mnt):
    for where, _, files in os.walk(mnt / "raw"):
        for name in files:
            assert stat.S_ISREG(os.lstat(os.path.join(where, name)).st_mode)
