"""The upload form is read as it arrives and refused as soon as that is possible (F-RO-02)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions import InternalServerException

from kanal.files.forms import OVERHEAD, FileForm
from kanal.kit.errors import KanalError, Kind

TYPE = "multipart/form-data; boundary=frontier"
END = b"\r\n--frontier--\r\n"


def part(content: bytes, header: str = 'form-data; name="file"; filename="a.txt"') -> bytes:
    return b"--frontier\r\nContent-Disposition: " + header.encode() + b"\r\n\r\n" + content


class Body:
    """A request's body that counts how much of it was read."""

    def __init__(self, content: bytes, size: int = 1000, *, breaks: bool = False) -> None:
        self.content, self.size, self.breaks, self.read = content, size, breaks, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), self.size):
            self.read = start + self.size
            yield self.content[start : start + self.size]
        if self.breaks:
            raise InternalServerException("client disconnected prematurely")
        yield b""


async def read(
    content: bytes | Body, *, limit: int = 10_000, content_type: str = TYPE, announced: int | None = None
) -> tuple[str, bytes]:
    body = content if isinstance(content, Body) else Body(content)
    form = FileForm(aiter(body), content_type, announced, limit)
    name = await form.open()
    return name, b"".join([chunk async for chunk in form])


@given(st.binary(max_size=3000), st.integers(1, 400))
async def test_any_content_arrives_unchanged_in_any_pieces(content: bytes, size: int) -> None:
    assert await read(Body(part(content) + END, size)) == ("a.txt", content)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('form-data; name="file"; filename="東京.png"', "東京.png"),
        ('form-data; name="file"; filename="a%22b.txt"', 'a"b.txt'),
        ("form-data; name=file; filename=plain.txt", "plain.txt"),
        ('form-data; name="file"; filename=""', ""),
    ],
)
async def test_names_as_browsers_write_them(header: str, name: str) -> None:
    assert (await read(part(b"x", header) + END))[0] == name


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        pytest.param(b"", {"file": "field.invalid"}, id="nothing"),
        pytest.param(b"--frontier--\r\n", {"file": "field.missing"}, id="no part"),
        pytest.param(b"{}", {"file": "field.invalid"}, id="not a form"),
        pytest.param(part(b"x"), {"file": "field.invalid"}, id="broken off"),
        pytest.param(part(b"x") + END[:-6], {"file": "field.invalid"}, id="broken off in the last boundary"),
        pytest.param(
            part(b"x", 'form-data; name="avatar"; filename="a"') + END, {"avatar": "field.unknown"}, id="other"
        ),
        pytest.param(part(b"x", 'form-data; name="file"') + END, {"file": "field.invalid"}, id="a text field"),
        pytest.param(part(b"x", "attachment") + END, {"file": "field.invalid"}, id="other disposition"),
        pytest.param(part(b"x") + b"\r\n" + part(b"y") + END, {"file": "field.invalid"}, id="two files"),
        pytest.param(
            part(b"x") + b"\r\n" + part(b"y", 'form-data; name="b"') + END, {"b": "field.unknown"}, id="file and field"
        ),
        pytest.param(b"--frontier\r\nno colon\r\n\r\nx" + END, {"file": "field.invalid"}, id="bad header"),
        pytest.param(
            b"--frontier\r\nA: " + b"x" * 9000 + b"\r\n\r\n" + END, {"file": "field.invalid"}, id="long header"
        ),
        pytest.param(
            b"--frontier\r\nContent-Disposition: \xff\r\n\r\n" + END, {"file": "field.invalid"}, id="not utf-8"
        ),
    ],
)
async def test_what_is_not_one_file_is_refused(content: bytes, fields: dict[str, str]) -> None:
    with pytest.raises(KanalError) as refused:
        await read(content)
    assert (refused.value.code, refused.value.kind, refused.value.fields) == ("request.invalid", Kind.INVALID, fields)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 80,
        "multipart/mixed; boundary=a",
    ],
)
async def test_other_content_types_are_refused_unread(content_type: str) -> None:
    body = Body(part(b"x") + END)
    with pytest.raises(KanalError, match=r"request\.invalid"):
        await read(body, content_type=content_type)
    assert body.read == 0


async def test_a_sender_who_goes_away_is_not_a_failure_of_ours() -> None:
    with pytest.raises(KanalError, match=r"request\.invalid"):
        await read(Body(part(b"x" * 5000), breaks=True))


async def test_an_announced_size_over_the_limit_is_refused_unread() -> None:
    body = Body(part(b"x" * 200_000) + END)
    with pytest.raises(KanalError) as refused:
        await read(body, announced=200_000, limit=1000)
    assert (refused.value.code, refused.value.kind) == ("file.too_large", Kind.TOO_LARGE)
    assert body.read == 0


@pytest.mark.parametrize("padding", [part(b"x"), b""], ids=["in the file", "before it"])
async def test_an_unannounced_size_is_refused_when_it_is_passed(padding: bytes) -> None:
    body = Body(padding + b"x" * 500_000)
    with pytest.raises(KanalError, match=r"file\.too_large"):
        await read(body, limit=1000)
    assert body.read < 1000 + OVERHEAD + 2 * body.size
