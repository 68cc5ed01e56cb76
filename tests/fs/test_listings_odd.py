"""Listings that other servers than AWS's send: without end, not sorted, with names twice."""
import csv
import errno
import os

import pytest

from lib.hostile import Hostile, page
from lib.threads import errno_of, read_bytes


@pytest.fixture
def hostile():
    servers = []

    def make(answer):
        servers.append(Hostile(answer))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def _endless(prefix, delimiter, token):
    """Ever new tokens, and no key."""
    return page(token=str(int(token or 0) + 1))


def _circle(prefix, delimiter, token):
    return page(token={None: "A", "A": "B", "B": "A"}[token])


def _circle_with_keys(prefix, delimiter, token):
    return page(keys=[prefix + f"{token}.mp4"], token={None: "A", "A": "B", "B": "A"}[token])


def _unless_at_mount(answer):
    """The LIST at mount asks for a single key, and so does every question for a directory; the
    directory d/ alone is endless."""
    def answers(prefix, delimiter, token):
        if prefix == "" and delimiter is False and token is None and not answers.open:
            return page(keys=["d/x.mp4"])
        if prefix == "d/" and not delimiter:
            return page(keys=["d/x.mp4"])
        return answer(prefix, delimiter, token)
    answers.open = False
    return answers


@pytest.mark.parametrize("answer, most", [(_endless, 1000), (_circle, 8), (_circle_with_keys, 12)],
                         ids=lambda v: getattr(v, "__name__", v))
def test_a_listing_without_end_is_eio(hostile, mounted, answer, most):
    answer = _unless_at_mount(answer)
    server = hostile(answer)
    mount = mounted("s3://odd", server=server)
    answer.open = True
    before = server.lists
    assert errno_of(os.listdir, mount / "raw/d") == errno.EIO
    assert server.lists - before <= most + 2
    assert "does not end" in (mount / ".s3samplefs/errors").read_text()
    before = server.lists
    assert errno_of(read_bytes, mount / "samples/index.csv") == errno.EIO
    assert server.lists - before <= most + 2
    before = server.lists
    if answer is _endless:
        assert errno_of(os.stat, mount / "raw/nothing") == errno.EIO
        assert server.lists - before <= most + 2


@pytest.mark.parametrize("answer, most", [(_endless, 1000), (_circle, 8)],
                         ids=lambda v: getattr(v, "__name__", v))
def test_the_sound_of_a_sample_is_not_looked_for_without_end(hostile, mounted, answer, most):
    def answers(prefix, delimiter, token):
        if prefix == "d/x." and delimiter:
            return answer(prefix, delimiter, token)
        return page(keys=["d/x.mp4"]) if prefix in ("", "d/") else page()
    server = hostile(answers)
    mount = mounted("s3://odd", server=server)
    before = server.lists
    assert errno_of(os.stat, mount / "samples/d/x.mp4/mfcc.npy") == errno.EIO
    assert server.lists - before <= most + 6
    assert "does not end" in (mount / ".s3samplefs/errors").read_text()


def _untidy(prefix, delimiter, token):
    """Three pages: names twice within one and where two meet, and none of it sorted."""
    keys = {None: ["d/c.mp4", "d/a.mp4", "d/c.mp4"], "2": ["d/c.mp4", "d/e.mp4", "d/b.mp4"],
            "3": ["d/f.mp4", "d/a.mp4", "d/f.mp4"]}[token]
    return page(keys=keys, token={None: "2", "2": "3", "3": None}[token])


def test_each_name_once_and_in_order_whatever_the_store_does(hostile, mounted):
    server = hostile(_untidy)
    mount = mounted("s3://odd", server=server)
    names = os.listdir(mount / "raw/d")
    assert sorted(names) == ["a.mp4", "b.mp4", "c.mp4", "e.mp4", "f.mp4"]
    rows = list(csv.DictReader((mount / "samples/index.csv").read_text().splitlines()))
    assert [row["path"] for row in rows] == [f"d/{name}" for name in sorted(names)]


def test_a_directory_is_found_though_a_page_before_belied_it(hostile, mounted):
    def answer(prefix, delimiter, token):
        if prefix == "" and delimiter:
            return page(prefixes=["z/"], token="2") if token is None else page(prefixes=["b/"])
        return page(keys=["b/x.mp4"]) if prefix in ("", "b/") else page()
    mount = mounted("s3://odd", server=hostile(answer))
    assert sorted(os.listdir(mount / "raw")) == ["b", "z"]
    assert os.listdir(mount / "raw/b") == ["x.mp4"]
