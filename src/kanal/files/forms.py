"""The one form this package takes: ``multipart/form-data`` (RFC 7578) with one part named ``file``, read as it arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar.exceptions import HTTPException
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from kanal.files import errors

PART = "file"
OVERHEAD = 64 * 1024  # bytes a form may have beside the file: boundaries, headers
BOUNDARY = 70  # characters; RFC 2046 5.1.1
HEADER = 4 * 1024  # bytes of one header line: a name of 200 characters, percent-encoded


class FileForm:
    """A form on its way. Call `open` once for the file's name, then iterate over the content.

    What is wrong with the form raises ``request.invalid``; more than ``limit`` bytes of file, ``file.too_large``, before
    they are read when the sender announces them.
    """

    def __init__(self, body: AsyncIterator[bytes], content_type: str, content_length: int | None, limit: int) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not 0 < len(boundary) <= BOUNDARY or not boundary.isascii():
            raise errors.bad_form("field.missing")
        if content_length is not None and content_length > limit + OVERHEAD:
            raise errors.too_large(limit)
        self._limit = limit
        self._events = self._parse(body, boundary)

    async def open(self) -> str:
        """The name that the sender gives the file."""
        async for event in self._events:
            return self._name_of(event)
        raise errors.bad_form("field.missing")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            if event is None:
                break
            yield event
        async for extra in self._events:
            self._name_of(extra)
            raise errors.bad_form()  # a second file

    def _name_of(self, segment: Any) -> str:
        if segment.name != PART:
            raise errors.bad_form("field.unknown", segment.name[:40] or PART)
        if segment.filename is None:
            raise errors.bad_form()
        return str(segment.filename)

    async def _parse(
        self, body: AsyncIterator[bytes], boundary: str
    ) -> AsyncGenerator[MultipartSegment | bytes | None, None]:
        """The parser's events. Ends after the closing boundary only; a form that breaks off is not a form."""
        received = 0
        try:
            parser = PushMultipartParser(boundary, max_header_size=HEADER, max_segment_count=3)
            async for chunk in body:
                received += len(chunk)
                if received > self._limit + OVERHEAD:
                    raise errors.too_large(self._limit)
                for event in parser.parse(chunk) if chunk else ():
                    yield event
            parser.close()
        except MultipartError:
            raise errors.bad_form() from None
        except HTTPException:  # how the framework says that the sender has gone
            raise errors.bad_form() from None
