"""Gives the video of an mp4 another edit list (ISO/IEC 14496-12, 8.6.6)."""
import struct


def _boxes(data, start, end):
    """(offset, size, type) of the boxes in data[start:end]."""
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield start, size, kind
        start += size


def _box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _timescale(data, box):
    """Of an mvhd or mdhd of version 0."""
    at = data.index(box) + 4
    assert data[at] == 0
    return struct.unpack_from(">I", data, at + 12)[0]


def _of_track(track, edits, movie_scale):
    scale = _timescale(track, b"mdhd")
    entries = b"".join(struct.pack(">iiI", round(seconds * movie_scale),
                                   -1 if start is None else round(start * scale), 0x10000)
                       for seconds, start in edits)
    edts = _box(b"edts", _box(b"elst", struct.pack(">II", 0, len(edits)) + entries))
    body = b""
    for at, size, kind in _boxes(track, 8, len(track)):
        if kind != b"edts":
            body += track[at:at + size]
        if kind == b"tkhd":
            body += edts
    return _box(b"trak", body)


def edited(data, edits):
    """data: an mp4 whose moov comes last. edits: (seconds, start), where start is the media time
    in seconds, from the first decode time 0 on, or None for nothing to be shown."""
    (at, size, _), = [b for b in _boxes(data, 0, len(data)) if b[2] == b"moov"]
    assert at + size == len(data)
    moov, body = data[at:], b""
    for start, length, kind in _boxes(moov, 8, len(moov)):
        part = moov[start:start + length]
        if kind == b"trak" and b"vide" in part:
            part = _of_track(part, edits, _timescale(moov, b"mvhd"))
        body += part
    return data[:at] + _box(b"moov", body)
