"""Gathering: what goes out together, and who is left out."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kanal.realtime import fanout
from kanal.realtime.connections import Connection
from kanal.realtime.fanout import Audience, FanOut
from kanal.realtime.protocol.connection import Machine
from kanal.realtime.stats import AppStats
from tests.realtime.harness import APP


class Transport:
    """As much of one as a connection asks for, over a socket that keeps writes apart."""

    def __init__(self) -> None:
        self.server, self.client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.setblocking(False)
        self.client.setblocking(False)

    def get_extra_info(self, name: str) -> Any:
        return self.server if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def writes(self) -> list[bytes]:
        """What has been written since the last time."""
        found = []
        while True:
            try:
                found.append(self.client.recv(65_536))
            except BlockingIOError:
                return found


@pytest.fixture
def transports() -> Iterator[list[Transport]]:
    made: list[Transport] = [Transport() for _ in range(3)]
    yield made
    for transport in made:
        transport.server.close()
        transport.client.close()


@pytest.fixture
def connections(transports: list[Transport]) -> list[Connection]:
    return [
        Connection(
            app=APP,
            machine=Machine(APP, f"1.{number}", 0.0, 0.0),
            transport=transport,  # type: ignore[arg-type]
            carrier=None,  # type: ignore[arg-type]
            stats=AppStats(),
            limit=1_000,
            on_overflow=lambda _connection: None,
        )
        for number, transport in enumerate(transports)
    ]


@pytest.fixture
def audience(connections: list[Connection]) -> Audience:
    audience = Audience(AppStats())
    for connection in connections:
        audience.add(connection)
    return audience


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_events_of_turns_that_follow_each_other_go_out_in_one_write(
    audience: Audience, transports: list[Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "GATHER", 60.0)
    out = FanOut()
    for event in (b"a", b"b", b"c"):
        out.publish(audience, event)
        await asyncio.sleep(0)
    assert [transport.writes() for transport in transports] == [[], [], []]
    await turns()
    assert [transport.writes() for transport in transports] == [[b"abc"]] * 3


async def test_an_event_waits_no_longer_than_its_time_however_many_follow(
    audience: Audience, transports: list[Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "GATHER", 0.0)
    out = FanOut()
    for event in (b"a", b"b", b"c"):
        out.publish(audience, event)
        await asyncio.sleep(0)
    await turns()
    assert transports[0].writes() == [b"a", b"b", b"c"]


async def test_who_caused_events_gets_the_others_only(
    audience: Audience, connections: list[Connection], transports: list[Transport]
) -> None:
    first, second, _ = connections
    out = FanOut()
    out.publish(audience, b"a", (first,))
    out.publish(audience, b"bb", (first,))
    await turns()
    assert [transport.writes() for transport in transports] == [[], [b"abb"], [b"abb"]]
    out.publish(audience, b"c", (first,))
    out.publish(audience, b"dd", (second,))
    out.publish(audience, b"eee", (first,))
    await turns()
    assert [transport.writes() for transport in transports] == [[b"dd"], [b"ceee"], [b"cddeee"]]
    assert audience.stats.messages_out == audience.sent == 4 + 6
    assert audience.stats.bytes_out == 6 + 2 + 4 + 6


async def test_who_comes_gets_nothing_from_before_and_who_leaves_gets_everything_from_before(
    audience: Audience, connections: list[Connection], transports: list[Transport]
) -> None:
    late = connections[2]
    audience.remove(late)
    out = FanOut()
    out.publish(audience, b"a")
    audience.add(late)
    out.publish(audience, b"b")
    audience.remove(connections[0])
    out.publish(audience, b"c")
    await turns()
    assert [b"".join(transport.writes()) for transport in transports] == [b"ab", b"abc", b"bc"]


async def test_nobody_there_keeps_nothing(connections: list[Connection]) -> None:
    audience = Audience(AppStats())
    out = FanOut()
    out.publish(audience, b"a", (connections[0],))
    audience.add(connections[0])
    out.publish(audience, b"b", (connections[1],))
    assert audience.skips == {}
    audience.remove(connections[0])
    await turns()
    assert (audience.pending, audience.skips, audience.stats.messages_out) == ([], {}, 1)
