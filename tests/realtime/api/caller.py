"""A server SDK by hand: calls signed rightly, or wrongly on purpose."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

from kanal.realtime.apps import App
from tests.realtime.harness import APP, WAIT, dial


def sign(
    method: str, path: str, body: bytes = b"", app: App = APP, at: float | None = None, **parameters: str | None
) -> str:
    """The query of a call. ``parameters`` add to it or replace what is in it; ``None`` leaves one out."""
    given: dict[str, str | None] = {
        "auth_key": app.key,
        "auth_timestamp": str(int(time.time() if at is None else at)),
        "auth_version": "1.0",
    }
    if body:
        given["body_md5"] = hashlib.md5(body).hexdigest()
    given |= parameters
    signed = {key: value for key, value in given.items() if value is not None and key != "auth_signature"}
    text = f"{method}\n{path}\n" + "&".join(f"{key.lower()}={signed[key]}" for key in sorted(signed, key=str.lower))
    signature = hmac.new(app.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    if given.get("auth_signature", signature) is not None:
        signed["auth_signature"] = given.get("auth_signature") or signature
    return "&".join(f"{key}={value}" for key, value in signed.items())


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    if body or method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Http:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Http:
        return cls(*await dial(port))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self) -> Response:
        async with asyncio.timeout(WAIT):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            return Response(
                int(first.split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))
            )

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
        self.send(request(method, target, body, **headers))
        return await self.response()

    async def ended(self) -> bool:
        """The server closed; what it still had to say is dropped."""
        async with asyncio.timeout(WAIT):
            while await self.reader.read(65_536):
                pass
        return True


@dataclass
class Caller:
    """Calls on one connection: ``lean`` when it begins with a call, ``uvicorn`` when it asked for something else before."""

    http: Http
    app: App = APP

    @classmethod
    async def open(cls, port: int, way: str = "lean", app: App = APP) -> Caller:
        http = await Http.open(port)
        if way == "uvicorn":
            assert (await http.ask("GET", "/hello")).body == b"/hello "
        return cls(http, app)

    async def call(self, method: str, path: str, content: Any = None, **parameters: str | None) -> Response:
        """``path`` below the app."""
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        whole = f"/apps/{self.app.id}{path}"
        return await self.http.ask(method, f"{whole}?{sign(method, whole, body, self.app, None, **parameters)}", body)

    async def post(self, path: str, content: Any, **parameters: str | None) -> Response:
        return await self.call("POST", path, content, **parameters)

    async def get(self, path: str, **parameters: str | None) -> Response:
        return await self.call("GET", path, **parameters)

    async def trigger(self, channels: str | list[str], name: str, data: Any, **more: Any) -> Response:
        to = {"channel": channels} if isinstance(channels, str) else {"channels": channels}
        return await self.post("/events", {"name": name, "data": json.dumps(data), **to, **more})
