"""What many clients do over a long time: presence that changes all the time, very many channels, and a day in minutes.

Each takes a running server and answers figures. Memory is what is resident, read from outside.
"""

import asyncio
import itertools
import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.figures import Figure, at_most
from bench.realtime.peer import Peer
from bench.realtime.prepared import signed_path
from bench.realtime.targets import Target

MANY = 50_000  # channels
ROUNDS = 8  # of coming and leaving; what grows without end grows in each
PER_SOCKET = 2_000  # of them, the default limit for a connection
WATCHERS, RESTLESS = 100, 20
ROOMS, DESKS, PRICES = 30_000, 200, 500  # channels of the day: public, presence, cache
VISITORS, STAYING = 50, 200
GROWTH_GOAL = 1.0  # percent, from the first to the last third of the time in which it is warm


def resident(target: Target) -> int:
    """KB."""
    status = Path(f"/proc/{target.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def many_channels(target: Target) -> list[Figure]:
    """Subscribes to 50,000 channels with one subscriber each, leaves them all, and does it again."""
    peers = [await Peer.connect(target) for _ in range(MANY // PER_SOCKET)]
    names = [[f"channel-{number}-{index}" for index in range(PER_SOCKET)] for number in range(len(peers))]
    before, started = resident(target), time.monotonic()
    seconds, full, empty = 0.0, [], []
    for _ in range(ROUNDS):
        await asyncio.gather(*(peer.subscribe(*mine) for peer, mine in zip(peers, names, strict=True)))
        seconds = seconds or time.monotonic() - started
        full.append(resident(target))
        for peer, mine in zip(peers, names, strict=True):
            peer.unsubscribe(*mine)
        await asyncio.gather(*(peer.settled() for peer in peers))
        empty.append(resident(target))
    for peer in peers:
        peer.leave()
    print(
        "memory with them and without: "
        + ", ".join(f"{a / 1024:.0f} {b / 1024:.0f} MB" for a, b in zip(full, empty, strict=True))
    )
    return [
        Figure(f"{MANY:,} channels: subscriptions", MANY / seconds, "per s"),
        Figure("– memory of a channel and its one subscription", (full[0] - before) / MANY * 1024, "bytes"),
        Figure(f"– the {ROUNDS}th time, over the second", (full[-1] - full[1]) / 1024, "MB"),
        Figure("– when all are left again, over none", (empty[-1] - before) / 1024, "MB"),
    ]


async def presence_churn(target: Target, seconds: float) -> list[Figure]:
    """Members come and go as fast as watchers are told of it, each time every one of them."""
    channel = "presence-churn"
    watchers = [await Peer.connect(target) for _ in range(WATCHERS)]
    for number, watcher in enumerate(watchers):
        await watcher.subscribe(channel, user=f"watcher-{number}")
    restless = [await Peer.connect(target) for _ in range(RESTLESS)]
    added, removed = "pusher_internal:member_added", "pusher_internal:member_removed"
    begun = [Counter(each.heard) for each in watchers]
    used, started = _processor_seconds(target), time.monotonic()
    visits = 0
    while time.monotonic() - started < seconds:
        visits += RESTLESS
        await asyncio.gather(*(peer.subscribe(channel, user=f"restless-{n}") for n, peer in enumerate(restless)))
        # Told before the next change: who leaves and comes back at once has, for the others, never left.
        await watchers[0].until(added, begun[0][added] + visits)
        for peer in restless:
            peer.unsubscribe(channel)
        await watchers[0].until(removed, begun[0][removed] + visits)
    await asyncio.gather(*(watcher.settled() for watcher in watchers))
    elapsed, used = time.monotonic() - started, _processor_seconds(target) - used
    wrong = sum(
        abs(watcher.heard[event] - before[event] - visits)
        for watcher, before in zip(watchers, begun, strict=True)
        for event in (added, removed)
    )
    for peer in (*watchers, *restless):
        peer.leave()
    return [
        Figure(f"presence: joins and leaves, {RESTLESS} at once, {WATCHERS} watching", 2 * visits / elapsed, "per s"),
        Figure("– for each second of the server's processor time", 2 * visits / used, "per s"),
        Figure("– told to watchers", 2 * visits * WATCHERS / elapsed, "messages/s"),
        at_most("– told too often or not at all", wrong, "messages", 0),
    ]


@dataclass
class Day:
    """What happened in it."""

    visits: int = 0
    calls: int = 0
    heard: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    samples: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since the beginning, KB."""


async def soak(target: Target, seconds: float) -> list[Figure]:
    """Visitors connect, enter rooms and presence channels, whisper, and go, half of them without a word; others stay; the
    backend publishes to rooms and prices all the time.

    The first third warms up: allocators, and the last events of cache channels, which are kept for half an hour.
    """
    day, chance = Day(), random.Random(1)
    staying = [await Peer.connect(target) for _ in range(STAYING)]
    for number, peer in enumerate(staying):
        await peer.subscribe(f"room-{number}", f"presence-desk-{number % DESKS}", user=f"clerk-{number}")
    started = time.monotonic()
    end = started + seconds
    tasks = [asyncio.create_task(_visit(target, day, chance, end)) for _ in range(VISITORS)]
    tasks.append(asyncio.create_task(_publish(target, day, chance, end)))
    while time.monotonic() < end:
        day.samples.append((time.monotonic() - started, resident(target)))
        await asyncio.sleep(seconds / 60)
    await asyncio.gather(*tasks)
    await asyncio.gather(*(peer.settled() for peer in staying))
    for peer in staying:
        day.heard += peer.heard
        day.lost += peer.lost
        peer.leave()
    return _figures(day, seconds)


async def _visit(target: Target, day: Day, chance: random.Random, end: float) -> None:
    for number in itertools.count():
        if time.monotonic() > end:
            return
        peer = await Peer.connect(target)
        desk = f"presence-desk-{chance.randrange(DESKS)}"
        rooms = {f"room-{chance.randrange(ROOMS)}" for _ in range(20)} | {f"cache-price-{chance.randrange(PRICES)}"}
        await peer.subscribe(desk, *rooms, user=f"visitor-{chance.randrange(10_000)}")
        peer.whisper(desk, "hello")
        await asyncio.sleep(chance.random() * 0.2)
        day.lost += peer.lost
        day.heard += peer.heard
        day.visits += 1
        peer.leave(orderly=number % 2 == 0)


async def _publish(target: Target, day: Day, chance: random.Random, end: float) -> None:
    """Batches of ten events, one call after another."""
    path = f"/apps/{target.credentials.app_id}/batch_events"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{target.port}", trust_env=False) as http:
        while time.monotonic() < end:
            names = [f"room-{chance.randrange(STAYING)}" for _ in range(8)]
            names += [f"cache-price-{chance.randrange(PRICES)}" for _ in range(2)]
            batch = [{"channel": name, "name": "said", "data": "x" * chance.randrange(1, 2_000)} for name in names]
            body = json.dumps({"batch": batch}).encode()
            answer = await http.post(signed_path(target, path, body, str(int(time.time()))), content=body)
            answer.raise_for_status()
            day.calls += 1
            await asyncio.sleep(0.01)


def _figures(day: Day, seconds: float) -> list[Figure]:
    warm = [(at, kb) for at, kb in day.samples if at > seconds / 3]
    slope = statistics.linear_regression([at for at, _ in warm], [kb for _, kb in warm]).slope  # KB per second
    minutes = [f"{at / 60:.1f} min {kb / 1024:.1f} MB" for at, kb in day.samples[:: max(1, len(day.samples) // 12)]]
    print("memory: " + ", ".join(minutes), file=sys.stderr)
    level = statistics.mean(kb for _, kb in warm)
    per_visits = slope * seconds / max(day.visits, 1)
    return [
        Figure(f"a day in {seconds / 60:g} min: visits", day.visits, "connections"),
        Figure("– messages that clients were sent", sum(day.heard.values()), "messages"),
        Figure("– events published", 10 * day.calls, "events"),
        at_most("– connections that the server lost", day.lost, "connections", 0),
        Figure("– memory, when warm", level / 1024, "MB"),
        Figure("– slope of memory, when warm", slope * 60 / 1024, "MB/min"),
        Figure("– the same for each visit", per_visits * 1024, "bytes"),
        at_most("– from the first warm third to the last", _change(warm), "%", GROWTH_GOAL),
    ]


def _change(samples: Sequence[tuple[float, int]]) -> float:
    """Percent between the medians of the first and the last third."""
    third = max(1, len(samples) // 3)
    first, last = (statistics.median(kb for _, kb in part) for part in (samples[:third], samples[-third:]))
    return (last - first) / first * 100


def _processor_seconds(target: Target) -> float:
    fields = Path(f"/proc/{target.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
