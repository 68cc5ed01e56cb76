"""What a listing has told isn't asked again: counted at the proxy."""
import csv
import os

import pytest

from lib.wait import until

MEMBERS = ["frames.npy", "mfcc.npy", "label.txt", "label.npy"]
ODD = "a + b/100%/käse 日本語/q?#;=&'[*]~!$(),:@"


def _put_clips(bucket, folder, n, sounds=True):
    """n clips, every second one with its sound beside it. Their bytes aren't needed: shapes are fixed."""
    keys = [f"{folder}/{i:04}.mp4" for i in range(n)]
    for i, key in enumerate(keys):
        bucket.put(key, b"clip")
        if sounds and i % 2 == 0:
            bucket.put(f"{folder}/{i:04}.wav", b"sound")
    return keys


def _index(mount, view="samples"):
    with open(mount / view / "index.csv", newline="") as f:
        return {row["path"]: row["audio"] for row in csv.DictReader(f)}


def _sound(mount, key, view="samples"):
    return os.getxattr(mount / view / key / "mfcc.npy", "user.s3samplefs.key").decode()


def _look_at_all(mount, keys, view="samples"):
    """As a trainer opens its samples. Returns the sound of each."""
    for key in keys:
        for name in MEMBERS:
            os.stat(mount / view / key / name)
    return {key: _sound(mount, key, view) for key in keys}


def _nothing_asked(log):
    return log.of("LIST") == [] and log.of("HEAD") == []


def test_after_index_csv_samples_ask_for_no_listing(bucket, proxy, mounted):
    keys = _put_clips(bucket, "train/cat", 6) + _put_clips(bucket, "val/dog", 5)
    mount = mounted(bucket, server=proxy)
    index = _index(mount)
    assert sorted(index) == sorted(keys)
    with proxy.recording() as log:
        assert _look_at_all(mount, keys) == index
    assert _nothing_asked(log), log.requests


def test_after_a_walk_samples_ask_for_no_listing(bucket, proxy, mounted):
    keys = _put_clips(bucket, "train/cat", 6) + _put_clips(bucket, "val/dog", 5)
    mount = mounted(bucket, server=proxy)
    for folder in ("samples", "samples/train", "samples/train/cat", "samples/val", "samples/val/dog"):
        os.listdir(mount / folder)
    with proxy.recording() as log:
        found = _look_at_all(mount, keys)
    # label.npy is the number of a class: that takes a list of all classes, once.
    assert [request.key for request in log.of("LIST")] == [""] and log.of("HEAD") == []
    assert found == _index(mount)


def test_two_views_learn_from_one_listing(bucket, proxy, mounted):
    keys = _put_clips(bucket, "train/cat", 4)
    mount = mounted(bucket, server=proxy)
    index = _index(mount)
    with proxy.recording() as log:
        for view in ("samples", "samples@num_frames=4", "samples@sr=16000"):
            assert _look_at_all(mount, keys, view) == index
        for key in keys:
            os.stat(mount / f"frames/{key}.npy")
            os.stat(mount / f"raw/{key}")
            assert not os.path.isdir(mount / f"raw/{key}")
    # That `train` is no object of raw/ no listing tells: what isn't there may come.
    assert log.of("LIST") == [] and {request.key for request in log.of("HEAD")} <= {"train", "train/cat"}


def test_views_without_an_index_ask_once_for_both(bucket, proxy, mounted):
    """Is the name a directory, and what is beside it: for as many views as there are."""
    key = _put_clips(bucket, "train/cat", 1)[0]
    mount = mounted(bucket, server=proxy)
    with proxy.recording() as first:
        assert _sound(mount, key) == "train/cat/0000.wav"
    with proxy.recording() as second:
        assert _sound(mount, key, "samples@num_frames=4") == "train/cat/0000.wav"
    assert first.of("LIST")
    assert _nothing_asked(second), second.requests


def test_a_listing_in_pages_has_no_gaps(bucket, proxy, mounted, tmp_path):
    """Clips and sounds are torn apart by the ends of pages, wherever these are."""
    for i in range(1100):
        clip = tmp_path / "many" / "cat" / f"{i:04}.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"clip")
        if i % 3:
            clip.with_suffix(".wav").write_bytes(b"sound")
    bucket.put_tree(tmp_path / "many")
    mount = mounted(bucket, server=proxy)
    with proxy.recording() as log:
        index = _index(mount)
    assert len(log.of("LIST")) == 2 and len(index) == 1100
    with proxy.recording() as log:
        for key, sound in index.items():
            assert _sound(mount, key) == sound
    assert _nothing_asked(log), log.requests


def test_odd_characters_in_prefix_and_names(bucket, proxy, mounted):
    clips = [f"{ODD}/cat/{name}" for name in ("x.mp4", "a b%2F+.mp4", "日.本.mp4", "%.mp4")]
    for key in clips:
        bucket.put(key, b"clip")
        bucket.put(key[:-3] + "wav", b"sound")
    mount = mounted(f"{bucket.source}/{ODD}", server=proxy)
    keys = [key[len(ODD) + 1:] for key in clips]
    index = _index(mount)
    assert index == {key: key[:-3] + "wav" for key in keys}
    with proxy.recording() as log:
        assert _look_at_all(mount, keys) == index
    assert _nothing_asked(log), log.requests


def test_a_name_that_is_a_directory_too_stays_one(bucket, proxy, mounted):
    bucket.put("cat/a.mp4", b"clip")
    bucket.put("cat/b.mp4/below.mp4", b"clip")
    bucket.put("cat/b.wav/below.wav", b"sound")
    mount = mounted(bucket, server=proxy)
    assert sorted(_index(mount)) == ["cat/a.mp4", "cat/b.mp4/below.mp4"]
    with proxy.recording() as log:
        assert os.listdir(mount / "samples/cat/a.mp4")
        assert _sound(mount, "cat/a.mp4") == "cat/a.mp4"
        assert os.stat(mount / "samples/cat/b.mp4/below.mp4/frames.npy")
    assert log.of("LIST") == []
    assert not os.path.lexists(mount / "samples/cat/b.mp4/frames.npy")


def test_a_sound_that_comes_or_goes_is_seen_after_the_ttl(bucket, proxy, mounted):
    bucket.put("cat/a.mp4", b"clip")
    mount = mounted(bucket, {"metadata_ttl": "100ms"}, server=proxy)
    assert _index(mount) == {"cat/a.mp4": "cat/a.mp4"}
    assert _sound(mount, "cat/a.mp4") == "cat/a.mp4"
    bucket.put("cat/a.wav", b"sound")
    until(lambda: _sound(mount, "cat/a.mp4") == "cat/a.wav", "the sound that came")
    until(lambda: _index(mount) == {"cat/a.mp4": "cat/a.wav"}, "it in index.csv")
    bucket.put("cat/a.flac", b"another")
    bucket.delete("cat/a.wav")
    until(lambda: _sound(mount, "cat/a.mp4") == "cat/a.flac", "the sound in its place")
    bucket.delete("cat/a.flac")
    until(lambda: _sound(mount, "cat/a.mp4") == "cat/a.mp4", "no sound beside it")


def test_a_clip_that_comes_or_goes_is_seen_after_the_ttl(bucket, proxy, mounted):
    bucket.put("cat/a.mp4", b"clip")
    mount = mounted(bucket, {"metadata_ttl": "100ms"}, server=proxy)
    _index(mount)
    assert os.path.isfile(mount / "samples/cat/a.mp4/frames.npy")
    bucket.put("cat/b.mp4", b"clip")
    bucket.delete("cat/a.mp4")
    until(lambda: os.path.isfile(mount / "samples/cat/b.mp4/frames.npy"), "the clip that came")
    until(lambda: not os.path.lexists(mount / "samples/cat/a.mp4"), "the clip that went")
    # A name that was a file and becomes a directory.
    bucket.put("cat/c.mp4", b"clip")
    until(lambda: os.path.isfile(mount / "raw/cat/c.mp4"), "the clip that came")
    bucket.delete("cat/c.mp4")
    bucket.put("cat/c.mp4/below.mp4", b"clip")
    until(lambda: os.path.isdir(mount / "raw/cat/c.mp4"), "the directory in its place")


def test_a_sound_known_to_be_gone_is_looked_for_again(bucket, proxy, mounted):
    """Its removal shows in a read; what is there now is asked for, whatever the listing said."""
    bucket.put("cat/a.mp4", b"clip")
    bucket.put("cat/a.wav", b"sound")
    mount = mounted(bucket, {"metadata_ttl": "forever"}, server=proxy)
    assert _index(mount) == {"cat/a.mp4": "cat/a.wav"}
    bucket.delete("cat/a.wav")
    bucket.put("cat/a.flac", b"another")
    with pytest.raises(FileNotFoundError):
        (mount / "samples@sr=16000/cat/a.mp4/mfcc.npy").read_bytes()
    assert _sound(mount, "cat/a.mp4") == "cat/a.flac"


def test_a_new_name_is_found_whatever_was_listed(bucket, proxy, mounted):
    bucket.put("cat/a.mp4", b"clip")
    mount = mounted(bucket, {"metadata_ttl": "forever"}, server=proxy)
    _index(mount)
    bucket.put("cat/b.mp4", b"clip")
    bucket.put("dog/sub/c.mp4", b"clip")
    assert os.path.isfile(mount / "samples/cat/b.mp4/frames.npy")
    assert os.path.isfile(mount / "samples/dog/sub/c.mp4/frames.npy")
