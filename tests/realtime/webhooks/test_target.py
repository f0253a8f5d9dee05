"""Delivery to one address: in order, in batches, again and again, within limits. Times are shortened, not their relations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import structlog.testing

from kanal.realtime.apps import Webhook
from kanal.realtime.webhooks import backlog
from kanal.realtime.webhooks.http import Address
from kanal.realtime.webhooks.stats import WebhookStats
from kanal.realtime.webhooks.target import Pace, Target, seconds_of
from tests.realtime.harness import APP, until
from tests.realtime.webhooks.receiver import Receiver, receiving

FAST = Pace(window=0.05, answer=2.0, first_retry=0.02, longest_retry=0.1, give_up=60.0)

Make = Callable[..., Target]


@pytest.fixture
async def make(receiver: Receiver) -> AsyncIterator[Make]:
    """Makes targets at the receiver that end with the test."""
    made: list[Target] = []

    def target(pace: Pace = FAST, *, url: str = "", **headers: str) -> Target:
        webhook = Webhook(url=url or receiver.url, headers=headers)
        address = Address(webhook.url, webhook.headers)
        made.append(Target(APP, webhook, address, WebhookStats(), tasks.add, pace=pace))
        return made[-1]

    tasks: set[asyncio.Task[None]] = set()
    yield target
    for each in made:
        await each.close()


def event(number: int) -> bytes:
    return b'{"name":"client_event","number":%d}' % number


def numbers(receiver: Receiver) -> list[int]:
    return [told["number"] for told in receiver.events]


async def test_a_request_is_what_pusher_documents(make: Make, receiver: Receiver) -> None:
    """The receiver has checked the signature."""
    before = datetime.now(UTC).timestamp() * 1000
    make(**{"X-Team": "blue"}).put(event(1))
    await receiver.has(1)
    [request] = receiver.requests
    content = json.loads(request.body)
    assert content.keys() == {"time_ms", "events"}
    assert before - 1 <= content["time_ms"] <= datetime.now(UTC).timestamp() * 1000
    assert content["events"] == [{"name": "client_event", "number": 1}]
    assert request.headers["x-pusher-key"] == APP.key
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Kanal/")
    assert request.headers["x-team"] == "blue"


async def test_what_happens_within_the_window_shares_a_request(make: Make, receiver: Receiver) -> None:
    target = make(replace(FAST, window=0.5))
    for number in range(50):
        target.put(event(number))
        await asyncio.sleep(0)
    await receiver.has(50)
    assert len(receiver.requests) == 1
    assert numbers(receiver) == list(range(50))


async def test_a_full_batch_does_not_wait(make: Make, receiver: Receiver) -> None:
    target = make(replace(FAST, window=3600.0))
    target.put(event(0))
    await asyncio.sleep(0.05)
    for number in range(1, backlog.BATCH_EVENTS):
        target.put(event(number))
    await receiver.has(backlog.BATCH_EVENTS)


async def test_ten_thousand_events_arrive_in_order_over_one_connection(make: Make, receiver: Receiver) -> None:
    target = make()
    for number in range(10_000):
        target.put(event(number))
    await receiver.has(10_000)
    assert numbers(receiver) == list(range(10_000))
    assert len(receiver.requests) == 100
    assert len({request.port for request in receiver.requests}) == 1
    await target.flush()
    assert target.stats == WebhookStats(sent=10_000, requests=100)


async def test_what_is_refused_is_sent_again_unchanged_and_what_follows_waits(make: Make, receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (404, {}), (302, {"location": receiver.url})]
    target = make()
    target.put(event(1))
    await until(lambda: len(receiver.refused) > 0)
    target.put(event(2))
    await receiver.has(2)
    assert numbers(receiver) == [1, 2]
    assert {request.body for request in receiver.refused} == {receiver.requests[0].body}
    await target.flush()
    assert target.stats == WebhookStats(sent=2, requests=5, failed=3, retried=3)


async def test_a_receiver_that_is_down_for_a_while_misses_nothing(make: Make) -> None:
    async with receiving(APP) as receiver:
        target = make(url=receiver.url)
        target.put(event(0))
        await receiver.has(1)
    for number in range(1, 501):
        target.put(event(number))
        await asyncio.sleep(0)
    await until(lambda: target.stats.failed > 3)
    async with receiving(APP, receiver.port) as again:
        await again.has(500)
        assert numbers(again) == list(range(1, 501))
    assert target.stats.dropped == 0


async def test_an_event_that_is_refused_for_too_long_is_dropped_and_counted(make: Make, receiver: Receiver) -> None:
    receiver.answers = [(500, {})] * 1000
    target = make(replace(FAST, give_up=0.5))
    with structlog.testing.capture_logs() as logs:
        target.put(event(1))
        await until(lambda: target.stats.dropped == 1)
        receiver.answers = []
        target.put(event(2))
        await receiver.has(1)
    assert numbers(receiver) == [2]
    assert [line["event"] for line in logs] == ["webhook.failed", "webhook.dropped"]
    assert logs[1]["url"] == receiver.url
    assert (logs[1]["why"], logs[1]["events"]) == ("refused", 1)
    await target.flush()
    assert (target.stats.sent, target.stats.dropped, target.stats.waiting) == (1, 1, 0)


async def test_what_grew_too_old_behind_it_goes_with_it(make: Make, receiver: Receiver) -> None:
    """A receiver that comes back after an hour hears of the last minutes, not of an hour ago."""
    receiver.answers = [(500, {})] * 1000
    target = make(replace(FAST, give_up=0.3, longest_retry=1.0, first_retry=1.0))
    for number in range(3 * backlog.BATCH_EVENTS):
        target.put(event(number))
    await until(lambda: target.stats.dropped == 3 * backlog.BATCH_EVENTS)
    assert target.stats.requests < 5
    await target.flush()
    assert target.stats.waiting == 0


async def test_a_full_queue_loses_its_oldest_and_says_so_once(
    make: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MAX_EVENTS", 500)
    receiver.ready.clear()
    target = make(replace(FAST, answer=60.0))
    with structlog.testing.capture_logs() as logs:
        target.put(event(0))
        await until(lambda: target.stats.requests == 1)
        for number in range(1, 1001):
            target.put(event(number))
        receiver.ready.set()
        await receiver.has(501)
    assert numbers(receiver) == [0, *range(501, 1001)]
    assert [(line["event"], line["why"]) for line in logs] == [("webhook.dropped", "full")]
    await target.flush()
    assert (target.stats.sent, target.stats.dropped, target.stats.waiting) == (501, 500, 0)


async def test_a_slow_receiver_delays_nobody_else(make: Make, receiver: Receiver) -> None:
    async with receiving(APP) as slow:
        slow.ready.clear()
        late, prompt = make(replace(FAST, answer=60.0), url=slow.url), make()
        for number in range(3):
            late.put(event(number))
            prompt.put(event(number))
            await receiver.has(number + 1)
        assert slow.requests == []
        slow.ready.set()
        await slow.has(3)


async def test_retry_after_is_honoured(make: Make, receiver: Receiver) -> None:
    receiver.answers = [(503, {"retry-after": "1"})]
    target = make()
    target.put(event(1))
    await until(lambda: len(receiver.refused) == 1)
    refused = asyncio.get_running_loop().time()
    await receiver.has(1)
    assert asyncio.get_running_loop().time() - refused > 0.9


async def test_retry_after_does_not_outlast_the_limit(make: Make, receiver: Receiver) -> None:
    """The last attempt is made when the limit is reached."""
    receiver.answers = [(503, {"retry-after": "86400"})]
    target = make(replace(FAST, give_up=0.5))
    target.put(event(1))
    await receiver.has(1)
    assert len(receiver.refused) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("٣", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("9" * 5000, 999999999),
    ],
)
def test_retry_after_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("offset", ["+0000", "-0000", "+0200"])
def test_retry_after_may_be_a_date(offset: str) -> None:
    at = datetime.now(UTC) + timedelta(minutes=5) + (timedelta(hours=2) if offset == "+0200" else timedelta())
    text = format_datetime(at.replace(tzinfo=None)).replace("-0000", offset)
    assert seconds_of(text) == pytest.approx(300, abs=5)


def test_pauses_double_up_to_half_a_minute_and_are_never_the_same() -> None:
    pace = Pace()
    pauses = [[pace.retry_after(failures) for _ in range(200)] for failures in range(1, 100)]
    for failures, some in enumerate(pauses):
        full = min(30.0, 0.5 * 2**failures)
        assert full / 2 <= min(some) < max(some) <= full


async def test_the_key_that_the_app_has_now_signs(make: Make, receiver: Receiver) -> None:
    receiver.answers = [(500, {})]
    target = make(replace(FAST, first_retry=0.5, longest_retry=0.5))
    target.put(event(1))
    await until(lambda: len(receiver.refused) == 1)
    target.app = replace(APP, key="new-key", secret="new-secret")
    receiver.secret = "new-secret"
    await receiver.has(1)
    assert receiver.requests[0].headers["x-pusher-key"] == "new-key"


async def test_an_idle_connection_is_closed_and_made_again(make: Make, receiver: Receiver) -> None:
    target = make(replace(FAST, idle=0.1))
    target.put(event(1))
    await receiver.has(1)
    await asyncio.sleep(0.4)
    target.put(event(2))
    await receiver.has(2)
    assert len({request.port for request in receiver.requests}) == 2


async def test_flush_waits_for_nobody(make: Make, receiver: Receiver) -> None:
    target = make(replace(FAST, window=3600.0))
    await target.flush()
    target.put(event(1))
    async with asyncio.timeout(5):
        await target.flush()
    assert numbers(receiver) == [1]


async def test_close_drops_what_waits_and_what_is_under_way(make: Make, receiver: Receiver) -> None:
    receiver.answers = [(500, {})] * 100
    target = make(replace(FAST, first_retry=30.0))
    for number in range(backlog.BATCH_EVENTS + 1):
        target.put(event(number))
    await until(lambda: target.stats.failed == 1)
    await target.close()
    assert (target.stats.dropped, target.stats.waiting) == (backlog.BATCH_EVENTS + 1, 0)
    await target.flush()
