"""samples/: the (frames, mfcc, label) triple of every clip, by np.load and open alone."""
import csv
import os

import numpy as np
import pytest

from lib import media, reference, trees

LABELS = ["pair", "special", "video"]        # bytewise: the classes' numbers


def _clips():
    return sorted(key for key in media.files() if key.endswith(trees.VIDEO))


def test_every_clip_is_a_directory_of_four_files(mnt):
    for key in _clips():
        assert sorted(os.listdir(mnt / "samples" / key)) == ["frames.npy", "label.npy",
                                                             "label.txt", "mfcc.npy"], key


def test_every_clip_gives_its_triple(mnt):
    for key in _clips():
        frames = np.load(mnt / "samples" / key / "frames.npy")
        mfcc = np.load(mnt / "samples" / key / "mfcc.npy")
        with open(mnt / "samples" / key / "label.txt") as f:
            label = f.read().strip()
        assert (frames.shape, frames.dtype) == ((16, 224, 224, 3), np.uint8), key
        assert (mfcc.shape, mfcc.dtype) == ((20, 1292), np.float32), key
        assert label == key.split("/")[1], key


def test_frames_and_mfcc_are_those_of_the_views(mnt):
    key = "train/video/clip.mkv"
    assert np.array_equal(np.load(mnt / f"samples/{key}/frames.npy"),
                          np.load(mnt / f"frames/{key}.npy"))
    assert np.array_equal(np.load(mnt / f"samples/{key}/mfcc.npy"),
                          np.load(mnt / f"mfcc/{key}.npy"))


def test_label_npy_is_the_class_number(mnt):
    for key in _clips():
        number = np.load(mnt / "samples" / key / "label.npy")
        assert number.dtype == np.int64 and number.size == 1
        assert int(number) == LABELS.index(key.split("/")[1]), key


def test_classes_txt_lists_the_labels_in_the_order_of_their_numbers(mnt):
    assert (mnt / "samples/classes.txt").read_text().splitlines() == LABELS


def test_index_csv_has_a_row_for_every_clip(mnt, tree):
    path = mnt / "samples/index.csv"
    with open(path, newline="") as f:
        reader = csv.DictReader(f)
        rows = list(reader)
        assert reader.fieldnames == ["path", "split", "label", "class", "video", "audio", "etag",
                                     "size"]
    assert [row["path"] for row in rows] == _clips()
    for row in rows:
        split, label, _ = row["video"].split("/")
        assert (row["split"], row["label"]) == (split, label)
        assert int(row["class"]) == LABELS.index(label)
        assert int(row["size"]) == (tree / row["video"]).stat().st_size
        assert row["etag"] == os.getxattr(mnt / "raw" / row["video"],
                                          "user.s3samplefs.etag").decode()
    assert os.stat(path).st_size == len(path.read_bytes())


def test_index_csv_names_the_sound_beside_a_clip(mnt):
    with open(mnt / "samples/index.csv", newline="") as f:
        audio = {row["path"]: row["audio"] for row in csv.DictReader(f)}
    assert audio["test/pair/pair.mp4"] == "test/pair/pair.wav"


def test_the_sound_beside_a_silent_clip_is_its_sound(mnt, tree):
    got = np.load(mnt / "samples/test/pair/pair.mp4/mfcc.npy")
    assert np.abs(got - reference.mfcc(tree / "test/pair/pair.wav")).max() \
        < reference.MFCC_TOLERANCE


def test_a_silent_clip_gives_zeros(mnt):
    got = np.load(mnt / "samples/val/special/silent.mp4/mfcc.npy")
    assert got.shape == (20, 1292) and not got.any()


def test_missing_error_says_enodata(tree, mounted):
    mount = mounted(f"dir:{tree}", config="[view frames]\ntype=frames\n[view mfcc]\ntype=mfcc\n"
                                          "[view samples]\ntype=samples\nmissing=error\n")
    with pytest.raises(OSError, match="No data available"):
        (mount / "samples/val/special/silent.mp4/mfcc.npy").read_bytes()


def test_label_from_a_path_pattern(tree, mounted):
    mount = mounted(f"dir:{tree}", config="[view frames]\ntype=frames\n[view mfcc]\ntype=mfcc\n"
                                          "[view samples]\ntype=samples\npath={label}/**\n")
    key = "train/video/clip.mkv"
    assert (mount / f"samples/{key}/label.txt").read_text().strip() == "train"
    assert (mount / "samples/classes.txt").read_text().split() == ["test", "train", "val"]


def test_class_per_directory_without_splits(tmp_path, mounted):
    for label in ("dog", "cat", "Zebra"):
        (tmp_path / "source" / label).mkdir(parents=True)
        (tmp_path / "source" / label / "a.mp4").write_bytes(
            media.special("val/special/five.mp4").read_bytes())
    mount = mounted(f"dir:{tmp_path / 'source'}")
    assert (mount / "samples/classes.txt").read_text().split() == ["Zebra", "cat", "dog"]
    assert int(np.load(mount / "samples/dog/a.mp4/label.npy")) == 2
    assert (mount / "samples/cat/a.mp4/label.txt").read_text().strip() == "cat"


def test_a_samples_view_uses_the_sections_it_names(tree, mounted):
    config = ("[view tiny]\ntype=frames\nsize=32\nnum_frames=2\n"
              "[view short]\ntype=mfcc\nduration=1\nn_mfcc=13\n"
              "[view samples]\ntype=samples\nframes=tiny\nmfcc=short\n")
    mount = mounted(f"dir:{tree}", config=config)
    key = "train/video/clip.mkv"
    assert np.load(mount / f"samples/{key}/frames.npy").shape == (2, 32, 32, 3)
    assert np.load(mount / f"samples/{key}/mfcc.npy").shape == (13, 44)


def test_files_of_a_sample_carry_their_objects_key(mnt):
    path = mnt / "samples/test/pair/pair.mp4"
    assert os.getxattr(path / "frames.npy", "user.s3samplefs.key") == b"test/pair/pair.mp4"
    assert os.getxattr(path / "mfcc.npy", "user.s3samplefs.key") == b"test/pair/pair.wav"


def test_nothing_else_is_in_a_sample(mnt):
    for name in ("nothing.npy", "frames", "label", "clip.mkv.npy"):
        assert not os.path.lexists(mnt / "samples/train/video/clip.mkv" / name)
    assert not os.path.lexists(mnt / "samples/train/sound/speech.wav/mfcc.npy")


def test_views_of_the_same_samples_share_their_list(ads, proxy, mounted):
    mount = mounted(ads, server=proxy)
    with proxy.recording() as log:
        with open(mount / "samples/index.csv") as f:
            whole = f.read()
        lists = len(log.of("LIST"))
    with proxy.recording() as log:
        for name in ("samples@num_frames=4", "samples@num_frames=4,size=64", "samples@sr=16000"):
            with open(mount / name / "index.csv") as f:
                assert f.read() == whole
    assert whole.count("\n") == len(_clips()) + 1
    assert log.of("LIST") == [], f"{lists} for the first"
