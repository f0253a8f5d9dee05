"""What we use of JetStream: streams as tables of the last message per subject, with compare-and-set.

Requests are JSON on ``$JS.API``, see docs.nats.io, "JetStream wire API reference". Reads go to the stream's leader: a
direct get may be answered by a replica that is behind.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.brokers.nats.connection import Connection
from kanal.realtime.brokers.wire import reason

TIMEOUT = 2.0  # seconds for one answer
_NO_MESSAGE = 10037
_WRONG_SEQUENCE = 10071
_NAME_IN_USE = 10058


class Conflict(Exception):
    """Somebody else has written meanwhile."""


class ApiError(BrokerDown):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Stored:
    sequence: int
    headers: bytes
    data: bytes
    seconds: float
    """When the server took it, in seconds of the epoch."""


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Message(msgspec.Struct):
    seq: int
    time: datetime
    hdrs: str = ""
    data: str = ""


class _State(msgspec.Struct):
    subjects: dict[str, int] | None = None


class _Answer(msgspec.Struct):
    error: _Error | None = None
    message: _Message | None = None
    seq: int = 0
    state: _State | None = None
    streams: list[str] | None = None
    total: int = 0


_decode = msgspec.json.Decoder(_Answer).decode


def header_block(fields: Mapping[str, str | int]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()


def header(block: bytes, name: bytes) -> bytes | None:
    for line in block.split(b"\r\n"):
        field, separator, value = line.partition(b":")
        if separator and field == name:
            return value.strip()
    return None


class JetStream:
    """Requests over the current connection; all raise ``BrokerDown``."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._inbox = f"_INBOX.{secrets.token_hex(8)}"
        self._number = 0
        self._waiting: dict[bytes, asyncio.Future[tuple[bytes, bytes]]] = {}

    def use(self, connection: Connection) -> None:
        self._connection = connection
        connection.subscribe(f"{self._inbox}.*".encode(), self._answered)

    def lose(self, error: Exception) -> None:
        self._connection = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(BrokerDown(reason(error)))
                future.exception()  # whoever gave up waiting does not read it

    def _answered(self, subject: bytes, headers: bytes, payload: bytes) -> None:
        future = self._waiting.pop(subject, None)
        if future is not None and not future.done():
            future.set_result((headers, payload))

    def _ask(self, subject: str, payload: bytes, headers: bytes) -> tuple[bytes, asyncio.Future[tuple[bytes, bytes]]]:
        connection = self._connection
        if connection is None or connection.full:
            raise BrokerDown("not connected")
        if len(payload) + len(headers) > connection.info.result().max_payload:
            raise BrokerDown("larger than the server's max_payload")
        self._number += 1
        reply = b"%b.%d" % (self._inbox.encode(), self._number)
        future = self._waiting[reply] = asyncio.get_running_loop().create_future()
        connection.publish(subject.encode(), payload, reply, headers)
        return reply, future

    async def _request(self, subject: str, payload: bytes, headers: bytes = b"") -> _Answer:
        reply, future = self._ask(subject, payload, headers)
        try:
            async with asyncio.timeout(TIMEOUT):
                _, body = await future
        except TimeoutError as error:
            raise BrokerDown(f"no answer to {subject}") from error
        finally:
            self._waiting.pop(reply, None)
        if not body:  # headers only: status 503, nobody is there to answer
            raise BrokerDown("nobody answers for JetStream: is it enabled?")
        try:
            return _decode(body)
        except msgspec.MsgspecError as error:
            raise BrokerDown(f"not understood: {error}") from error

    async def _api(self, call: str, **arguments: Any) -> _Answer:
        answer = await self._request(f"$JS.API.{call}", msgspec.json.encode(arguments))
        if answer.error is not None:
            raise ApiError(answer.error.err_code, answer.error.description)
        return answer

    async def create(self, name: str, **config: Any) -> None:
        """Or changes it, if it is there and differs."""
        try:
            await self._api(f"STREAM.CREATE.{name}", name=name, **config)
        except ApiError as error:
            if error.code != _NAME_IN_USE:
                raise
            await self._api(f"STREAM.UPDATE.{name}", name=name, **config)

    async def last(self, stream: str, subject: str) -> Stored | None:
        return await self._get(stream, last_by_subj=subject)

    async def at(self, stream: str, sequence: int) -> Stored | None:
        return await self._get(stream, seq=sequence)

    async def _get(self, stream: str, **which: Any) -> Stored | None:
        try:
            message = (await self._api(f"STREAM.MSG.GET.{stream}", **which)).message
        except ApiError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        if message is None:
            return None
        return Stored(
            message.seq, base64.b64decode(message.hdrs), base64.b64decode(message.data), message.time.timestamp()
        )

    async def put(self, subject: str, data: bytes, *, expected: int | None = None, **fields: str | int) -> int:
        """Answers the sequence. ``expected`` is that of the subject's last message, 0 for none; raises ``Conflict``."""
        if expected is not None:
            fields["Nats-Expected-Last-Subject-Sequence"] = expected
        answer = await self._request(subject, data, header_block(fields) if fields else b"")
        if answer.error is not None:
            if answer.error.err_code == _WRONG_SEQUENCE:
                raise Conflict
            raise ApiError(answer.error.err_code, answer.error.description)
        return answer.seq

    def store(self, subject: str, data: bytes, headers: bytes, done: Callable[[object], None]) -> None:
        """Written at once; ``done`` is called with an exception, or with anything else when it is stored."""

        def answered(answer: asyncio.Future[tuple[bytes, bytes]]) -> None:
            error = None if answer.cancelled() else answer.exception()
            done(error or (None if error is None and _decode(answer.result()[1]).error is None else BrokerDown()))

        try:
            _, future = self._ask(subject, data, headers)
        except BrokerDown as error:
            done(error)
        else:
            future.add_done_callback(answered)

    async def purge(self, stream: str, subject: str, below: int = 0) -> None:
        """Removes what is stored under a subject, or only what is older than a sequence."""
        await self._api(f"STREAM.PURGE.{stream}", filter=subject, **({"seq": below} if below else {}))

    async def streams(self, subject: str) -> list[str]:
        """Those that take this subject; a server has at most 256 on a page, which is more than apps have settings."""
        return (await self._api("STREAM.NAMES", subject=subject)).streams or []

    async def subjects(self, stream: str, pattern: str) -> list[str]:
        found: list[str] = []
        while True:
            answer = await self._api(f"STREAM.INFO.{stream}", subjects_filter=pattern, offset=len(found))
            page = list((answer.state.subjects if answer.state is not None else None) or {})
            found += page
            if not page or len(found) >= answer.total:
                return found

    async def change(
        self, stream: str, subject: str, edit: Callable[[Stored | None], Edit | None], *, unread: bool = False
    ) -> None:
        """Reads, edits and writes until nobody has written in between. An edit to nothing removes the subject.

        ``unread``: there is probably nothing yet, so try without reading.
        """
        while True:
            stored = None if unread else await self.last(stream, subject)
            unread = False
            edited = edit(stored)
            if edited is None:
                return
            try:
                sequence = await self.put(
                    subject, edited.data, expected=0 if stored is None else stored.sequence, **edited.fields
                )
            except Conflict:
                continue
            edited.done(sequence)
            if not edited.data:
                await self.purge(stream, subject, sequence + 1)
            return


@dataclass(frozen=True, slots=True)
class Edit:
    data: bytes
    fields: Mapping[str, str | int]
    done: Callable[[int], None]
    """Called with the sequence of what was written."""
