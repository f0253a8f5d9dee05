"""A reader that does not read, and descriptors that come back as somebody else's."""

import asyncio
import json
import socket

import pytest

from kanal.realtime.publisher import Publication
from tests.realtime.harness import APP, Client, Running, dial, frame, handshake, running, until

KB = 1024
BLOCK = "x" * (60 * KB)


async def _publish(server: Running, count: int, channel: str = "news", first: int = 0) -> None:
    for number in range(first, first + count):
        await server.hub.publish([Publication(APP.id, channel, "e", json.dumps([number, BLOCK]))])
        await asyncio.sleep(0)


async def _narrow(server: Running) -> Client:
    """A client whose kernel buffers hold little, so that the server's must."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * KB)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", server.port))
    reader, writer = await dial(server.port, sock=raw, limit=4 * KB)
    client = Client(reader, writer, APP)
    client.raw(handshake("/app/test-key?protocol=7"))
    await reader.readuntil(b"\r\n\r\n")
    client.socket_id = (await client.event("pusher:connection_established"))["socket_id"]
    return client


async def test_a_reader_that_falls_behind_gets_everything_in_order_when_it_reads_again() -> None:
    async with running(max_buffered=64 * KB * KB) as server, await server.client() as quick:
        slow = await _narrow(server)
        for client in (slow, quick):
            await client.subscribe("news")
        await _publish(server, 100)
        connection = server.hub.connections[slow.socket_id]
        assert connection.blocked
        assert [json.loads((await quick.next())["data"])[0] for _ in range(100)] == list(range(100))
        slow.send("pusher:ping")  # answered behind what waits, not in the middle of it
        assert [json.loads((await slow.next())["data"])[0] for _ in range(100)] == list(range(100))
        assert (await slow.next())["event"] == "pusher:pong"
        await until(lambda: not connection.blocked)
        assert connection.in_list
        await _publish(server, 3, first=100)
        assert [json.loads((await slow.next())["data"])[0] for _ in range(3)] == [100, 101, 102]
        assert server.hub.stats().apps[APP.id].slow_closed == 0
        await slow.drop()


async def test_a_reader_too_far_behind_is_closed_and_nobody_else_notices() -> None:
    async with running(max_buffered=256 * KB) as server, await server.client() as quick:
        slow = await _narrow(server)
        await slow.subscribe("presence-a", {"user_id": "slow"})
        await quick.subscribe("presence-a", {"user_id": "quick"})
        await slow.event("pusher_internal:member_added", "presence-a")
        transport = server.hub.connections[slow.socket_id].transport
        messages: list[dict[str, str]] = []

        async def read() -> None:
            while len(messages) < 201:
                messages.append(await quick.next())

        reading = asyncio.create_task(read())
        await _publish(server, 200, "presence-a")
        await reading
        assert server.hub.stats().apps[APP.id].slow_closed == 1
        assert transport.get_write_buffer_size() < 512 * KB
        events = [json.loads(message["data"])[0] for message in messages if message["event"] == "e"]
        assert events == list(range(200))
        (other,) = [message for message in messages if message["event"] != "e"]
        assert other["event"] == "pusher_internal:member_removed"
        assert json.loads(other["data"]) == {"user_id": "slow"}
        await quick.quiet()
        assert await slow.closed() in {4100, 1006}
        await slow.drop()


async def test_one_message_larger_than_the_bound_passes_a_reader_that_keeps_up() -> None:
    async with running(max_buffered=16 * KB) as server, await server.client() as client:
        await client.subscribe("news")
        await server.hub.publish([Publication(APP.id, "news", "e", json.dumps("x" * (4 * KB * KB)))])
        assert len((await client.next())["data"]) == 4 * KB * KB + 2
        await client.quiet()


@pytest.mark.parametrize("ending", ["close frame", "reset", "server"])
async def test_no_event_reaches_a_connection_that_got_the_descriptor_of_a_closed_one(
    server: Running, ending: str
) -> None:
    """Descriptors come back at once; a list that still had one would send a channel to a stranger."""
    reader = await server.client()
    await reader.subscribe("private-secret")
    stop = asyncio.Event()

    async def publish() -> None:
        while not stop.is_set():
            await server.hub.publish([Publication(APP.id, "private-secret", "secret", "1")])
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    descriptors: list[int] = []
    for _ in range(60):
        member = await server.client()
        member.ask("private-secret")
        await member.next()
        connection = server.hub.connections[member.socket_id]
        descriptors.append(connection.fd)
        if ending == "close frame":
            member.raw(frame(8, b""))
        elif ending == "server":
            server.hub.closed(connection, 4200)
            member.raw(frame(8, b""))
        else:
            member.writer.transport.abort()
        strangers = [await server.client() for _ in range(2)]
        for stranger in strangers:
            descriptors.append(server.hub.connections[stranger.socket_id].fd)
            await stranger.quiet()  # anything of the channel would be the next message
        for stranger in strangers:
            await stranger.drop()
        await member.drop()
    stop.set()
    await publishing
    assert len(set(descriptors)) < len(descriptors) / 2, "the kernel gave no descriptor out again; nothing was tested"
    await reader.drop()
