"""Frames to messages: every way to cut the bytes, every rule of RFC 6455 that a client can break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.realtime.inbound import BINARY, CLOSE, PING, PONG, TEXT, Inbound, Violation, whole_text
from tests.realtime.harness import frame

LIMIT = 70_000


def read(data: bytes, *cuts: int) -> list[tuple[int, bytes]]:
    """What comes out when the bytes come in pieces."""
    inbound = Inbound(LIMIT)
    ends = [*sorted(cuts), len(data)]
    out = take(inbound, [data[start:end] for start, end in zip([0, *ends], ends, strict=False)])
    assert inbound.idle
    return out


def take(inbound: Inbound, pieces: list[bytes]) -> list[tuple[int, bytes]]:
    return [message for piece in pieces for message in inbound.read(piece)]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65_535, 65_536, LIMIT])
def test_a_message_of_any_length_form_is_read(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    assert read(frame(TEXT, payload)) == [(TEXT, payload)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 4_000])
def test_a_short_whole_text_is_read_at_once(size: int) -> None:
    assert whole_text(frame(TEXT, b"x" * size)) == b"x" * size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        b"\x81\x80",
        frame(TEXT, b"x")[:-1],
        frame(TEXT, b"x") + b"\x81",
        frame(TEXT, b"x" * 5_000),
        frame(TEXT, b"x" * 70_000),
        b"\x81\xfe\x00\x7f" + b"mask" + b"x" * 126,
        frame(TEXT, b"x", masked=False),
        frame(TEXT, b"x", fin=False),
        frame(TEXT, b"x", rsv=1),
        frame(BINARY, b"x"),
        frame(PING, b"x"),
        frame(CLOSE, b""),
    ],
)
def test_anything_else_is_not(data: bytes) -> None:
    assert whole_text(data) is None


messages = st.lists(
    st.one_of(
        st.tuples(st.just(TEXT), st.binary(max_size=300), st.integers(1, 4)),
        st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125), st.just(1)),
    ),
    max_size=8,
)


@given(messages, st.lists(st.integers(0, 2_000), max_size=12))
def test_it_does_not_matter_how_messages_are_split_and_bytes_are_cut(
    sent: list[tuple[int, bytes, int]], cuts: list[int]
) -> None:
    data = b""
    for kind, payload, count in sent:
        size = max(1, len(payload) // count)
        parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
        for index, part in enumerate(parts):
            data += frame(kind if index == 0 else 0, part, fin=index == len(parts) - 1)
    assert read(data, *(cut for cut in cuts if cut <= len(data))) == [(kind, payload) for kind, payload, _ in sent]


def test_control_frames_come_between_fragments() -> None:
    data = frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(0, b"b", fin=False) + frame(0, b"c")
    assert read(data) == [(PING, b"p"), (TEXT, b"abc")]


def test_a_binary_message_is_told_at_its_first_frame() -> None:
    assert read(frame(BINARY, b"x", fin=False)) == [(BINARY, b"x")]


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x0b\xb8", b"\x13\x87", b"\x03\xf6"])
def test_a_close_frame_has_no_code_or_one_that_may_be_sent(payload: bytes) -> None:
    assert read(frame(CLOSE, payload)) == [(CLOSE, payload)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"", rsv=1), 1002),
        (frame(TEXT, b"", rsv=2), 1002),
        (frame(TEXT, b"", rsv=4), 1002),
        (frame(PING, b"", rsv=4), 1002),
        (frame(TEXT, b"", masked=False), 1002),
        *((frame(opcode, b""), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"", fin=False), 1002),
        (frame(CLOSE, b"x"), 1002),
        *(
            (frame(CLOSE, code.to_bytes(2, "big")), 1002)
            for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535)
        ),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(0, b""), 1002),
        (frame(TEXT, b"", fin=False) + frame(TEXT, b""), 1002),
        (frame(TEXT, b"", fin=False) + frame(BINARY, b""), 1002),
        (b"\x81\xfe\x00\x7dmask", 1002),  # 125 in sixteen bits
        (b"\x81\xff" + (65_535).to_bytes(8, "big") + b"mask", 1002),
        (b"\x81\xff" + (1 << 63).to_bytes(8, "big") + b"mask", 1002),
        (b"\x81\xff" + (LIMIT + 1).to_bytes(8, "big") + b"mask", 1009),
        (frame(TEXT, b"x" * (LIMIT // 2), fin=False) + frame(0, b"x" * (LIMIT // 2)), 1009),
        (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 2_000, 1009),
    ],
    ids=lambda value: value if isinstance(value, int) else value[:6].hex(),
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_a_broken_rule_is_told_with_the_code_to_close_with(data: bytes, code: int, bytewise: bool) -> None:
    inbound = Inbound(LIMIT)
    pieces = [data[at : at + 1] for at in range(len(data))] if bytewise else [data]
    with pytest.raises(Violation) as violation:
        take(inbound, pieces)
    assert violation.value.code == code


def test_a_frame_that_is_too_big_is_refused_before_its_payload_comes() -> None:
    inbound = Inbound(LIMIT)
    with pytest.raises(Violation):
        list(inbound.read(b"\x81\xff" + (100 << 20).to_bytes(8, "big") + b"mask"))
