"""The numbers are true: known traffic, and what the console says of it. F-RT-11."""

from __future__ import annotations

import asyncio

import pytest

from kanal.realtime.apps import App
from kanal.realtime.console import gauge as gauge_module
from kanal.realtime.console.rates import between
from kanal.realtime.publisher import Publication
from tests.realtime.api.caller import Http, sign
from tests.realtime.console.conftest import Watched, watched
from tests.realtime.harness import APP, Client, frame, until

OTHER = App(id="2002", key="other-key", secret="other-secret")


async def _receive(client: Client, number: int) -> int:
    """The payload bytes of so many messages, with the heads of their frames."""
    size = 0
    for _ in range(number):
        opcode, payload = await client.frame()
        assert opcode == 1
        size += len(frame(1, payload, masked=False))
    return size


async def test_known_traffic_is_counted_to_the_message_and_the_byte(here: Watched) -> None:
    clients = [await here.node.client() for _ in range(7)]
    for client in clients:
        await client.subscribe("news")
    sent_in = len(clients)  # the subscriptions
    for number in range(30):
        await here.node.hub.publish([Publication(APP.id, "news", "said", f"hello {number}")])
    received = sum([await _receive(client, 30) for client in clients])
    for client in clients[:3]:
        await client.quiet()  # one ping each
    state = await here.state()
    (node,) = state.nodes
    app = node.apps[APP.id]
    assert (app.connections, app.channels, app.opened) == (7, 1, 7)
    assert app.messages_out == 7 * 30
    assert app.bytes_out == received
    assert app.messages_in == sent_in + 3
    assert node.total == app
    assert state.silent == []
    assert not state.alone
    for client in clients:
        await client.bye()
    await until(lambda: not here.node.hub.connections)
    app = (await here.state()).nodes[0].apps[APP.id]
    assert (app.connections, app.channels, app.opened) == (0, 0, 7)


async def test_calls_of_the_api_are_counted_with_those_that_were_refused(here: Watched) -> None:
    api = await Http.open(here.node.port)
    path, body = f"/apps/{APP.id}/events", b'{"name":"a","channel":"news","data":"{}"}'
    for _ in range(5):
        assert (await api.ask("POST", f"{path}?{sign('POST', path, body)}", body)).status == 200
    assert (await api.ask("POST", f"{path}?{sign('POST', path, body, auth_signature='0')}", body)).status == 401
    (node,) = (await here.state()).nodes
    assert node.apps[APP.id].api_calls == 5
    assert (node.total.api_calls, node.total.api_refused) == (6, 1), "a call that nobody signed belongs to no app"
    assert "" not in node.apps


async def test_rates_are_what_happened_between_two_looks(here: Watched) -> None:
    client = await here.node.client()
    await client.subscribe("news")
    before = await here.state()
    for _ in range(20):
        await here.node.hub.publish([Publication(APP.id, "news", "said", "x")])
    await _receive(client, 20)
    after = await here.state()
    seconds = after.nodes[0].uptime - before.nodes[0].uptime
    rates = between(before, after)
    assert rates.apps[APP.id]["messages_out"] == pytest.approx(20 / seconds)
    assert rates.nodes[after.node]["cpu"] > 0


async def test_handshakes_that_were_turned_away_are_counted_apart(here: Watched) -> None:
    stranger = await Client.connect(here.node.port, path="/app/unknown?protocol=7")
    await stranger.event("pusher:error")
    (node,) = (await here.state()).nodes
    assert node.refused == 1
    assert node.total.opened == 0


async def test_apps_are_told_apart_and_add_up() -> None:
    async with watched(APP, OTHER) as here:
        first, second = await here.node.client(), await here.node.client(OTHER)
        await first.subscribe("news")
        await second.subscribe("news")
        await here.node.hub.publish([Publication(OTHER.id, "news", "said", "x")])
        await second.next()
        state = await here.state()
        (node,) = state.nodes
        assert {app: each.messages_out for app, each in node.apps.items()} == {APP.id: 0, OTHER.id: 1}
        assert (node.total.connections, node.total.channels, node.total.messages_out) == (2, 2, 1)
        assert [view.id for view in state.apps] == [APP.id, OTHER.id]


async def test_very_many_apps_are_cut_and_the_totals_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge_module, "MAX_APPS", 1)
    async with watched(APP, OTHER) as here:
        clients = [await here.node.client(OTHER), await here.node.client(OTHER), await here.node.client()]
        (node,) = (await here.state()).nodes
        assert list(node.apps) == [OTHER.id]
        assert node.apps_left_out == 1
        assert node.total.connections == len(clients)


async def test_many_who_ask_at_once_are_one_look(here: Watched) -> None:
    states = await asyncio.gather(*(here.console.state() for _ in range(5)))
    assert len({state.nodes[0].uptime for state in states}) == 1


async def test_a_process_tells_of_itself(here: Watched) -> None:
    (node,) = (await here.state()).nodes
    assert node.memory is not None
    assert node.memory > 10_000_000
    assert node.descriptors is None or node.descriptors >= 256
    assert (node.engine, node.broker_connected, node.draining) == ("memory", True, False)
    here.node.front.turn_away()
    assert (await here.state()).nodes[0].draining


# Two nodes


async def test_both_nodes_are_seen_from_either(pair: tuple[Watched, Watched]) -> None:
    one, two = pair
    for watcher, number in ((one, 3), (two, 5)):
        for _ in range(number):
            client = await watcher.node.client()
            await client.subscribe("news")
    for watcher in pair:
        state = await watcher.state()
        assert sorted(node.total.connections for node in state.nodes) == [3, 5]
        assert state.node == watcher.node.hub.broker.node
        assert state.silent == []
    await one.node.hub.publish([Publication(APP.id, "news", "said", "x")])
    await until(lambda: two.node.hub.stats().apps[APP.id].messages_out == 5)
    state = await two.state()
    assert sum(node.total.messages_out for node in state.nodes) == 8


async def test_a_node_that_does_not_answer_is_shown_as_silent(pair: tuple[Watched, Watched]) -> None:
    one, two = pair
    two.console._figures._answer = _never
    state = await one.state()
    assert [node.node for node in state.nodes] == [one.node.hub.broker.node]
    assert state.silent == [two.node.hub.broker.node]
    assert not state.alone


async def _never(_question: bytes) -> bytes:
    await asyncio.Event().wait()
    return b""
