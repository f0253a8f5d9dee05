"""A backend that takes webhooks over HTTP, checks every signature and remembers what it was told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Any

import uvicorn

from kanal.realtime.apps import App
from kanal.realtime.server import EmbeddedServer
from tests.realtime.harness import WAIT, until


@dataclass
class Taken:
    """One request."""

    headers: dict[str, str]
    body: bytes
    port: int
    """The sender's: equal for requests of one connection."""

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads(self.body)["events"]
        return events


@dataclass
class Receiver:
    """Answers 200, or what ``answers`` holds first, and not before ``ready`` is set."""

    secret: str
    port: int = 0
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Taken] = field(default_factory=list)
    """Those answered with a 2xx."""
    refused: list[Taken] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Without the times that Kanal adds to some."""
        return [
            {key: value for key, value in event.items() if key != "time_ms"}
            for request in self.requests
            for event in request.events
        ]

    def told(self, *names: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["name"] in names]

    async def hears(self, condition: Callable[[list[dict[str, Any]]], bool], within: float = 3 * WAIT) -> None:
        try:
            await until(lambda: condition(self.events), within)
        except TimeoutError:
            raise AssertionError(f"never told; told were {self.events}") from None

    async def has(self, count: int, within: float = 3 * WAIT) -> list[dict[str, Any]]:
        """The events, once there are that many."""
        await self.hears(lambda events: len(events) >= count, within)
        return self.events

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        taken = Taken({name.decode(): value.decode() for name, value in scope["headers"]}, body, scope["client"][1])
        expected = digest(self.secret.encode(), body, sha256).hex()
        assert compare_digest(taken.headers["x-pusher-signature"], expected)
        await self.ready.wait()
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        (self.requests if 200 <= status < 300 else self.refused).append(taken)
        fields = [(b"content-length", b"2"), *((name.encode(), value.encode()) for name, value in headers.items())]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def receiving(app: App, port: int = 0, **config: Any) -> AsyncIterator[Receiver]:
    """On a port of its own, or on one that was used before."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        receiver = Receiver(app.secret, listener.getsockname()[1])
        receiver.ready.set()
        settings = {"lifespan": "off", "log_config": None, "access_log": False, "timeout_graceful_shutdown": 1} | config
        server = EmbeddedServer(uvicorn.Config(receiver, **settings))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        try:
            yield receiver
        finally:
            receiver.ready.set()
            server.should_exit = True
            await task
