"""A client in Python for what is not about speed alone: it comes and goes, and counts what it is sent."""

import asyncio
import json
import struct
from collections import Counter

from bench.realtime.targets import Target
from kanal.realtime.protocol.signatures import sign_subscription

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_PING, _PONG, _CLOSE = 9, 10, 8
AT_ONCE = 100  # subscriptions asked for before their answers are waited for


def _frame(opcode: int, payload: bytes) -> bytes:
    """Masked with zeros: a client's frame that costs the client nothing."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    return head + b"\0\0\0\0" + payload


class Peer(asyncio.Protocol):
    """One socket. ``heard`` counts events by name; ``lost`` says that the server, or the way to it, ended the connection."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._data = b""
        self._open = False
        self._leaving = False
        self._news = asyncio.Event()
        self.heard: Counter[str] = Counter()
        self.lost = False
        self.socket_id = ""

    @classmethod
    async def connect(cls, target: Target) -> "Peer":
        """Until the server has named the socket."""
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(lambda: cls(target), "127.0.0.1", target.port)
        await peer.until("pusher:connection_established", 1)
        return peer

    async def subscribe(self, *channels: str, user: str = "") -> None:
        """Until the server has said yes to each."""
        for start in range(0, len(channels), AT_ONCE):
            some = channels[start : start + AT_ONCE]
            wanted = self.heard["pusher_internal:subscription_succeeded"] + len(some)
            self._transport.writelines([self._subscription(each, user) for each in some])
            await self.until("pusher_internal:subscription_succeeded", wanted)

    def unsubscribe(self, *channels: str) -> None:
        """There is no answer to wait for."""
        self._transport.writelines([_message("pusher:unsubscribe", {"channel": each}) for each in channels])

    def whisper(self, channel: str, text: str) -> None:
        """A client event."""
        self._transport.write(_message("client-whisper", text, channel))

    async def settled(self) -> None:
        """Everything sent before has been done."""
        wanted = self.heard["pusher:pong"] + 1
        self._transport.write(_message("pusher:ping", {}))
        await self.until("pusher:pong", wanted)

    def leave(self, *, orderly: bool = True) -> None:
        """With a close frame, or as a phone that lost its network."""
        self._leaving = True
        if orderly:
            self._transport.write(_frame(_CLOSE, struct.pack("!H", 1000)))
            self._transport.close()
        else:
            self._transport.abort()

    async def until(self, event: str, count: int) -> None:
        """As many events of this name have come. Raises `ConnectionError`."""
        while self.heard[event] < count:
            if self.lost:
                raise ConnectionError(f"lost while waiting for {event}")
            self._news.clear()
            await self._news.wait()

    def _subscription(self, channel: str, user: str) -> bytes:
        content = {"channel": channel}
        known = self._target.credentials
        if channel.startswith("presence-"):
            content["channel_data"] = json.dumps({"user_id": user, "user_info": {"name": user}})
        if channel.startswith(("private-", "presence-")):
            content["auth"] = sign_subscription(
                known.key, known.secret, self.socket_id, channel, content.get("channel_data")
            )
        return _message("pusher:subscribe", content)

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for a WebSocket."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # uvloop's are unrelated to asyncio's
        self._transport.write(_HANDSHAKE.format(path=self._target.path).encode())

    def data_received(self, data: bytes) -> None:
        """Takes whole frames off the front."""
        data = self._data + data if self._data else data
        if not self._open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            self._open = True
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > end:
                break
            self._take(data[at] & 0x0F, data[start : start + size])
            at = start + size
        self._data = data[at:]
        self._news.set()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._transport.write(_frame(_PONG, payload))
        elif opcode == 1:
            event = payload[10 : payload.index(b'"', 10)].decode()  # {"event":"…
            self.heard[event] += 1
            if event == "pusher:connection_established":
                self.socket_id = json.loads(json.loads(payload)["data"])["socket_id"]

    def connection_lost(self, _error: Exception | None) -> None:
        """Wakes who waits."""
        self.lost = not self._leaving
        self._news.set()


def _message(event: str, data: object, channel: str = "") -> bytes:
    content = {"event": event, "data": data} | ({"channel": channel} if channel else {})
    return _frame(1, json.dumps(content).encode())
