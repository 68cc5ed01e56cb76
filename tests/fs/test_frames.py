"""Which frames a frames view gives, and their pixels."""
import numpy as np
import pytest

from lib import burned, clips, media, reference

NATIVE = "frames@size=native"


def _load(mount, key, *parameters):
    view = ",".join(("frames@" + parameters[0], *parameters[1:])) if parameters else "frames"
    return np.load(mount / view / f"{key}.npy")


# An AVI has no presentation times: where its GOPs are open, no index tells which shown frame a sync
# packet is.
TIMED = [(key, sampling) for key in media.NUMBERED for sampling in reference.SAMPLINGS
         if (key, sampling) != ("train/video/mpeg4.avi", "keyframes")]


@pytest.mark.parametrize("key, sampling", TIMED)
def test_numbers_of_the_frames(mnt, tree, key, sampling):
    """The number burned into the picture is the place in output order."""
    clip = reference.shown(tree / key)
    rows = _load(mnt, key, "size=native", f"sampling={sampling}")
    assert burned.read_all(rows) == reference.SAMPLINGS[sampling](clip, 16)


@pytest.mark.parametrize("key", media.NUMBERED)
def test_all_frames_in_order(mnt, key):
    rows = _load(mnt, key, "size=96", "num_frames=all")
    assert burned.read_all(rows) == list(range(125))


@pytest.mark.parametrize("count", [1, 2, 5, 7, 25, 32, 100, 125, 200])
def test_uniform_is_exact_for_any_count(mnt, tree, count):
    key = "train/video/clip.mkv"
    rows = _load(mnt, key, "size=64", f"num_frames={count}")
    assert burned.read_all(rows) == reference.uniform(reference.shown(tree / key), count)


@pytest.mark.parametrize("key", media.NUMBERED)
def test_native_pixels_are_the_decoders(mnt, tree, key):
    assert np.array_equal(_load(mnt, key, "size=native"), reference.native(tree / key))


@pytest.mark.parametrize("key", ["train/video/moov-last.mp4", "val/special/portrait.mp4"])
@pytest.mark.parametrize("mode", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("size", [224, 64, 17, (48, 80), (80, 48), (224, 320), (360, 640)],
                         ids=str)
def test_resized_pixels_are_pillows(mnt, tree, key, mode, size):
    word = f"{size[0]}x{size[1]}" if isinstance(size, tuple) else size
    rows = _load(mnt, key, f"size={word}", f"resize={mode}", "num_frames=3")
    assert np.array_equal(rows, reference.frames(tree / key, 3, size=size, mode=mode))


def test_the_default_view_is_16_uniform_frames_of_224(mnt, tree):
    key = "train/video/moov-first.mp4"
    assert np.array_equal(_load(mnt, key), reference.frames(tree / key))


@pytest.mark.parametrize("sampling", reference.SAMPLINGS)
@pytest.mark.parametrize("key", media.SPECIAL)
def test_special_clips(mnt, tree, key, sampling):
    """Few frames, one frame, portrait, odd sides, variable frame rate."""
    clip = reference.shown(tree / key)
    rows = _load(mnt, key, "size=native", f"sampling={sampling}")
    chosen = reference.SAMPLINGS[sampling](clip, 16)
    assert burned.read_all(rows) == [burned.read(clip.pictures[j]) for j in chosen]


@pytest.mark.parametrize("key", [k for k in media.SPECIAL if "odd" not in k])
def test_special_clips_have_the_decoders_pixels(mnt, tree, key):
    assert np.array_equal(_load(mnt, key, "size=native"), reference.native(tree / key))


def test_odd_sides_keep_the_coded_size_and_stay_near_the_decoders_pixels(mnt, tree):
    """Converters differ among themselves at odd sides; none is far off."""
    key = "val/special/odd.webm"
    rows, expected = _load(mnt, key, "size=native"), reference.native(tree / key)
    assert rows.shape == expected.shape == (16, 143, 175, 3)
    assert np.abs(rows.astype(int) - expected).mean() < 1


def test_a_clip_shorter_than_needed_fills_the_shape(mnt):
    rows = _load(mnt, "val/special/five.mp4", "size=64")
    assert rows.shape[0] == 16
    assert sorted(set(burned.read_all(rows))) == [0, 1, 2, 3, 4]


def test_a_clip_of_one_frame_repeats_it(mnt):
    assert burned.read_all(_load(mnt, "val/special/one.mp4", "size=64")) == [0] * 16


def test_rotation_is_applied(mnt, tree):
    """Its coded size is 180 x 320 (height x width)."""
    key = "val/special/rotated.mp4"
    rows = _load(mnt, key, "size=native")
    assert rows.shape == (16, 320, 180, 3)
    assert np.array_equal(rows, reference.native(tree / key))


def test_rotation_is_applied_before_resizing(mnt, tree):
    key = "val/special/rotated.mp4"
    assert np.array_equal(_load(mnt, key, "size=100x60"),
                          reference.frames(tree / key, size=(100, 60)))


@pytest.mark.parametrize("sampling", reference.SAMPLINGS)
def test_frames_outside_the_edit_list_are_not_shown(mnt, tree, sampling):
    key = "val/special/edited.mp4"
    clip = reference.shown(tree / key)
    first = burned.read(clip.pictures[0])
    assert first == 33                       # the cut is in the middle of a GOP
    rows = _load(mnt, key, "size=native", f"sampling={sampling}")
    assert burned.read_all(rows) == [first + j
                                     for j in reference.SAMPLINGS[sampling](clip, 16)]


def test_all_frames_of_an_edited_clip(mnt, tree):
    key = "val/special/edited.mp4"
    rows = _load(mnt, key, "size=64", "num_frames=all")
    assert len(rows) == len(reference.shown(tree / key))
    assert burned.read_all(rows) == list(range(33, 125))


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """Clips put one behind the other as `cat` does, mounted: numbers 0 to 124, then 0 to 59 at 30
    frames a second."""
    from lib.mount import Mount
    folder = tmp_path_factory.mktemp("joined")
    second = dict(frames=60, rate=30, sound=media.speech(2), video=media.X264)
    for ending in ("ts", "mkv"):
        parts = (media.numbered(f"train/video/clip.{ending}"), media.Clip(f"second.{ending}", **second).make())
        (folder / f"joined.{ending}").write_bytes(b"".join(p.read_bytes() for p in parts))
    with Mount(tmp_path_factory.mktemp("joined-mount") / "mount", f"dir:{folder}") as mount:
        yield mount


JOINED = ["joined.ts", "joined.mkv"]


@pytest.mark.parametrize("name", JOINED)
def test_all_frames_of_joined_files_in_the_order_of_the_file(joined, name):
    rows = np.load(joined / f"frames@size=64,num_frames=all/{name}.npy")
    assert burned.read_all(rows) == [*range(125), *range(60)]


@pytest.mark.parametrize("name", JOINED)
def test_uniform_goes_over_joined_files_as_over_one(joined, name):
    """5 s and 2 s on one clock: row i shows what is there at (2i + 1) / 20 of 7 s."""
    rows = np.load(joined / f"frames@size=64,num_frames=10/{name}.npy")
    numbers = burned.read_all(rows)
    for i, number in enumerate(numbers):
        at = 7 * (2 * i + 1) / 20
        assert abs(number - (at * 25 if at < 5 else (at - 5) * 30)) < 1.1
    assert "clock: starts again" in (joined / f"info/{name}.txt").read_text()


@pytest.mark.parametrize("name", JOINED)
def test_sound_and_picture_of_joined_files_are_of_one_length(joined, name):
    """But for what AAC puts before and behind each part."""
    columns = np.load(joined / f"mfcc@duration=full/{name}.npy").shape[1]
    assert abs(columns * 512 / 22050 - 7) < 0.25


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """Real footage, mounted."""
    from lib.mount import Mount
    with Mount(tmp_path_factory.mktemp("footage") / "mount", f"dir:{clips.folder()}") as mount:
        yield mount


@pytest.mark.parametrize("name", clips.NAMES)
@pytest.mark.parametrize("sampling", reference.SAMPLINGS)
def test_real_footage_native(footage, name, sampling):
    rows = _load(footage, name, "size=native", "num_frames=4", f"sampling={sampling}")
    assert np.array_equal(rows, reference.native(clips.folder() / name, 4, sampling))


@pytest.mark.parametrize("name", clips.NAMES)
def test_real_footage_at_the_defaults(footage, name):
    rows = np.load(footage / f"frames/{name}.npy")
    assert rows.shape == (16, 224, 224, 3) and rows.dtype == np.uint8
    assert np.array_equal(rows, reference.frames(clips.folder() / name))
