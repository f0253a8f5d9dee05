"""Which channels are the busiest. F-RT-11."""

from __future__ import annotations

import asyncio

import pytest

from kanal.realtime.console.busiest import FORGET, WINDOW, Marks, in_order
from kanal.realtime.console.figures import ChannelFigures, Sort
from kanal.realtime.console.service import Console
from kanal.realtime.publisher import Publication
from tests.realtime.console.conftest import Watched
from tests.realtime.harness import APP, Client, until


async def _fill(watcher: Watched, **channels: int) -> list[Client]:
    """So many subscribers in each."""
    clients = [await watcher.node.client() for _ in range(max(channels.values()))]
    for name, number in channels.items():
        for client in clients[:number]:
            await client.subscribe(name)
    return clients


async def _publish(watcher: Watched, channel: str, times: int) -> None:
    for _ in range(times):
        await watcher.node.hub.publish([Publication(APP.id, channel, "said", "x")])
    await asyncio.sleep(0)


async def test_channels_with_their_counts_in_the_order_asked_for(here: Watched) -> None:
    await _fill(here, alpha=1, beta=3, gamma=2)
    await _publish(here, "alpha", 10)
    await _publish(here, "gamma", 2)
    await until(lambda: here.node.hub.channels[f"{APP.id}:gamma"].audience.sent == 4)
    page = await here.channels(app=APP.id, sort="messages")
    assert [(row.name, row.subscriptions, row.messages) for row in page.items] == [
        ("alpha", 1, 10),
        ("gamma", 2, 4),
        ("beta", 3, 0),
    ]
    assert (page.matching, page.exact) == (3, True)
    assert [row.name for row in (await here.channels(app=APP.id, sort="subscriptions")).items] == [
        "beta",
        "gamma",
        "alpha",
    ]
    assert [row.name for row in (await here.channels(app=APP.id, sort="name")).items] == ["alpha", "beta", "gamma"]


async def test_a_page_of_them_and_those_that_match(here: Watched) -> None:
    await _fill(here, **{f"room-{number}": 1 for number in range(12)}, other=1)
    page = await here.channels(app=APP.id, sort="name", search="OOM-1", limit=2)
    assert ([row.name for row in page.items], page.matching) == (["room-1", "room-10"], 3)
    page = await here.channels(app=APP.id, sort="name", search="OOM-1", limit=2, offset=2)
    assert ([row.name for row in page.items], page.matching) == (["room-11"], 3)
    assert (await here.channels(app=APP.id, search="nothing like it")).items == []


async def test_members_of_a_presence_channel_count_once(here: Watched) -> None:
    for user in ("ayu", "ayu", "budi"):
        await here.node.member("presence-room", user)
    (row,) = (await here.channels(app=APP.id)).items
    assert (row.subscriptions, row.users) == (3, 2)


async def test_a_channel_on_both_nodes_is_one(pair: tuple[Watched, Watched]) -> None:
    one, two = pair
    await _fill(one, shared=2, mine=1)
    await _fill(two, shared=3)
    await _publish(one, "shared", 4)
    await until(lambda: two.node.hub.channels[f"{APP.id}:shared"].audience.sent == 12)
    for watcher in pair:
        page = await watcher.channels(app=APP.id, sort="subscriptions")
        assert [(row.name, row.subscriptions, row.messages) for row in page.items] == [
            ("shared", 5, 20),
            ("mine", 1, 0),
        ]
        assert (page.matching, page.exact, page.silent) == (2, True, [])


async def test_figures_are_whole_where_a_node_did_not_list_the_channel(pair: tuple[Watched, Watched]) -> None:
    one, two = pair
    await _fill(one, shared=3, x=1)
    await _fill(two, shared=1, y=2)  # its first one is y
    page = await one.channels(app=APP.id, sort="subscriptions", limit=1)
    assert [(row.name, row.subscriptions) for row in page.items] == [("shared", 4)]
    assert not page.exact


async def test_what_somebody_made_up_is_refused(here: Watched) -> None:
    for asked, status, code in (
        ({"app": "nobody"}, 404, "console.app_not_found"),
        ({"app": APP.id, "sort": "colour"}, 400, "request.invalid"),
        ({"app": APP.id, "limit": "101"}, 400, "request.invalid"),
        ({"app": APP.id, "limit": "0"}, 400, "request.invalid"),
        ({"app": APP.id, "offset": "-1"}, 400, "request.invalid"),
        ({"app": APP.id, "offset": "٣"}, 400, "request.invalid"),
    ):
        answer = await here.http.get("/console/api/channels", params=asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), asked


# Rates of channels, by a clock of the test's own


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_rates_are_taken_over_the_last_seconds_and_only_while_somebody_looks(here: Watched) -> None:
    clock = _Clock()
    marks = Marks(clock)
    await _fill(here, news=1)
    channels = here.node.hub.channels
    channel = channels[f"{APP.id}:news"]
    await marks.look(list(channels.values()))
    assert marks.rate(channel) is None, "one look says nothing"
    channel.audience.sent += 30
    clock.now += 2
    await marks.look(list(channels.values()))
    assert marks.rate(channel) == 15
    clock.now += WINDOW
    await marks.look(list(channels.values()))
    channel.audience.sent += 12
    clock.now += 1
    assert marks.rate(channel) == 42 / 6
    clock.now += FORGET
    await marks.look(list(channels.values()))
    assert marks.rate(channel) is None


async def test_a_channel_that_began_anew_has_no_rate_below_zero(here: Watched) -> None:
    clock = _Clock()
    marks = Marks(clock)
    await _fill(here, news=1)
    channel = here.node.hub.channels[f"{APP.id}:news"]
    channel.audience.sent = 50
    await marks.look([channel])
    clock.now += 2
    channel.audience.sent = 3
    assert marks.rate(channel) is None


@pytest.mark.parametrize("sort", ["rate", "subscriptions", "messages", "name"])
def test_equals_stand_by_name(sort: Sort) -> None:
    rows = [ChannelFigures(name=name, subscriptions=1, messages=1) for name in "cab"]
    assert [row.name for row in in_order(rows, sort, 2)] == ["a", "b"]


def test_the_console_is_there_once(here: Watched) -> None:
    with pytest.raises(ValueError, match="console"):
        Console(here.node.hub)
