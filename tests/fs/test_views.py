"""Views as the INI file and the names of directories ask for them."""
import os

import numpy as np
import pytest

from lib import reference

KEY = "train/video/clip.mkv"

CONFIG = """\
[view small]
type = frames
num_frames = 4
size = 64x96
resize = stretch          ; a comment
sampling = linspace

[view native]
type = frames
size = native
num_frames = 2

[view speech]
type = mfcc
sr = 16000
n_mfcc = 13
n_fft = 400
hop_length = 160
n_mels = 40
duration = full

[view only-webm]
type = frames
match = *.WEBM vp9.*
"""


@pytest.fixture(scope="module")
def views(tmp_path_factory, tree):
    from lib.mount import Mount
    folder = tmp_path_factory.mktemp("views") / "mount"
    with Mount(folder, f"dir:{tree}", config=CONFIG) as mount:
        yield mount


def test_only_the_sections_are_listed(views):
    assert set(os.listdir(views.point)) == {"small", "native", "speech", "only-webm",
                                            ".s3samplefs"}


def test_several_views_of_one_type_stand_side_by_side(views, tree):
    small = np.load(views / f"small/{KEY}.npy")
    native = np.load(views / f"native/{KEY}.npy")
    assert np.array_equal(small, reference.frames(tree / KEY, 4, "linspace", (64, 96), "stretch"))
    assert np.array_equal(native, reference.native(tree / KEY, 2))


def test_mfcc_parameters_of_a_section(views, tree):
    got = np.load(views / "speech/train/sound/speech.wav.npy")
    expected = reference.mfcc(tree / "train/sound/speech.wav", duration=None, sr=16000, n_mfcc=13,
                              n_fft=400, hop_length=160, n_mels=40)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < reference.MFCC_TOLERANCE


def test_match_ignores_case_and_takes_several_patterns(views):
    assert os.listdir(views / "only-webm/train/video") == ["vp9.webm.npy"]
    assert os.listdir(views / "only-webm/val/special") == ["odd.webm.npy"]
    assert not os.path.lexists(views / f"only-webm/{KEY}.npy")


def test_parameters_in_a_name_change_a_view(views, tree):
    rows = np.load(views / f"small@num_frames=3,size=32/{KEY}.npy")
    assert np.array_equal(rows, reference.frames(tree / KEY, 3, "linspace", (32, 32), "stretch"))


def test_parameters_in_a_name_work_on_the_defaults(mnt, tree):
    rows = np.load(mnt / f"frames@num_frames=4,size=112/{KEY}.npy")
    assert np.array_equal(rows, reference.frames(tree / KEY, 4, size=112))


def test_mfcc_parameters_in_a_name(mnt, tree):
    got = np.load(mnt / "mfcc@n_mfcc=13,duration=2/train/sound/speech.wav.npy")
    expected = reference.mfcc(tree / "train/sound/speech.wav", duration=2, n_mfcc=13)
    assert np.abs(got - expected).max() < reference.MFCC_TOLERANCE


def test_a_view_with_parameters_lists_like_the_view(mnt):
    for folder in ("", "train", "train/video"):
        assert sorted(os.listdir(mnt / "frames@size=32" / folder)) == sorted(
            os.listdir(mnt / "frames" / folder))


def test_views_with_parameters_are_not_listed_in_the_root(mnt):
    np.load(mnt / f"frames@size=16,num_frames=1/{KEY}.npy")
    assert not [name for name in os.listdir(mnt.point) if "@" in name]


def test_match_holds_for_a_view_with_parameters(mnt):
    assert not os.path.lexists(mnt / "frames@size=32/train/notes.txt.npy")


def test_keys_of_a_samples_view_are_checked_together(mnt):
    for keys in ("n_mels=13,n_mfcc=13", "n_mfcc=13,n_mels=13", "win_length=4096,n_fft=4096"):
        alone = np.load(mnt / f"mfcc@duration=2,{keys}/{KEY}.npy")
        assert np.array_equal(np.load(mnt / f"samples@duration=2,{keys}/{KEY}/mfcc.npy"), alone)


@pytest.mark.parametrize("name", [
    "frames@", "frames@size", "frames@size=", "frames@size=0", "frames@size=-1", "frames@size=1e3",
    "frames@nonsense=1", "frames@num_frames=0", "frames@num_frames=99999999", "frames@size=32,",
    "frames@size=32,,num_frames=1", "frames@resize=zoom", "frames@n_mfcc=13", "mfcc@num_frames=4",
    "mfcc@hop_length=0", "mfcc@win_length=5000", "nothing@size=32", "@size=32", "raw@size=32",
    "frames@type=mfcc", "frames@sampling=keyframes,num_frames=all"])
def test_bad_parameters_are_enoent(mnt, name):
    assert not os.path.lexists(mnt / name)


def test_the_reason_for_a_bad_parameter_is_in_the_log_and_the_list(tree, mounted):
    mount = mounted(f"dir:{tree}")
    assert not os.path.lexists(mount / "frames@resize=zoom")
    for text in (mount.log(), (mount / ".s3samplefs/errors").read_text()):
        assert "frames@resize=zoom" in text and "crop" in text


def test_more_views_than_are_kept_can_be_looked_at_one_after_the_other(tree, mounted):
    mount = mounted(f"dir:{tree}")
    with open(mount / f"frames@num_frames=1/{KEY}.npy", "rb") as first:
        for number in range(2, 4500):
            os.stat(mount / f"frames@num_frames={number}")
        assert np.load(mount / f"frames@num_frames=4499,size=8/{KEY}.npy").shape == (4499, 8, 8, 3)
        first.seek(128)
        assert len(first.read(1000)) == 1000
