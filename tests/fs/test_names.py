"""Names that file systems and object stores see differently."""
import csv
import os

import numpy as np
import pytest

from lib import trees

AWKWARD = ["with blank.txt", "a+b.txt", "100%.txt", "%20.txt", "%2F.txt", "käse-日本語.txt",
           "emoji-\U0001f3ac.txt", "semi;colon.txt", "amp&ersand=1.txt", "quote'\".txt", "q?.txt",
           "hash#.txt", "[brackets]*.txt", "~tilde!$(),:@.txt", "<xml>&amp;.txt",
           "tab\there.txt", "blank at end ", " blank first", "...", "-dash"]


@pytest.fixture(params=["dir", "s3"])
def source_of(request, tmp_path, mounted):
    """source_of(key -> bytes): those objects, mounted from a folder or from a fresh bucket."""
    def make(objects, **options):
        if request.param == "dir":
            folder = tmp_path / "source"
            folder.mkdir()
            for key, data in objects.items():
                (folder / key).parent.mkdir(parents=True, exist_ok=True)
                (folder / key).write_bytes(data)
            return mounted(f"dir:{folder}", options)
        bucket = request.getfixturevalue("bucket")
        for key, data in objects.items():
            bucket.put(key, data)
        return mounted(bucket.source, options, server=bucket.server)
    return make


def test_awkward_names_are_listed_and_read(source_of):
    objects = {f"dir with + and %/{name}": name.encode() for name in AWKWARD}
    mount = source_of(objects)
    assert trees.keys(mount / "raw") == sorted(objects)
    for key, data in objects.items():
        assert (mount / "raw" / key).read_bytes() == data, key


def test_awkward_names_are_found_without_a_listing(source_of):
    objects = {f"dir with + and %/{name}": name.encode() for name in AWKWARD}
    mount = source_of(objects)
    for key in objects:
        assert os.stat(mount / "raw" / key).st_size == len(objects[key]), key


def test_a_backslash_is_a_letter_like_others(tmp_path, mounted):
    """(SeaweedFS takes it for a slash, so a folder has to do.)"""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/back\\slash.txt").write_bytes(b"x")
    mount = mounted(f"dir:{tmp_path / 'source'}")
    assert os.listdir(mount / "raw") == ["back\\slash.txt"]
    assert (mount / "raw/back\\slash.txt").read_bytes() == b"x"


def test_a_name_of_255_bytes_works(source_of):
    name = "x" * 251 + ".txt"
    mount = source_of({f"d/{name}": b"long"})
    assert os.listdir(mount / "raw/d") == [name]
    assert (mount / "raw/d" / name).read_bytes() == b"long"


def test_a_name_too_long_with_its_ending_is_left_out_and_counted(source_of):
    name = "x" * 249 + ".mp4"
    mount = source_of({f"d/{name}": b"long", "d/y.mp4": b"short"})
    assert sorted(os.listdir(mount / "raw/d")) == sorted([name, "y.mp4"])
    assert os.listdir(mount / "frames/d") == ["y.mp4.npy"]
    assert mount.stat("names_left_out") >= 1


def test_names_that_sort_around_a_directory_are_each_listed_once(source_of):
    keys = ["a-x", "a.mp4", "a/b", "a/c/d", "a0", "a b/c", "aa"]
    mount = source_of({key: key.encode() for key in keys})
    assert sorted(os.listdir(mount / "raw")) == sorted(["a-x", "a.mp4", "a", "a0", "a b", "aa"])
    assert len(os.listdir(mount / "raw")) == 6
    assert trees.keys(mount / "raw") == sorted(keys)


def test_an_object_that_is_also_a_directory_loses(bucket, mounted):
    bucket.put("a", b"object")
    bucket.put("a-x", b"beside")
    bucket.put("a/b", b"below")
    mount = mounted(bucket.source, server=bucket.server)
    assert sorted(os.listdir(mount / "raw")) == ["a", "a-x"]
    assert os.path.isdir(mount / "raw/a")
    assert (mount / "raw/a/b").read_bytes() == b"below"
    assert (mount / "raw/a-x").read_bytes() == b"beside"


def test_a_sample_that_is_also_a_directory_is_in_no_list_and_makes_no_class(bucket, mounted):
    for key in ("v.mp4", "v.mp4-x/cut.mp4", "v.mp4/clip.mp4", "d/w.mp4", "d/w.mp4-x.mp4",
                "d/w.mp4/deep/clip.mp4", "e/x.mp4", "e/x.mp40", "index.csv/y.mp4"):
        bucket.put(key, b"no video")
    mount = mounted(bucket.source, server=bucket.server)
    shown = ["d/w.mp4-x.mp4", "d/w.mp4/deep/clip.mp4", "e/x.mp4", "v.mp4-x/cut.mp4",
             "v.mp4/clip.mp4"]
    with open(mount / "samples/index.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == shown
    assert {row["label"] for row in rows} == {"d", "e", "v.mp4", "v.mp4-x"}
    assert (mount / "samples/classes.txt").read_text() == "d\ne\nv.mp4\nv.mp4-x\n"
    assert mount.stat("names_left_out") == 3
    for row in rows:
        assert np.load(mount / f"samples/{row['path']}/label.npy") == int(row["class"])
    assert not os.path.lexists(mount / "samples/v.mp4/label.npy")
    assert sorted(os.listdir(mount / "samples")) == ["classes.txt", "d", "e", "index.csv", "v.mp4",
                                                     "v.mp4-x"]
    assert mount.stat("names_left_out") == 5


def test_a_key_that_ends_in_a_slash_is_an_empty_directory(bucket, mounted):
    bucket.put("empty/", b"")
    bucket.put("full/x", b"1")
    mount = mounted(bucket.source, server=bucket.server)
    assert sorted(os.listdir(mount / "raw")) == ["empty", "full"]
    assert os.listdir(mount / "raw/empty") == []


def test_an_empty_object_reads_as_nothing(source_of):
    mount = source_of({"nothing": b"", "d/zero.mp4": b""})
    assert (mount / "raw/nothing").read_bytes() == b""
    assert os.stat(mount / "raw/d/zero.mp4").st_size == 0


def test_a_prefix_of_the_bucket_is_the_root(bucket, mounted):
    bucket.put("data/v1/x.txt", b"inside")
    bucket.put("data/v10/y.txt", b"not ours")
    mount = mounted(f"{bucket.source}/data/v1", server=bucket.server)
    assert trees.keys(mount / "raw") == ["x.txt"]
    assert (mount / "raw/x.txt").read_bytes() == b"inside"


def test_an_empty_bucket_mounts_and_lists_nothing(bucket, mounted):
    mount = mounted(bucket.source, server=bucket.server)
    assert os.listdir(mount / "raw") == []


def test_2500_entries_come_in_pages_and_each_once(tmp_path, bucket, proxy, mounted):
    folder = tmp_path / "many"
    (folder / "d").mkdir(parents=True)
    names = [f"{i:05}.txt" for i in range(2500)]
    for name in names:
        (folder / "d" / name).write_text(name)
    bucket.put_tree(folder)
    mount = mounted(bucket, server=proxy)
    with proxy.recording() as log:
        assert sorted(os.listdir(mount / "raw/d")) == names
    assert len(log.of("LIST")) >= 3
    assert (mount / "raw/d/01234.txt").read_text() == "01234.txt"


def test_2500_entries_of_a_folder_are_each_listed_once(tmp_path, mounted):
    folder = tmp_path / "many"
    folder.mkdir()
    names = [f"{i:05}.txt" for i in range(2500)]
    for name in names:
        (folder / name).touch()
    mount = mounted(f"dir:{folder}")
    assert sorted(os.listdir(mount / "raw")) == names


def test_no_symbolic_link_leads_out_of_a_folder(tmp_path, mounted):
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "secret").write_text("not in the bucket")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to("..")
    (folder / "inside").write_text("in the bucket")
    mount = mounted(f"dir:{folder}")
    assert os.listdir(mount / "raw") == ["inside"]
    assert not os.path.lexists(mount / "raw/link")
    assert not os.path.lexists(mount / "raw/up/secret")


def test_special_files_of_a_folder_are_no_objects(tmp_path, mounted):
    folder = tmp_path / "source"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "file").write_text("x")
    mount = mounted(f"dir:{folder}")
    assert os.listdir(mount / "raw") == ["file"]
    assert not os.path.lexists(mount / "raw/fifo")
