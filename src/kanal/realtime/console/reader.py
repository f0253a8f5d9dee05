"""Asks a server's console over HTTP, with the console token."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import httpx
import msgspec

from kanal.realtime.console.figures import ChannelPage, ClusterFigures, TailBatch

TIMEOUT = 5.0  # seconds; a look at the cluster takes at most one
SILENCE = 30.0  # seconds without a sign of life on a tail

T = TypeVar("T")


class CannotRead(Exception):
    """One line for a person. ``final``: asking again will not help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class _Detail(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Error(msgspec.Struct):
    error: _Detail


class Reader:
    """``url`` is where the server listens, with or without ``/console``. All methods raise ``CannotRead``."""

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        base = url.rstrip("/").removesuffix("/console") + "/console/api"
        headers = {"authorization": f"Bearer {token}"}
        self.url = url
        self._http = httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT, transport=transport, trust_env=False)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def state(self) -> ClusterFigures:
        return self._get("/state", {}, ClusterFigures)

    def channels(self, app: str, *, sort: str = "rate", limit: int = 50) -> ChannelPage:
        return self._get("/channels", {"app": app, "sort": sort, "limit": str(limit)}, ChannelPage)

    def tail(self, app: str, channel: str) -> Iterator[TailBatch]:
        """Ends when the server ends it."""
        try:
            asked = {"app": app, "channel": channel}
            with self._http.stream(
                "GET", "/tail", params=asked, timeout=httpx.Timeout(TIMEOUT, read=SILENCE)
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise self._refusal(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield msgspec.json.decode(line[6:], type=TailBatch)
        except httpx.HTTPError as error:
            raise CannotRead(f"no answer from {self.url}: {error}") from error

    def _get(self, path: str, query: dict[str, str], kind: type[T]) -> T:
        try:
            answer = self._http.get(path, params=query)
        except httpx.HTTPError as error:
            raise CannotRead(f"no answer from {self.url}: {error}") from error
        if answer.status_code != 200:
            raise self._refusal(answer)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.MsgspecError as error:
            raise CannotRead(f"{self.url} does not answer like a console: {error}", final=True) from error

    def _refusal(self, answer: httpx.Response) -> CannotRead:
        try:
            detail = msgspec.json.decode(answer.content, type=_Error).error
        except msgspec.MsgspecError:
            detail = _Detail()
        if answer.status_code == 404 and not detail.code.startswith("console."):
            return CannotRead(f"{self.url} has no console: is KANAL_REALTIME_CONSOLE_TOKEN set there?", final=True)
        message = detail.message or f"status {answer.status_code}"
        return CannotRead(f"{self.url}: {message}", final=answer.status_code < 500)
