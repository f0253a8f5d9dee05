"""The busiest channels of one app on this node."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from kanal.realtime.channels import Channel
from kanal.realtime.console.figures import ChannelFigures, Sort
from kanal.realtime.hub import Hub

WINDOW = 3.0  # seconds over which rates are taken, at least
FORGET = 30.0  # seconds after which nobody is looking any more
AT_ONCE = 1_000  # channels looked at in one turn of the event loop: two milliseconds


class ChannelQuestion(msgspec.Struct, array_like=True, frozen=True):
    app: str
    search: str
    """Part of the name, in any case."""
    sort: Sort
    first: int
    """How many, from the top."""
    names: list[str] | None = None
    """These and no others."""


class ChannelReply(msgspec.Struct, array_like=True, frozen=True):
    rows: list[ChannelFigures]
    matching: int


def in_order(rows: Iterable[ChannelFigures], sort: Sort, first: int) -> list[ChannelFigures]:
    """The first so many. Among equals, the busier by other means, then by name."""
    return heapq.nsmallest(first, rows, key=lambda row: _rank(row, sort))


def _rank(row: ChannelFigures, sort: Sort) -> tuple[float, float, float, str]:
    if sort == "name":
        return (0, 0, 0, row.name)
    rate, subscriptions, messages = -(row.rate or 0), -row.subscriptions, -row.messages
    if sort == "rate":
        return (rate, subscriptions, messages, row.name)
    if sort == "messages":
        return (messages, subscriptions, rate, row.name)
    return (subscriptions, rate, messages, row.name)


def sent_on(channel: Channel) -> int:
    """To both audiences: those who follow positions have one of their own."""
    return channel.audience.sent + (0 if channel.recovery is None else channel.recovery.audience.sent)


class Marks:
    """What each channel had sent at some moment in the last seconds. Kept only while somebody looks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._older: tuple[float, dict[str, int]] | None = None
        self._newer: tuple[float, dict[str, int]] | None = None
        self._taking = False

    async def look(self, channels: list[Channel]) -> None:
        """Take a new mark when the last one is old enough."""
        now = self._clock()
        if self._newer is not None and now - self._newer[0] > FORGET:
            self._older = self._newer = None
        if self._taking or (self._newer is not None and now - self._newer[0] < WINDOW):
            return
        self._taking = True
        try:
            taken: dict[str, int] = {}
            for part in _in_parts(channels):
                taken.update({each.topic: sent_on(each) for each in part})
                await asyncio.sleep(0)
            self._older, self._newer = self._newer, (now, taken)
        finally:
            self._taking = False

    def rate(self, channel: Channel) -> float | None:
        mark = self._older or self._newer
        if mark is None:
            return None
        seconds = self._clock() - mark[0]
        sent = sent_on(channel) - mark[1].get(channel.topic, 0)
        return sent / seconds if seconds >= 0.5 and sent >= 0 else None


class Busiest:
    def __init__(self, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._marks = Marks(clock)

    async def answer(self, question: ChannelQuestion) -> ChannelReply:
        channels = list(self._hub.channels.values())
        await self._marks.look(channels)
        if question.names is not None:
            topics = (f"{question.app}:{name}" for name in question.names)
            found = [channel for topic in topics if (channel := self._hub.channels.get(topic)) is not None]
            return ChannelReply([self._row(channel) for channel in found], len(found))
        best: list[ChannelFigures] = []
        matching = 0
        for part in _in_parts(channels):
            rows = [self._row(channel) for channel in part if _fits(channel, question)]
            matching += len(rows)
            best = in_order([*best, *rows], question.sort, question.first)
            await asyncio.sleep(0)
        return ChannelReply(best, matching)

    def _row(self, channel: Channel) -> ChannelFigures:
        return ChannelFigures(
            name=channel.name.text,
            subscriptions=channel.size,
            messages=sent_on(channel),
            rate=self._marks.rate(channel),
            users=None if channel.attendance is None else len(channel.attendance.members),
        )


def _fits(channel: Channel, question: ChannelQuestion) -> bool:
    return (
        channel.app.id == question.app and bool(channel.size) and question.search.lower() in channel.name.text.lower()
    )


def _in_parts(channels: list[Channel]) -> Iterator[list[Channel]]:
    for start in range(0, len(channels), AT_ONCE):
        yield channels[start : start + AT_ONCE]
