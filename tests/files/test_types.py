"""What a file is, is told from its content (F-WA-11: sniffed, not trusted)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.files.rules.types import DOWNLOAD, HEAD, INLINE, TEXT, is_showable_size, shown_inline, sniff
from tests.files import samples


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (samples.picture("PNG"), "image/png"),
        (samples.picture("JPEG"), "image/jpeg"),
        (samples.picture("GIF"), "image/gif"),
        (samples.picture("WEBP"), "image/webp"),
        (samples.picture("AVIF"), "image/avif"),
        (samples.mp4(1000, (640, 360)), "video/mp4"),
        (samples.mp4(1000, brand=b"M4A "), "audio/mp4"),
        (samples.WEBM, "video/webm"),
        (samples.MP3_FRAME * 2, "audio/mpeg"),
        (b"ID3\x04\0\0\0\0\0\0" + samples.MP3_FRAME, "audio/mpeg"),
        (samples.ogg_opus(500), "audio/ogg"),
        (samples.wav(500), "audio/wav"),
        (samples.PDF, "application/pdf"),
        ("Selamat pagi 東京 👍🏽\r\n\tok".encode(), TEXT),
        (b"\xef\xbb\xbfwith a byte order mark", TEXT),
        (("a" * (HEAD - 1) + "é").encode()[:HEAD], TEXT),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_known_content_is_recognised_by_its_first_bytes(content: bytes, expected: str) -> None:
    assert sniff(content[:HEAD], "anything") == expected


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(samples.SVG, id="svg"),
        pytest.param(b'<?xml version="1.0"?>' + samples.SVG, id="svg behind an xml declaration"),
        pytest.param(b"\xef\xbb\xbf \r\n" + samples.HTML, id="html behind white space"),
        pytest.param(samples.HTML, id="html"),
        pytest.param(samples.HTML.decode().encode("utf-16"), id="html in utf-16"),
        pytest.param(samples.MATROSKA, id="matroska"),
        pytest.param(samples.MP3_FRAME + b"no second frame" * 9, id="one mp3 frame"),
        pytest.param(b"\xff\xfe" + "text".encode("utf-16-le") * 300, id="utf-16 begins like mp3"),
        pytest.param(b"MZ\x90\0\x03", id="exe"),
        pytest.param(b"PK\x03\x04", id="zip"),
        pytest.param(b"\x7fELF", id="elf"),
        pytest.param(b"\0\0\0\x18ftypheic", id="heic"),
        pytest.param(b"RIFF\0\0\0\0AVI ", id="avi"),
        pytest.param(b"OggS" + b"\0" * 60, id="ogg of nothing"),
        pytest.param(b"caf\xe9 in latin-1", id="latin-1"),
        pytest.param(b"text\0with a nul", id="nul"),
        pytest.param(b"cut \xc3", id="short text with half a character"),
        pytest.param(b" \n ", id="white space"),
    ],
)
def test_everything_else_is_a_download(content: bytes) -> None:
    assert sniff(content[:HEAD], "picture.png") == DOWNLOAD


@pytest.mark.parametrize("name", ["a.html", "a.SVG", "a.js", "a.xml", "a.b.htm", "A.MHTML", "a.css", "run.exe"])
def test_a_name_that_makes_systems_run_it_makes_it_a_download(name: str) -> None:
    assert sniff(b"alert(1)", name) == DOWNLOAD
    assert sniff(samples.picture("PNG")[:HEAD], name) == DOWNLOAD


@pytest.mark.parametrize("content", ["text/html", "image/svg+xml", "application/xml", "text/javascript", DOWNLOAD])
def test_nothing_that_can_run_is_shown_in_place(content: str) -> None:
    assert not shown_inline(content)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_get_one_of_the_known_types(head: bytes, name: str) -> None:
    assert sniff(head, name) in INLINE | {DOWNLOAD}


def test_pictures_that_unpack_to_too_much_are_not_shown() -> None:
    assert is_showable_size(8_160, 6_120)
    assert not is_showable_size(30_000, 30_000)
    assert not is_showable_size(50_000, 1)
    assert not is_showable_size(0, 10)
