"""Pictures: their size from the header, and a small copy without anything but pixels. Blocking; call in a thread.

Pillow is memory that a process without pictures need not have, so this module is imported when there is one.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from kanal.files.errors import NotAPictureError
from kanal.files.rules.types import PICTURES, is_showable_size

THUMBNAIL_SIDE = 480  # pixels on the longer side: a column of a room at twice the density
QUALITY = 80  # of 100
PROFILE_LIMIT = 16 * 1024  # bytes of colour profile kept in a thumbnail; usual ones have 0.5 to 4 kB

_ORIENTATION = 0x0112  # Exif tag
_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}
# What Pillow raises for files that are broken, by accident or on purpose.
_BROKEN = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    OSError,
    SyntaxError,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    TypeError,
    AttributeError,
    ZeroDivisionError,
)


def measure(path: Path, content_type: str) -> tuple[int, int]:
    """Width and height as shown, read from the header. Raises `NotAPictureError`."""
    try:
        with _open(path, content_type) as image:
            width, height = image.size
            return (height, width) if _orientation(image) >= 5 else (width, height)
    except _BROKEN as error:
        raise NotAPictureError from error


def make_thumbnail(path: Path, content_type: str) -> bytes:
    """A WebP of the first frame, upright, at most `THUMBNAIL_SIDE` long. Raises `NotAPictureError`.

    Of the metadata only the colour profile stays: without it, colours of wide-gamut cameras are wrong.
    """
    try:
        with _open(path, content_type) as image:
            orientation = _orientation(image)
            profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
            image.draft("RGB", (THUMBNAIL_SIDE * 2, THUMBNAIL_SIDE * 2))  # JPEG decodes straight to about this size
            small = _for_web(image)
            small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
            for turn in _TURNS.get(orientation, ()):
                small = small.transpose(turn)
            target = io.BytesIO()
            kept = profile if isinstance(profile, bytes) and len(profile) <= PROFILE_LIMIT else b""
            small.save(target, "WEBP", quality=QUALITY, method=4, icc_profile=kept, exif=b"", xmp=b"")
            return target.getvalue()
    except _BROKEN as error:
        raise NotAPictureError from error


def _open(path: Path, content_type: str) -> Image.Image:
    """Reads the header only, and only with the decoder of that one format."""
    if content_type not in PICTURES:
        raise ValueError(content_type)
    image = Image.open(path, formats=[content_type.removeprefix("image/").upper()])
    if not is_showable_size(*image.size):
        image.close()
        raise ValueError("too many pixels")
    return image


def _orientation(image: Image.Image) -> int:
    """1 to 8 (Exif 4.6.4). Formats that carry it behind the pixels, as PNG may, count as upright: so do browsers."""
    if image.info.get("exif") is None:
        return 1
    value = image.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _for_web(image: Image.Image) -> Image.Image:
    """In one of the two modes that WebP has."""
    if image.mode in ("RGB", "RGBA"):
        return image
    if image.mode.startswith("I"):  # 16 bits per pixel, which a plain conversion would clip to white
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    transparent = image.mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")
