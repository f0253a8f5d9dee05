"""Looking on at one channel. F-RT-11."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack

from kanal.realtime.console.figures import TailBatch, TailedEvent
from kanal.realtime.console.tails import BURST, MAX_DATA, MAX_TAILS, RATE, Tail
from kanal.realtime.protocol import frames
from kanal.realtime.publisher import Publication
from tests.realtime.console.conftest import Watched
from tests.realtime.harness import APP, WAIT, until


async def _collect(batches: object, number: int) -> list[TailedEvent]:
    """So many events, shown or dropped."""
    events: list[TailedEvent] = []
    async with asyncio.timeout(WAIT):
        async for batch in batches:  # type: ignore[attr-defined]
            events += batch.events
            assert batch.seen == len(events) + batch.dropped
            if batch.seen >= number:
                return events
    raise AssertionError("the tail ended")


async def test_events_of_a_channel_that_nobody_is_subscribed_to(here: Watched) -> None:
    async with here.tail(APP.id, "news") as batches:
        await here.node.hub.publish([Publication(APP.id, "news", "said", '{"text":"halo ☕"}')])
        await here.node.hub.publish([Publication(APP.id, "other", "said", "elsewhere")])
        await here.node.hub.publish([Publication(APP.id, "news", "said", "plain")])
        events = await _collect(batches, 2)
    assert [(each.event, each.data) for each in events] == [("said", '{"text":"halo ☕"}'), ("said", "plain")]


async def test_client_events_and_who_sent_them(here: Watched) -> None:
    client = await here.node.member("presence-room", "ayu")
    async with here.tail(APP.id, "presence-room") as batches:
        client.send("client-typing", {"on": True}, "presence-room")
        (event,) = await _collect(batches, 1)
    assert (event.event, json.loads(event.data), event.user_id) == ("client-typing", {"on": True}, "ayu")


async def test_events_of_another_node(pair: tuple[Watched, Watched]) -> None:
    one, two = pair
    async with one.tail(APP.id, "news") as batches:
        await _subscribed(one, two)
        await two.node.hub.publish([Publication(APP.id, "news", "said", "from afar")])
        async for batch in batches:
            if any(event.data == "from afar" for event in batch.events):
                break


async def _subscribed(one: Watched, two: Watched) -> None:
    """The broker of the one sends it what the other publishes: seen on another listener of the same topic."""
    heard: list[bytes] = []
    stop = one.node.hub.listen(APP.id, "news", heard.append)
    async with asyncio.timeout(WAIT):
        while not heard:
            await two.node.hub.publish([Publication(APP.id, "news", "probe", "")])
            await asyncio.sleep(0.05)
    stop()


async def test_the_node_stops_listening_when_the_reader_goes(here: Watched) -> None:
    async with here.tail(APP.id, "news"):
        assert len(here.console.tails) == 1
    await until(lambda: len(here.console.tails) == 0)
    assert not here.node.hub._exchange.listened(f"{APP.id}:news")


async def test_tails_end_when_the_node_goes_away(here: Watched) -> None:
    async with here.tail(APP.id, "news") as batches:
        here.console.close()
        async with asyncio.timeout(WAIT):
            assert [batch async for batch in batches if batch.events] == []


async def test_only_so_many_at_once(here: Watched) -> None:
    async with AsyncExitStack() as stack:
        for number in range(MAX_TAILS):
            await stack.enter_async_context(here.tail(APP.id, f"news-{number}"))
        answer = await here.http.get("/console/api/tail", params={"app": APP.id, "channel": "one-more"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "console.too_many_tails")
    await until(lambda: len(here.console.tails) == 0)
    async with here.tail(APP.id, "one-more"):
        pass


async def test_names_that_no_channel_has_are_refused(here: Watched) -> None:
    for app, channel, status in ((APP.id, "", 400), (APP.id, "a b", 400), (APP.id, "x" * 201, 400), ("0", "a", 404)):
        answer = await here.http.get("/console/api/tail", params={"app": app, "channel": channel})
        assert answer.status_code == status


# Bounds, without a server


class _Source:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.say: Callable[[bytes], None] = lambda _text: None

    def listen(self, _app_id: str, _channel: str, callback: Callable[[bytes], None]) -> Callable[[], None]:
        self.say = callback
        return lambda: None


def _text(data: str) -> bytes:
    return frames.event("said", "news", frames.string_token(data))


async def test_a_flood_is_counted_and_a_second_later_there_is_room_again() -> None:
    source, now = _Source(), [0.0]
    with Tail(source, APP.id, "news", clock=lambda: now[0]) as tail:
        batches = tail.batches()
        assert await anext(batches) == TailBatch(events=[], seen=0, dropped=0)
        for number in range(BURST + 1_000):
            source.say(_text(str(number)))
        batch = await anext(batches)
        assert batch is not None
        assert [event.data for event in batch.events] == [str(number) for number in range(BURST)]
        assert (batch.seen, batch.dropped) == (BURST + 1_000, 1_000)
        now[0] += 1
        for _ in range(RATE + 7):
            source.say(_text("again"))
        batch = await anext(batches)
        assert batch is not None
        assert (len(batch.events), batch.dropped) == (RATE, 1_007)
        await batches.aclose()


async def test_memory_is_bounded_while_nobody_fetches() -> None:
    source, now = _Source(), [0.0]
    with Tail(source, APP.id, "news", clock=lambda: now[0]) as tail:
        for _ in range(10 * BURST):
            now[0] += 1
            source.say(_text("x"))
        assert len(tail._waiting) == BURST
        assert tail.dropped == 9 * BURST


async def test_long_data_is_cut_and_its_length_told() -> None:
    source = _Source()
    with Tail(source, APP.id, "news") as tail:
        batches = tail.batches()
        await anext(batches)
        source.say(_text("x" * (MAX_DATA + 5)))
        batch = await anext(batches)
        assert batch is not None
        (event,) = batch.events
        assert (len(event.data), event.size, event.cut) == (MAX_DATA, MAX_DATA + 5, True)
        await batches.aclose()
