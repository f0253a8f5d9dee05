"""Players ask for parts of files (RFC 9110, 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.files.rules.ranges import Part, UnsatisfiableError, names_etag, requested_part


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", Part(0, 1)),
        ("bytes=0-", Part(0, 100)),
        ("bytes=10-19", Part(10, 10)),
        ("bytes=90-500", Part(90, 10)),
        ("bytes=-10", Part(90, 10)),
        ("bytes=-500", Part(0, 100)),
    ],
)
def test_a_range_is_a_part_of_the_file(header: str, part: Part) -> None:
    assert requested_part(header, 100) == part


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "items=0-5", "bytes=0-1,5-6", "bytes=0-" + "9" * 99],
)
def test_what_is_not_understood_asks_for_the_whole(header: str | None) -> None:
    assert requested_part(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_outside_is_refused(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        requested_part(header, 100)


@given(st.one_of(st.text(max_size=40), st.from_regex(r"bytes=\d*-\d*", fullmatch=True)), st.integers(1, 10**6))
def test_a_part_lies_within_the_file_whatever_was_asked(header: str, size: int) -> None:
    try:
        part = requested_part(header, size)
    except UnsatisfiableError:
        return
    assert part is None or (part.start in range(size) and part.length in range(1, size - part.start + 1))


@pytest.mark.parametrize(
    ("header", "names"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), (None, False), ("a", False)],
)
def test_if_none_match(header: str | None, names: bool) -> None:
    assert names_etag(header, '"a"') is names
