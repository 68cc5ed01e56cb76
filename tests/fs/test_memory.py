"""memory= is a bound, not a wish."""
import errno
import os
import threading
import time

import numpy as np
import pytest

from lib import reference
from lib.mount import sanitized
from lib.threads import Reader, errno_of
from lib.wait import DEADLINE, until

KEY = "train/video/clip.mkv"


def _peak(pid):
    """Most resident memory of a process so far, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_many_large_reads_at_once_stay_within_memory(tree, mounted):
    """6 readers of 16 rows of 13 MB each: 1.2 GB of rows through 512 MB, workers included."""
    bound = 512 << 20
    mount = mounted(f"dir:{tree}", {"memory": bound, "workers": 1})
    sizes = [2048 + 16 * i for i in range(6)]
    readers = [Reader(np.load, mount / f"frames@size={size},num_frames=16/{KEY}.npy")
               for size in sizes]
    picture = reference.shown(tree / KEY).pictures[3]
    for reader, size in zip(readers, sizes):
        rows = reader.finish(10 * DEADLINE)
        assert np.array_equal(rows[0], reference.resized(picture, size))
        reader.value = None
    assert mount.idle_stats()["row_bytes"] + mount.stat("block_bytes") < bound
    slack = 3 if sanitized() else 1.25
    assert _peak(mount.pid) + sum(_peak(pid) for pid in mount.workers()) < bound * slack


# The least memory= there is: an eighth of what the worker leaves is for inodes.
MEMORY = 448 << 20
INODES = (MEMORY - (320 << 20)) // 8
FILES = 20_000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """More files, with long names, than there is room for their inodes."""
    folder = tmp_path_factory.mktemp("crowd") / "d"
    folder.mkdir()
    for i in range(FILES):
        (folder / f"{i:06}{'x' * 200}").write_bytes(b"%d" % i)
    return folder


def _some_files(tmp_path, n):
    """A folder with n empty files of long names in d/."""
    folder = tmp_path / "some" / "d"
    folder.mkdir(parents=True)
    for i in range(n):
        (folder / f"{i:06}{'x' * 200}").touch()
    return folder.parent


def _inodes_fit(mount):
    """The kernel forgets in its own time."""
    until(lambda: mount.stat("inode_bytes") <= INODES, "inodes within their share",
          check=mount.must_run)


def _lines(path):
    with open(path) as index:
        return sum(1 for _ in index)


def test_a_catalogue_that_does_not_fit_says_so(crowd, mounted):
    mount = mounted(f"dir:{crowd.parent}", {"memory": MEMORY, "workers": 1})
    with pytest.raises(OSError) as error:
        _lines(mount / "samples@match=*/index.csv")
    assert error.value.errno == errno.ENOMEM
    assert "would not fit into memory=" in (mount / ".s3samplefs/errors").read_text()
    assert (mount / "raw/d").is_dir()


def test_one_catalogue_makes_room_for_another(tmp_path, mounted):
    mount = mounted(f"dir:{_some_files(tmp_path, FILES // 2)}", {"memory": MEMORY, "workers": 1})
    # These two differ in what they list, so that they can't share; each takes more than half.
    names = ["samples@match=*", "samples@match=*,split_names=first"]
    for name in 2 * names:
        assert _lines(mount / name / "index.csv") == FILES // 2 + 1


def test_two_catalogues_at_once_both_come(tmp_path, mounted):
    """Each takes more than half of the room; one waits for the other."""
    mount = mounted(f"dir:{_some_files(tmp_path, FILES // 2)}", {"memory": MEMORY, "workers": 1})
    names = [f"samples@match=*,split_names={i}" for i in range(4)]
    readers = [Reader(_lines, mount / name / "index.csv") for name in names]
    assert [reader.finish() for reader in readers] == [FILES // 2 + 1] * 4


def _stat_all(paths):
    for path in paths:
        os.stat(path)


def _until_recalled(mount):
    """Where the kernel can be asked to forget, which the log says if not."""
    assert "can't be asked to forget" not in mount.log(), "the tests need Linux 6.18"
    assert mount.stat("inodes_recalled") > 0
    _inodes_fit(mount)


def test_look_ups_of_more_files_than_fit_stay_within_memory(crowd, mounted):
    mount = mounted(f"dir:{crowd.parent}", {"memory": MEMORY, "workers": 1})
    names = sorted(os.listdir(crowd))
    kept = open(mount / "raw/d" / names[7], "rb", buffering=0)
    _stat_all(mount / "raw/d" / name for name in names)
    _until_recalled(mount)
    assert mount.stat("inodes") < FILES
    assert mount.stat("meta_bytes") <= INODES    # the names have a share of the same size
    # Nobody notices: names, open files, numbers of inodes.
    with kept:
        assert kept.read() == b"7"
    first = mount / "raw/d" / names[0]
    assert os.stat(first).st_ino == os.stat(first).st_ino and first.read_bytes() == b"0"
    assert sorted(os.listdir(mount / "raw/d")) == names


def _again_and_again(job, stop):
    while not stop.is_set():
        job()


def test_the_bound_holds_while_many_threads_look_up_in_one_directory(crowd, mounted):
    mount = mounted(f"dir:{crowd.parent}", {"memory": MEMORY, "workers": 1})
    paths = [mount / "raw/d" / name for name in os.listdir(crowd)]
    stop = threading.Event()
    readers = [Reader(_again_and_again, lambda part=paths[i::8]: _stat_all(part), stop)
               for i in range(8)]
    try:
        mount.until_stat("inodes_recalled", FILES)
        _inodes_fit(mount)
    finally:
        stop.set()
        for reader in readers:
            reader.finish()


def _read_all(paths):
    for path in paths:
        path.read_bytes()


@pytest.mark.parametrize("job", [_stat_all, _read_all])
def test_directories_stay_within_memory_too(tmp_path, mounted, job):
    """A folder a clip is an ordinary way to keep clips. Opened files keep their folders."""
    folder = tmp_path / "folders"
    for i in range(FILES):
        (folder / f"{i:06}{'x' * 200}").mkdir(parents=True)
        (folder / f"{i:06}{'x' * 200}/clip").touch()
    mount = mounted(f"dir:{folder}", {"memory": MEMORY, "workers": 1})
    here = os.open(mount / "raw" / f"{0:06}{'x' * 200}", os.O_PATH)
    job(mount / "raw" / f"{i:06}{'x' * 200}/clip" for i in range(FILES))
    _until_recalled(mount)
    # Who stands in a directory stays there.
    assert os.readlink(f"/proc/self/fd/{here}").endswith(f"{0:06}{'x' * 200}")
    os.close(here)


def test_samples_read_as_a_trainer_does_stay_within_memory(tmp_path, mounted):
    folder = tmp_path / "source"
    for label in ("ad", "other"):
        (folder / label).mkdir(parents=True)
        for i in range(FILES // 4):
            (folder / label / f"{i:06}{'x' * 200}.mp4").write_bytes(b"x")
    mount = mounted(f"dir:{folder}", {"memory": MEMORY, "workers": 1})
    with open(mount / "samples/index.csv") as index:
        next(index)
        paths = [mount / "samples" / line.split(",")[0] for line in index]
    assert len(paths) == FILES // 2
    for path in paths:
        assert (path / "label.txt").read_text() == path.parent.name
        assert np.load(path / "label.npy") == (path.parent.name == "other")
    _until_recalled(mount)


def test_what_is_pinned_is_not_asked_for_without_end(tmp_path, mounted):
    """Directories of replaced clips, more than fit into one message, that the kernel keeps for
    the files open in them."""
    source = tmp_path / "source"
    clips = [f"label{i:03}/clip.mp4" for i in range(600)]
    for clip in clips:
        (source / clip).parent.mkdir(parents=True)
        (source / clip).write_bytes(b"old")
    start = time.monotonic()
    mount = mounted(f"dir:{source}", {"metadata_ttl": "0s", "workers": 1})
    fds = [os.open(mount / "samples" / clip / "label.txt", os.O_RDONLY) for clip in clips]
    for clip in clips:
        (source / clip).write_bytes(b"newer")
        os.stat(mount / "samples" / clip)
    mount.until_stat("inodes_recalled", len(clips))
    for clip in clips:
        assert (mount / "samples" / clip / "label.txt").read_text() == clip.split("/")[0]
    asked, seconds = mount.stat("inodes_recalled"), time.monotonic() - start
    assert asked <= 3 * len(clips) * (seconds / 5 + 1), "each is asked for once in five seconds"
    for fd, clip in zip(fds, clips):
        assert os.pread(fd, 100, 0).decode() == clip.split("/")[0]
        os.close(fd)


def test_index_csv_does_not_stay_in_memory(tmp_path, mounted):
    """Each of these is 3 MB, and the kernel would keep it for us."""
    mount = mounted(f"dir:{_some_files(tmp_path, FILES // 4)}", {"memory": MEMORY, "workers": 1})
    for i in range(30):
        assert _lines(mount / f"samples@match=*,split_names={i}/index.csv") == FILES // 4 + 1
    mount.until_stat("inodes_recalled", 30)
    until(lambda: mount.stat("inodes") < 100, "the lists are forgotten", check=mount.must_run)


def test_the_end_comes_also_while_inodes_are_recalled(crowd, mounted):
    for _ in range(3):
        mount = mounted(f"dir:{crowd.parent}", {"memory": MEMORY, "workers": 1})
        paths = [mount / "raw/d" / name for name in os.listdir(crowd)]
        readers = [Reader(errno_of, _stat_all, paths[i::4]) for i in range(4)]
        mount.until_stat("inodes_recalled", 1)
        mount.remember_workers()
        mount.terminate()
        mount.expect_nothing_left()
        mount.pid = None
        for reader in readers:
            reader.finish()


def test_a_listing_of_more_files_than_fit_stays_within_memory(crowd, mounted):
    mount = mounted(f"dir:{crowd.parent}", {"memory": MEMORY, "workers": 1})
    with os.scandir(mount / "raw/d") as entries:
        assert sum(1 for _ in entries) == FILES
    # What a listing gives goes up to the share and no further: nothing has to be taken back.
    assert INODES / 2 < mount.stat("inode_bytes") < INODES + (64 << 10)


def test_a_second_pass_over_more_files_than_fit_still_finds_some_pages(crowd, mounted):
    mount = mounted(f"dir:{crowd.parent}", {"memory": MEMORY, "workers": 1})
    names = sorted(os.listdir(crowd))

    def read_all():
        before = mount.stat("fuse_reads")
        for i, name in enumerate(names):
            assert (mount / "raw/d" / name).read_bytes() == b"%d" % i
        return mount.stat("fuse_reads") - before

    read_all()
    _until_recalled(mount)
    again = read_all()
    assert 0 < again < FILES * 0.9, f"{again} of {FILES} files were read again"
    _inodes_fit(mount)
