"""Contents to upload: small, real, and hostile ones."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87\x81\x04" + b"\0" * 40
MATROSKA = WEBM.replace(b"\x84webm", b"\x88matroska")
MP3_FRAME = b"\xff\xfb\x90\x00" + b"\0" * 413  # MPEG 1 layer III, 128 kbit/s, 44.1 kHz
PDF = b"%PDF-1.7\n1 0 obj\n<< /OpenAction << /S /JavaScript >> >>\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(document.cookie)</script>"


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 20), *, mode: str = "RGB", **options: object) -> bytes:
    """A picture whose left half is red and right half is blue (where the mode has colours)."""
    image = Image.new("RGB", size, (220, 20, 20))
    image.paste((20, 20, 220), (size[0] // 2, 0, *size))
    target = io.BytesIO()
    image.convert(mode).save(target, kind, **options)
    return target.getvalue()


def turned_photo(orientation: int, size: tuple[int, int] = (1200, 600)) -> bytes:
    """A JPEG as phones write them: lying pixels, an Exif note how to turn them, and where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET CAMERA"
    exif.get_ifd(0x8825)[1] = "S"  # GPS latitude reference
    return picture("JPEG", size, exif=exif.tobytes())


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be this large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def wav(milliseconds: int, rate: int = 8000) -> bytes:
    """Silence."""
    data = b"\0" * (rate * milliseconds // 1000)
    form = struct.pack("<HHIIHH", 1, 1, rate, rate, 1, 8)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def ogg_opus(milliseconds: int) -> bytes:
    """The two pages that matter: the first, which names the codec, and the last, which says where it ends."""

    def page(position: int, content: bytes) -> bytes:
        return b"OggS\0\0" + struct.pack("<qIII", position, 1, 0, 0) + bytes([1, len(content)]) + content

    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48_000, 0, 0)
    return page(0, head) + b"\0" * 100 + page(milliseconds * 48 + 312, b"\0" * 10)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def mp4(milliseconds: int, size: tuple[int, int] = (0, 0), *, turned: bool = False, brand: bytes = b"isom") -> bytes:
    """Index last, as most recorders write it; ``size`` (0, 0) for sound."""
    one = 0x10000
    matrix = (0, one, 0, -one, 0, 0, 0, 0, 0x40000000) if turned else (one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    mvhd = struct.pack(">IIIII", 0, 0, 0, 600, milliseconds * 600 // 1000) + b"\0" * 80
    tkhd = b"\0" * 40 + struct.pack(">9i", *matrix) + struct.pack(">II", size[0] << 16, size[1] << 16)
    moov = box(b"mvhd", mvhd) + box(b"trak", box(b"tkhd", tkhd))
    return box(b"ftyp", brand + b"\0\0\0\0isom") + box(b"mdat", b"\0" * 5000) + box(b"moov", moov)
