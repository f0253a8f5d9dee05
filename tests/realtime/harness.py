"""A WebSocket client that can do anything, also what no client should; and servers to point it at."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import uvicorn

from kanal.realtime.apps import App, AppSource, StaticApps
from kanal.realtime.brokers.base import Broker
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.front import Front
from kanal.realtime.hub import Hub
from kanal.realtime.protocol.signatures import sign_subscription
from kanal.realtime.server import EmbeddedServer

APP = App(id="1001", key="test-key", secret="test-secret", encryption_master_key=b"0123456789abcdef" * 2)
WAIT = 30.0  # seconds; only a failure takes as long

Frame = tuple[int, bytes]
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    mask = b"\x37\xfa\x21\x3d"  # the same in every process, for it is part of test names
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def handshake(path: str, **headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


_dialled: set[asyncio.StreamWriter] = set()


async def dial(port: int, **settings: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Like ``open_connection``; what a failing test leaves open is closed with the server (uvloop waits for it)."""
    where = {} if "sock" in settings else {"host": settings.pop("host", "127.0.0.1"), "port": port}
    reader, writer = await asyncio.open_connection(**where, **settings)
    _dialled.add(writer)
    return reader, writer


async def hang_up() -> None:
    for writer in _dialled:
        writer.transport.abort()
    _dialled.clear()
    await asyncio.sleep(0)


class Client:
    """One connection. ``messages`` that are not asked for stay in line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, app: App) -> None:
        self.reader = reader
        self.writer = writer
        self.app = app
        self.socket_id = ""

    @classmethod
    async def connect(cls, port: int, app: App = APP, path: str | None = None, **headers: str) -> Client:
        reader, writer = await dial(port)
        client = cls(reader, writer, app)
        writer.write(handshake(path or f"/app/{app.key}?protocol=7&client=test&version=1", **headers))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return client

    @classmethod
    async def open(cls, port: int, app: App = APP, **headers: str) -> Client:
        client = await cls.connect(port, app, **headers)
        client.socket_id = (await client.event("pusher:connection_established"))["socket_id"]
        return client

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drop()

    async def drop(self) -> None:
        """Without a close frame."""
        _dialled.discard(self.writer)
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return

    async def bye(self) -> None:
        self.raw(frame(CLOSE, struct.pack("!H", 1000)))
        await self.drop()

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    def text(self, text: str) -> None:
        self.raw(frame(TEXT, text.encode()))

    def send(self, event: str, data: Any = None, channel: str | None = None) -> None:
        message: dict[str, Any] = {"event": event, "data": {} if data is None else data}
        if channel is not None:
            message["channel"] = channel
        self.text(json.dumps(message))

    async def frame(self) -> Frame:
        head = await self.reader.readexactly(2)
        assert not head[1] & 0x80, "server frames are not masked"
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", await self.reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", await self.reader.readexactly(8))[0]
        return head[0] & 0x0F, await self.reader.readexactly(size)

    async def next(self) -> dict[str, Any]:
        """The next message; WebSocket pings are answered."""
        async with asyncio.timeout(WAIT):
            while True:
                opcode, payload = await self.frame()
                if opcode == PING:
                    self.raw(frame(PONG, payload))
                    continue
                assert opcode == TEXT, (opcode, payload)
                message: dict[str, Any] = json.loads(payload)
                return message

    async def event(self, name: str, channel: str | None = None) -> Any:
        """The next message must be this one; its data, parsed."""
        message = await self.next()
        assert message["event"] == name, message
        assert message.get("channel") == channel, message
        data = message.get("data")
        if name == "pusher:error":
            assert isinstance(data, dict), "pusher:error carries an object"
            return data
        if data is not None:
            assert isinstance(data, str), "data is a JSON string"
            return json.loads(data)
        return None

    async def quiet(self) -> None:
        """Nothing is waiting: the answer to a ping is the next message."""
        self.send("pusher:ping")
        await self.event("pusher:pong")

    async def closed(self) -> int:
        """The close code; 1006 when the connection just ends."""
        async with asyncio.timeout(WAIT):
            while True:
                try:
                    opcode, payload = await self.frame()
                except (asyncio.IncompleteReadError, ConnectionError):
                    return 1006
                if opcode == CLOSE:
                    return int(struct.unpack("!H", payload[:2])[0])

    def auth(self, channel: str, channel_data: str | None = None) -> dict[str, str]:
        answer = {"auth": sign_subscription(self.app.key, self.app.secret, self.socket_id, channel, channel_data)}
        if channel_data is not None:
            answer["channel_data"] = channel_data
        return answer

    def ask(self, channel: str, data: dict[str, Any] | None = None) -> None:
        """Subscribe, signed as the channel needs it."""
        content: dict[str, Any] = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            content |= self.auth(channel, None if data is None else json.dumps(data))
        self.send("pusher:subscribe", content)

    async def subscribe(self, channel: str, data: dict[str, Any] | None = None) -> Any:
        self.ask(channel, data)
        return await self.event("pusher_internal:subscription_succeeded", channel)


class Running:
    """A hub behind a port of this process."""

    def __init__(self, hub: Hub, front: Front, port: int) -> None:
        self.hub = hub
        self.front = front
        self.port = port

    async def client(self, app: App = APP, **headers: str) -> Client:
        return await Client.open(self.port, app, **headers)

    async def member(self, channel: str, user: str, **info: Any) -> Client:
        client = await self.client()
        await client.subscribe(channel, {"user_id": user, "user_info": info})
        return client


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """The HTTP side of test servers: answers with the path."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    answer = scope["path"].encode() + b" " + body
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def running(
    *apps: App,
    source: AppSource | None = None,
    broker: Broker | None = None,
    handshake_timeout: float = 10.0,
    request_timeout: float = 10.0,
    config: Any = None,
    http: Callable[[Front], Any] | None = None,
    **hub_settings: Any,
) -> AsyncIterator[Running]:
    hub = Hub(source or StaticApps(apps or (APP,)), broker or MemoryBroker(), **hub_settings)
    front = Front(hub, handshake_timeout=handshake_timeout, request_timeout=request_timeout)
    settings = {"lifespan": "off", "log_config": None, "access_log": False} | (config or {})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = EmbeddedServer(uvicorn.Config(**front.uvicorn(http(front) if http else echo), **settings))
        await hub.start()
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        try:
            yield Running(hub, front, listener.getsockname()[1])
        finally:
            await hang_up()
            server.should_exit = True
            await hub.stop()
            await task


async def until(condition: Callable[[], bool], within: float = WAIT) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
