"""Time from the request that sends a message to its arrival at the last of many sockets in the room."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench import http_load
from bench.figures import Figure, at_most, percentile
from bench.world import World, running

SOCKETS = 200
RATE = 50  # messages per second
SECONDS = 10.0
GOAL = 50.0  # milliseconds, p99 to the last socket
CLIENT_ID = b"client_id"


@dataclass
class Arrivals:
    """When each message was sent, and how many sockets have it."""

    sent: dict[bytes, float] = field(default_factory=dict)
    seen: dict[bytes, int] = field(default_factory=dict)
    last: list[float] = field(default_factory=list)  # seconds to the last socket
    each: list[float] = field(default_factory=list)  # seconds to every socket

    def arrived(self, client_id: bytes) -> None:
        """One socket got this message."""
        if (sent := self.sent.get(client_id)) is None:
            return
        took = time.perf_counter() - sent
        self.each.append(took)
        self.seen[client_id] = self.seen.get(client_id, 0) + 1
        if self.seen[client_id] == SOCKETS:
            self.last.append(took)


class Socket(WSListener):
    """A client that subscribes to one channel."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._transport: WSTransport | None = None
        self.established: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        payload = frame.get_payload_as_bytes()
        if b"message.sent" in payload:
            start = payload.find(CLIENT_ID) + len(CLIENT_ID)
            start = payload.index(b"-", start) - 8  # past quotes and their escapes, to the id itself
            self._arrivals.arrived(payload[start : start + 36])
            return
        message = json.loads(payload)
        if message["event"] == "pusher:connection_established":
            self.established.set_result(json.loads(message["data"])["socket_id"])
        elif message["event"] == "pusher_internal:subscription_succeeded":
            self.subscribed.set_result(None)
        elif message["event"] == "pusher:ping":
            self.send("pusher:pong", {})
        elif message["event"] == "pusher:error":
            raise RuntimeError(payload.decode())

    def send(self, event: str, data: dict[str, str]) -> None:
        """Send an event of the protocol."""
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, json.dumps({"event": event, "data": data}).encode())

    def close(self) -> None:
        """Close the connection."""
        assert self._transport is not None
        self._transport.disconnect()


async def measure(folder: Path) -> list[Figure]:
    """Fill a room with sockets, talk, and time the arrivals."""
    arrivals = Arrivals()
    with running(folder) as world:
        room = world.make_room("deliver")
        sockets = await _subscribe(world, f"presence-chat.{room}", arrivals)
        await _talk(world, room, arrivals)
        for socket in sockets:
            socket.close()
        await asyncio.sleep(0.2)
    expected = int(RATE * SECONDS)
    name = f"{SOCKETS} sockets, {RATE} messages/s"
    return [
        Figure(
            f"{name}: messages that reached all",
            len(arrivals.last),
            f"of {expected}",
            f"= {expected}",
            len(arrivals.last) == expected,
        ),
        Figure(f"{name}: to every socket, p50", percentile(arrivals.each, 0.5) * 1000, "ms"),
        Figure(f"{name}: to the last socket, p50", percentile(arrivals.last, 0.5) * 1000, "ms"),
        at_most(f"{name}: to the last socket, p99", percentile(arrivals.last, 0.99) * 1000, "ms", GOAL),
    ]


async def _subscribe(world: World, channel: str, arrivals: Arrivals) -> list[Socket]:
    url = f"ws://127.0.0.1:{world.port}/app/{world.realtime_key}?protocol=7&client=bench&version=1"
    http = await http_load.Connection.open(world.port)
    sockets = []
    for _ in range(SOCKETS):
        socket = Socket(arrivals)
        await ws_connect(lambda socket=socket: socket, url)
        body = json.dumps({"socket_id": await socket.established, "channel_name": channel}).encode()
        status, answer = await http.request(
            http_load.request("POST", "/broadcasting/auth", body, authorization=f"Bearer {world.token}")
        )
        if status != 200:
            raise RuntimeError(f"authorizing {channel}: {status} {answer!r}")
        socket.send("pusher:subscribe", {"channel": channel, **json.loads(answer)})
        await socket.subscribed
        sockets.append(socket)
    http.close()
    return sockets


async def _talk(world: World, room: str, arrivals: Arrivals) -> None:
    """Send at an even pace, whether or not earlier messages have been answered."""
    path = f"{world.chat}/rooms/{room}/messages"
    idle = [await http_load.Connection.open(world.port) for _ in range(16)]
    started = time.perf_counter()

    async def send() -> None:
        connection = idle.pop()
        client_id = str(uuid.uuid4())
        body = json.dumps({"client_id": client_id, "body": "Pesanan nomor 4412 sudah dikirim pagi ini."}).encode()
        request = http_load.request("POST", path, body, authorization=f"Bearer {world.token}")
        arrivals.sent[client_id.encode()] = time.perf_counter()
        status, answer = await connection.request(request)
        if status != 201:
            raise RuntimeError(f"a message was answered with {status} {answer!r}")
        idle.append(connection)

    async with asyncio.TaskGroup() as sending:
        for number in range(int(RATE * SECONDS)):
            await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
            sending.create_task(send())
    await asyncio.sleep(1.0)
    for connection in idle:
        connection.close()
