"""How long a sound or video is, and how large: from the few bytes that say so. Nothing is decoded.

Formats: ISO/IEC 14496-12 (MP4), RFC 3533 and 7845 (Ogg), RIFF WAVE. A file that contradicts itself has no duration.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOVIE_LIMIT = 16 * 1024 * 1024  # bytes of MP4 index read; an hour of video has about 1 MB
BOXES = 10_000  # looked at per file
OGG_TAIL = 64 * 1024  # bytes; a page has at most 65,307
LONGEST = 7 * 24 * 3_600_000  # milliseconds; more is a mistake or a lie


@dataclass(frozen=True)
class Recording:
    """``duration`` in milliseconds; pixels as shown."""

    duration: int | None = None
    width: int | None = None
    height: int | None = None


def examine(path: Path, content_type: str) -> Recording:
    """Blocking; call in a thread."""
    reader = {
        "video/mp4": _mp4,
        "audio/mp4": _mp4,
        "audio/ogg": _ogg,
        "audio/wav": _wav,
    }.get(content_type)
    if reader is None:
        return Recording()
    try:
        with path.open("rb") as file:
            found = reader(file)
    except (struct.error, ZeroDivisionError, IndexError, ValueError):
        return Recording()
    if found.duration is not None and not 0 < found.duration <= LONGEST:
        return Recording(None, found.width, found.height)
    return found


def _wav(file: BinaryIO) -> Recording:
    size = file.seek(0, 2)
    at, rate = 12, 0
    for _ in range(BOXES):
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            rate = struct.unpack("<8xI", file.read(12))[0]
        elif name == b"data":
            return Recording(min(length, size - at - 8) * 1000 // rate)
        at += 8 + length + (length & 1)
    return Recording()


def _ogg(file: BinaryIO) -> Recording:
    """The position on the last page over the sample rate on the first."""
    head = file.read(80)
    skip = 0
    if head[28:36] == b"OpusHead":
        rate, skip = 48_000, struct.unpack_from("<H", head, 38)[0]
    elif head[28:35] == b"\x01vorbis":
        rate = struct.unpack_from("<I", head, 40)[0]
    else:
        return Recording()
    size = file.seek(0, 2)
    file.seek(max(0, size - OGG_TAIL))
    tail = file.read(OGG_TAIL)
    last = tail.rindex(b"OggS")
    return Recording((struct.unpack_from("<q", tail, last + 6)[0] - skip) * 1000 // rate)


def _mp4(file: BinaryIO) -> Recording:
    size = file.seek(0, 2)
    at = 0
    for _ in range(BOXES):
        if at + 8 > size:
            break
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:
            length, header = struct.unpack(">Q", file.read(8))[0], 16
        elif length == 0:
            length = size - at
        if length < header:
            break
        if name == b"moov":
            return _movie(file.read(min(length - header, MOVIE_LIMIT)))
        at += length
    return Recording()


def _movie(moov: bytes) -> Recording:
    duration = width = height = None
    for name, body in _boxes(moov):
        if name == b"mvhd":
            scale, ticks = struct.unpack_from(">IQ" if body[0] else ">II", body, 20 if body[0] else 12)
            duration = ticks * 1000 // scale
        elif name == b"trak" and width is None:
            for inner, track in _boxes(body):
                if inner == b"tkhd":
                    width, height = _track_size(track)
    return Recording(duration, width, height)


def _track_size(tkhd: bytes) -> tuple[int | None, int | None]:
    """Null for a track without a picture. The matrix turns portrait videos upright."""
    at = 52 if tkhd[0] else 40
    matrix_a = struct.unpack_from(">i", tkhd, at)[0]
    width, height = (side >> 16 for side in struct.unpack_from(">II", tkhd, at + 36))
    if not (0 < width <= 20_000 and 0 < height <= 20_000):
        return None, None
    return (height, width) if matrix_a == 0 else (width, height)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(BOXES):
        if at + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        if length < 8:
            return
        yield name, data[at + 8 : at + length]
        at += length
