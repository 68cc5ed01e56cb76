"""What is fetched and decoded, by the proxy's log and the mount's counters; and what waits for
what, by holding requests at the proxy."""
import os
import random

import numpy as np
import pytest

from lib import burned, media
from lib.run import run
from lib.threads import Reader, read_bytes
from lib.wait import until

ROW = 224 * 224 * 3


def _pread(path, length, offset):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        return os.pread(fd, length, offset)
    finally:
        os.close(fd)


def test_one_frame_of_ten_minutes_fetches_less_than_a_twentieth(bucket, proxy, mounted):
    path = media.ten_minutes()
    bucket.put("long.mp4", path)
    mount = mounted(bucket, server=proxy)
    with proxy.recording() as log:
        row = _pread(mount / "frames/long.mp4.npy", ROW, 128 + 8 * ROW)
    picture = np.frombuffer(row, np.uint8).reshape(224, 224, 3)
    number = burned.read(picture)
    assert number is not None and abs(number - 3000 * 17 / 32) <= 1
    assert 0 < log.bytes("long.mp4") < path.stat().st_size / 20
    assert mount.stat("s3_bytes") < path.stat().st_size / 20


def test_one_frame_decodes_one_gop_not_the_clip(bucket, proxy, mounted):
    bucket.put("long.mp4", media.ten_minutes())
    mount = mounted(bucket, server=proxy)
    _pread(mount / "frames/long.mp4.npy", ROW, 128 + 8 * ROW)
    # The row may take neighbours along that the kernel's pages touch; each costs a GOP of 25.
    assert 0 < mount.idle_stats()["frames_decoded"] <= 3 * 25


def test_ls_of_fixed_shapes_sends_no_get(ads, proxy, mounted):
    mount = mounted(ads, server=proxy)
    with proxy.recording() as log:
        run("ls", "-lR", mount / "frames", mount / "mfcc", mount / "samples")
    assert log.of("LIST")
    assert log.gets() == []


def test_ls_of_a_directory_asks_for_nothing_but_its_listing(ads, proxy, mounted):
    mount = mounted(ads, server=proxy)
    os.stat(mount / "raw/train/video")
    with proxy.recording() as log:
        run("ls", "-l", mount / "raw/train/video")
    assert log.gets() == [] and log.of("HEAD") == []
    assert len(log.of("LIST")) <= 2


def test_ls_of_sizes_not_known_yet_probes_nothing(ads, proxy, mounted):
    """Names alone; `ls -l` asks for each size, and that takes the probes."""
    mount = mounted(ads, server=proxy)
    with proxy.recording() as log:
        assert run("ls", "-R", mount / "frames@size=native")
    assert log.gets() == []
    assert mount.stat("probes") == 0


def test_an_open_does_not_list_its_directory(ads, proxy, mounted):
    mount = mounted(ads, server=proxy)
    with proxy.recording() as log:
        os.stat(mount / "frames/train/video/clip.mkv.npy")
    assert log.gets() == []
    whole = [r for r in log.of("LIST") if r.key == "train/video/" and r.bytes > 2000]
    assert whole == []


def test_reading_twice_fetches_once(ads, proxy, mounted):
    mount = mounted(ads, server=proxy)
    first = read_bytes(mount / "frames/train/video/clip.mkv.npy")
    with proxy.recording() as log:
        assert read_bytes(mount / "frames/train/video/clip.mkv.npy") == first
        assert read_bytes(mount / "frames@resize=stretch/train/video/clip.mkv.npy") != first
    assert log.gets() == []


def test_sequential_reading_decodes_each_gop_once(ads, mounted):
    mount = mounted(ads, server=ads.server)
    with open(mount / "frames/train/video/moov-last.mp4.npy", "rb") as f:
        while f.read(60_000):
            pass
    # 125 frames in 5 GOPs: uniform's 16 rows touch all of them.
    assert 0 < mount.idle_stats()["frames_decoded"] <= 125
    assert mount.stat("frames_served") >= 16


def test_sequential_reading_of_all_frames_decodes_each_once(ads, mounted):
    mount = mounted(ads, server=ads.server)
    read_bytes(mount / "frames@size=64,num_frames=all/train/video/clip.mkv.npy")
    assert mount.idle_stats()["frames_decoded"] == 125


def test_random_order_decodes_no_more_than_a_gop_a_row(ads, mounted):
    mount = mounted(ads, server=ads.server)
    path = mount / "frames/train/video/moov-last.mp4.npy"
    order = list(range(16))
    random.Random(5).shuffle(order)
    for i in order:
        assert len(_pread(path, ROW, 128 + i * ROW)) == ROW
    assert mount.idle_stats()["frames_decoded"] <= 16 * 25


def test_32_readers_of_a_cold_row_cost_one_fetch_and_one_decode(bucket, proxy, mounted):
    bucket.put("long.mp4", media.ten_minutes())
    mount = mounted(bucket, server=proxy)
    path = mount / "frames@size=native/long.mp4.npy"
    row = 144 * 256 * 3
    os.stat(path)                               # the probe: the size is the object's
    before = mount.idle_stats()
    with proxy.recording() as log, proxy.gate(kind="GET") as gate:
        # Direct reads: each one reaches the mount.
        fds = [os.open(path, os.O_RDONLY | os.O_DIRECT) for _ in range(32)]
        readers = [Reader(os.pread, fd, row, 128 + 8 * row) for fd in fds]
        mount.until_stat("fuse_parked", 32)
        gate.until_held(1)
        proxy.clear()
        rows = [reader.finish() for reader in readers]
        for fd in fds:
            os.close(fd)
    after = mount.idle_stats()
    assert len(set(rows)) == 1 and len(rows[0]) == row
    assert after["decode_jobs"] - before["decode_jobs"] == 1
    assert after["frames_decoded"] - before["frames_decoded"] <= 25
    spans = [r.range for r in log.gets("long.mp4")]
    assert spans and len(spans) == len(set(spans))


def test_32_readers_of_a_cold_object_fetch_its_bytes_once(bucket, proxy, mounted):
    data = np.random.default_rng(2).bytes(200_000)
    bucket.put("object.bin", data)
    mount = mounted(bucket, server=proxy)
    path = mount / "raw/object.bin"
    with proxy.recording() as log, proxy.gate(kind="GET") as gate:
        fds = [os.open(path, os.O_RDONLY | os.O_DIRECT) for _ in range(32)]
        readers = [Reader(os.pread, fd, 50_000, 10_000) for fd in fds]
        mount.until_stat("fuse_parked_max", 32)
        gate.until_held(1)
        proxy.clear()
        assert {reader.finish() for reader in readers} == {data[10_000:60_000]}
        for fd in fds:
            os.close(fd)
    assert log.bytes("object.bin") <= len(data)


def test_32_cold_stats_in_one_directory_take_one_round_trip(bucket, proxy, mounted):
    """All 32 are asked for before one is answered."""
    for i in range(33):
        bucket.put(f"d/{i:02}.mp4", b"x")
    mount = mounted(bucket, {"connections": 64}, server=proxy)
    os.stat(mount / "frames/d")              # this has shown that 00.mp4 is there
    with proxy.gate() as gate:
        readers = [Reader(os.stat, mount / f"frames/d/{i:02}.mp4.npy") for i in range(1, 33)]
        until(lambda: all(any(f"d/{i:02}.mp4" in line for line in gate.held())
                          for i in range(1, 33)), "a request for each of 32 names")
        proxy.clear()
        for reader in readers:
            reader.finish()


def test_cold_opens_of_raw_names_in_one_directory_wait_together(bucket, proxy, mounted):
    """A name that can be an object or a directory costs a HEAD and a LIST, side by side."""
    for i in range(17):
        bucket.put(f"d/{i:02}.bin", b"x")
    mount = mounted(bucket, {"connections": 64}, server=proxy)
    os.stat(mount / "raw/d")                 # this has shown that 00.bin is there
    with proxy.gate() as gate:
        readers = [Reader(os.stat, mount / f"raw/d/{i:02}.bin") for i in range(1, 17)]
        gate.until_held(32)
        held = gate.held()
        proxy.clear()
        for reader in readers:
            reader.finish()
    assert sum(line.startswith("HEAD") for line in held) == 16
    assert sum(line.startswith("LIST") for line in held) == 16


def test_1000_parked_reads_do_not_stop_a_warm_one(bucket, proxy, mounted):
    size = 1000 * 65_536
    bucket.put("cold.bin", bytes(size))
    bucket.put("warm.bin", b"warm" * 1000)
    mount = mounted(bucket, {"memory": "1G"}, server=proxy)
    assert read_bytes(mount / "raw/warm.bin") == b"warm" * 1000
    fd = os.open(mount / "raw/cold.bin", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    with proxy.gate(kind="GET", key="cold.bin"):
        readers = [Reader(os.pread, fd, 10, i * 65_536) for i in range(1000)]
        mount.until_stat("fuse_parked", 1000)
        warm = os.open(mount / "raw/warm.bin", os.O_RDONLY | os.O_DIRECT)
        assert os.pread(warm, 4000, 0) == b"warm" * 1000
        os.close(warm)
        assert mount.stat("fuse_parked") >= 1000
        proxy.clear()
        assert all(reader.finish() == bytes(10) for reader in readers)
    os.close(fd)


def test_100_parked_stats_do_not_stop_a_warm_read(bucket, proxy, mounted):
    bucket.put("warm.bin", b"warm")
    bucket.put("d/x.bin", b"cold")
    mount = mounted(bucket, server=proxy)
    assert read_bytes(mount / "raw/warm.bin") == b"warm"
    os.stat(mount / "raw/d")
    with proxy.gate(key="d/"):
        readers = [Reader(os.path.lexists, mount / f"raw/d/{i}.bin") for i in range(100)]
        mount.until_stat("fuse_parked", 100)
        warm = os.open(mount / "raw/warm.bin", os.O_RDONLY | os.O_DIRECT)
        assert os.pread(warm, 4, 0) == b"warm"
        os.close(warm)
        proxy.clear()
        assert not any(reader.finish() for reader in readers)


@pytest.mark.parametrize("limit", [2, 8])
def test_no_more_connections_than_asked_for(bucket, proxy, mounted, limit):
    for i in range(32):
        bucket.put(f"d/{i:02}.bin", b"x")
    mount = mounted(bucket, {"connections": limit}, server=proxy)
    os.stat(mount / "raw/d")
    with proxy.gate() as gate:
        readers = [Reader(os.stat, mount / f"raw/d/{i:02}.bin") for i in range(32)]
        rounds = gate.rounds(lambda: all(r.done() for r in readers), at_least=limit)
        for reader in readers:
            reader.finish()
    assert max(rounds) <= limit


def test_connections_are_used_again(bucket, proxy, mounted):
    for i in range(20):
        bucket.put(f"{i:02}.bin", b"%d" % i)
    mount = mounted(bucket, server=proxy)
    with proxy.recording() as log:
        for i in range(20):
            assert read_bytes(mount / f"raw/{i:02}.bin") == b"%d" % i
    assert len({r.connection for r in log.requests}) <= 4


def test_every_get_is_a_range_pinned_to_a_version(ads, proxy, mounted):
    mount = mounted(ads, server=proxy)
    with proxy.recording() as log:
        read_bytes(mount / "frames/train/video/clip.mkv.npy")
        read_bytes(mount / "raw/train/video/clip.mov")
    assert log.gets()
    for request in log.gets():
        assert request.range and request.status == 206
        assert request.if_match.strip('"') == ads.head(request.key)["ETag"].strip('"')
