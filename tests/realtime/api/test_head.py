"""Which requests are ordinary enough to be read without a full parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.realtime.api.head import Fields, Line, parse_fields, parse_line


def test_an_ordinary_request() -> None:
    assert parse_line(b"POST /apps/1/events?a=1&b=? HTTP/1.1") == Line("POST", "/apps/1/events", "a=1&b=?")
    block = b"\r\nHost: x\r\ncontent-LENGTH:\t12 \r\nConnection: Keep-Alive\r\nX-Any: \xff content-length: 5"
    assert parse_fields(block) == Fields(12, close=False)
    assert parse_fields(b"") == Fields(0, close=False)
    assert parse_fields(b"\r\nConnection: close") == Fields(0, close=True)


@pytest.mark.parametrize(
    "line",
    [
        b"PUT /apps/1 HTTP/1.1",
        b"GET /apps/1 HTTP/1.0",
        b"GET  /apps/1 HTTP/1.1",
        b"GET /apps/\xc3\xa9 HTTP/1.1",
        b"GET http://x/apps/1 HTTP/1.1",
        b"GET /a\tb HTTP/1.1",
        b"GET /apps/1 HTTP/1.1 ",
        b"GET /apps/1\nX: y HTTP/1.1",
        b"",
    ],
)
def test_other_lines_are_left_to_a_full_parser(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "block",
    [
        b"\r\nContent-Length: 5\r\nContent-Length: 5",
        b"\r\nContent-Length: 5, 5",
        b"\r\nContent-Length: +5",
        b"\r\nContent-Length: 0x5",
        b"\r\nContent-Length: -1",
        b"\r\nContent-Length:",
        b"\r\nContent-Length: " + b"9" * 30,
        b"\r\nContent-Length : 5",
        b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"\r\nTransfer-Encoding: chunked",
        b"\r\nTRANSFER-ENCODING:\x0bchunked",
        b"\r\nExpect: 100-continue",
        b"\r\nUpgrade: websocket",
        b"\r\nConnection: upgrade",
        b"\r\nConnection: keep-alive, X-Other",
        b"\r\nX: folded\r\n Content-Length: 5",
        b"\r\nX: a\nContent-Length: 5",
        b"\r\nX: a\rContent-Length: 5",
        b"\r\nX: a\x00b",
        b"\r\nno colon",
        b"\r\n: no name",
    ],
)
def test_what_others_could_read_differently_is_left_to_a_full_parser(block: bytes) -> None:
    assert parse_fields(block) is None


@given(st.binary(max_size=200))
def test_a_field_is_found_wherever_a_line_based_reader_would_find_it(noise: bytes) -> None:
    """If two readings of a head were possible, a proxy before us could be made to see another request than we do."""
    block = b"\r\nA: " + noise + b"\r\nContent-Length: 7"
    fields = parse_fields(block)
    if fields is not None:
        assert fields.size == 7
        assert b"\n" not in noise.replace(b"\r\n", b"")
        assert b"\r" not in noise.replace(b"\r\n", b"")
