"""Length and size of sounds and videos are read from their index (F-WA-11)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kanal.files.recordings import Recording, examine
from tests.files import samples


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        (samples.wav(1500), "audio/wav", Recording(1500)),
        (samples.ogg_opus(2750), "audio/ogg", Recording(2750)),
        (samples.mp4(12_500, (640, 360)), "video/mp4", Recording(12_500, 640, 360)),
        (samples.mp4(1000, (640, 360), turned=True), "video/mp4", Recording(1000, 360, 640)),
        (samples.mp4(900), "audio/mp4", Recording(900)),
        (samples.MP3_FRAME * 3, "audio/mpeg", Recording()),
        (samples.WEBM, "video/webm", Recording()),
        (samples.PDF, "application/pdf", Recording()),
    ],
)
def test_length_and_size(tmp_path: Path, content: bytes, content_type: str, expected: Recording) -> None:
    path = tmp_path / "recording"
    path.write_bytes(content)
    assert examine(path, content_type) == expected


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (samples.wav(1500)[:30], "audio/wav"),
        (b"RIFF\0\0\0\0WAVE" + b"LIST\0\0\0\0" * 20_000, "audio/wav"),
        (samples.ogg_opus(10)[:60], "audio/ogg"),
        (samples.ogg_opus(2**40), "audio/ogg"),
        (samples.box(b"ftyp", b"isom") + b"\0\0\0\1moov", "video/mp4"),
        (samples.box(b"moov", samples.box(b"mvhd", b"\0" * 20)), "video/mp4"),
        (samples.box(b"moov", samples.box(b"free", b"") * 20_000), "video/mp4"),
    ],
)
def test_an_index_that_lies_says_nothing(tmp_path: Path, content: bytes, content_type: str) -> None:
    path = tmp_path / "recording"
    path.write_bytes(content)
    assert examine(path, content_type) == Recording()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([samples.wav(50), samples.ogg_opus(900), samples.mp4(900, (64, 36))]),
    st.integers(0, 6000),
    st.binary(min_size=1, max_size=40),
    st.sampled_from(["audio/wav", "audio/ogg", "video/mp4"]),
)
def test_garbled_recordings_never_raise(tmp_path: Path, good: bytes, at: int, noise: bytes, kind: str) -> None:
    path = tmp_path / "recording"
    at = at % len(good)
    path.write_bytes(good[:at] + noise + good[at + len(noise) :])
    found = examine(path, kind)
    assert found.duration is None or found.duration > 0
