"""Pictures are measured before they are decoded, and copied small without what they tell about their maker (F-WA-11)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from kanal.files.errors import NotAPictureError
from kanal.files.pictures import THUMBNAIL_SIDE, make_thumbnail, measure
from tests.files import samples


@pytest.fixture
def put(tmp_path: Path) -> Path:
    return tmp_path / "picture"


def thumbnail_of(path: Path, content: bytes, content_type: str) -> Image.Image:
    path.write_bytes(content)
    image = Image.open(io.BytesIO(make_thumbnail(path, content_type)))
    assert image.format == "WEBP"
    image.load()
    return image


def is_red(image: Image.Image, x: int, y: int = 10) -> bool:
    """Rather than blue."""
    red, _, blue = image.convert("RGB").crop((x, y, x + 1, y + 1)).tobytes()
    return red > blue


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_size_is_read_and_a_thumbnail_made_of_every_format_shown(put: Path, kind: str) -> None:
    content_type = f"image/{kind.lower()}"
    put.write_bytes(samples.picture(kind, (1600, 400)))
    assert measure(put, content_type) == (1600, 400)
    assert thumbnail_of(put, samples.picture(kind, (1600, 400)), content_type).size == (THUMBNAIL_SIDE, 120)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_every_kind_of_png_has_a_thumbnail(put: Path, mode: str) -> None:
    red, blue = 10, 30
    image = thumbnail_of(put, samples.picture("PNG", mode=mode), "image/png")
    assert image.size == (40, 20)
    if mode in {"P", "RGBA"}:
        assert is_red(image, red)
        assert not is_red(image, blue)


def test_pictures_of_sixteen_bits_are_not_all_white(put: Path) -> None:
    target = io.BytesIO()
    Image.new("I;16", (40, 20), 32_768).save(target, "PNG")
    image = thumbnail_of(put, target.getvalue(), "image/png").convert("L")
    darkest, brightest = image.getextrema()
    assert (darkest, brightest) == (128, 128)


def test_a_cmyk_photo_has_a_thumbnail(put: Path) -> None:
    assert thumbnail_of(put, samples.picture("JPEG", (900, 900), mode="CMYK"), "image/jpeg").mode == "RGB"


def test_small_pictures_are_not_enlarged(put: Path) -> None:
    assert thumbnail_of(put, samples.picture(size=(16, 8)), "image/png").size == (16, 8)


def test_extreme_shapes_keep_at_least_a_pixel(put: Path) -> None:
    assert thumbnail_of(put, samples.picture(size=(15_000, 3)), "image/png").size == (THUMBNAIL_SIDE, 1)


@pytest.mark.parametrize(("orientation", "upright"), [(1, True), (3, True), (6, False), (8, False)])
def test_turned_photos_are_shown_upright(put: Path, orientation: int, upright: bool) -> None:
    photo = samples.turned_photo(orientation)
    put.write_bytes(photo)
    assert measure(put, "image/jpeg") == ((1200, 600) if upright else (600, 1200))
    image = thumbnail_of(put, photo, "image/jpeg")
    assert image.size == ((480, 240) if upright else (240, 480))


def test_a_turn_goes_the_right_way(put: Path) -> None:
    """Orientation 6: the camera was turned left, so what it saw on its left (red) is on top."""
    image = thumbnail_of(put, samples.turned_photo(6), "image/jpeg")
    assert is_red(image, 120, 60)
    assert not is_red(image, 120, 420)


def test_thumbnails_tell_nothing_about_camera_and_place(put: Path) -> None:
    put.write_bytes(samples.turned_photo(6))
    thumbnail = make_thumbnail(put, "image/jpeg")
    assert b"SECRET CAMERA" in put.read_bytes()
    assert b"SECRET CAMERA" not in thumbnail
    assert dict(Image.open(io.BytesIO(thumbnail)).getexif()) == {}


def test_bombs_are_refused_by_their_header(put: Path) -> None:
    put.write_bytes(samples.png_header(30_000, 30_000))
    with pytest.raises(NotAPictureError):
        measure(put, "image/png")
    with pytest.raises(NotAPictureError):
        make_thumbnail(put, "image/png")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\xff" * 500, "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8X" + b"\xff" * 40, "image/webp"),
        (b"\0\0\0\x1cftypavif" + b"\0" * 60, "image/avif"),
        (samples.picture("GIF"), "image/png"),
        (samples.picture("PNG"), "image/tiff"),
    ],
)
def test_broken_and_disguised_pictures_are_not_pictures(put: Path, content: bytes, content_type: str) -> None:
    put.write_bytes(content)
    with pytest.raises(NotAPictureError):
        measure(put, content_type)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_a_picture_cut_in_half_or_garbled_ends_in_one_error(put: Path, kind: str) -> None:
    whole = samples.picture(kind, (640, 480))
    for content in (whole[: len(whole) // 2], whole[:200] + bytes(reversed(whole[200:]))):
        put.write_bytes(content)
        try:
            make_thumbnail(put, f"image/{kind.lower()}")
        except NotAPictureError:
            continue
