"""Answers the console's questions. Knows nothing of how they came in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import msgspec

from kanal.realtime.apps import App
from kanal.realtime.console import errors
from kanal.realtime.console.busiest import Busiest, ChannelQuestion, ChannelReply, in_order
from kanal.realtime.console.figures import AppView, ChannelFigures, ChannelPage, ClusterFigures, NodeFigures, Sort
from kanal.realtime.console.gauge import Gauge
from kanal.realtime.console.poll import Poll, Replies
from kanal.realtime.console.tails import Tails
from kanal.realtime.hub import Hub
from kanal.realtime.protocol.errors import InvalidChannelName
from kanal.realtime.protocol.names import parse_channel_name

FRESH = 0.4  # seconds in which one look at the cluster serves everybody who asks

_encode = msgspec.msgpack.encode
_figures = msgspec.msgpack.Decoder(NodeFigures).decode
_channel_question = msgspec.msgpack.Decoder(ChannelQuestion).decode
_channel_reply = msgspec.msgpack.Decoder(ChannelReply).decode


class Console:
    """Made once for a hub, before it starts; ``close`` when the node goes away, or open tails keep it."""

    def __init__(self, hub: Hub) -> None:
        self.gauge = Gauge(hub)
        self.tails = Tails(hub)
        self._hub = hub
        self._busiest = Busiest(hub)
        self._figures = Poll(hub, "console", self._read)
        self._channels = Poll(hub, "console-channels", self._list)
        self._looking: asyncio.Task[ClusterFigures] | None = None
        self._looked = 0.0

    def close(self) -> None:
        self.tails.close()

    async def state(self) -> ClusterFigures:
        """What all nodes count. At most one look at a time, however many ask."""
        now = time.monotonic()
        if self._looking is None or (self._looking.done() and now - self._looked > FRESH):
            self._looking = asyncio.create_task(self._look())
            self._looked = now
        return await asyncio.shield(self._looking)

    async def channels(
        self, app_id: str, *, search: str = "", sort: Sort = "rate", offset: int = 0, limit: int = 50
    ) -> ChannelPage:
        """Channels with subscribers. Raises ``console.app_not_found``.

        Each node tells its own first ones; the figures of those on the page are then asked for by name, so they are whole
        even where some node would not have listed the channel.
        """
        self._check_app(app_id)
        first = offset + limit
        replies = await self._channels.ask(_encode(ChannelQuestion(app_id, search, sort, first)))
        parts = [_channel_reply(answer) for answer in replies.answers]
        found = _merged(parts)
        page = in_order(found, sort, first)[offset:]
        exact = len(parts) == 1 or all(part.matching <= first for part in parts)
        if not exact:
            page = await self._whole(app_id, sort, page)
        matching = max(len(found), *(part.matching for part in parts))
        return ChannelPage(items=page, matching=matching, exact=exact, alone=replies.alone, silent=replies.silent)

    def check_tail(self, app_id: str, channel: str) -> None:
        """Raises ``console.app_not_found``, ``console.channel_invalid`` or ``console.too_many_tails``."""
        self._check_app(app_id)
        try:
            parse_channel_name(channel)
        except InvalidChannelName as error:
            raise errors.channel_invalid() from error
        self.tails.check_room()

    async def tail(self, app_id: str, channel: str) -> AsyncGenerator[bytes]:
        """A stream of server-sent events, each data a ``TailBatch``. ``check_tail`` first.

        It begins with an empty batch once this node listens; close the iterator when the reader goes.
        """
        yield b"retry: 2000\n\n"
        async with aclosing(self.tails.follow(app_id, channel)) as batches:
            async for batch in batches:
                yield b": quiet\n\n" if batch is None else b"data: %b\n\n" % msgspec.json.encode(batch)

    def _check_app(self, app_id: str) -> None:
        if self._hub.apps.by_id(app_id) is None:
            raise errors.app_not_found()

    async def _look(self) -> ClusterFigures:
        replies = await self._figures.ask(b"")
        nodes = sorted((_figures(answer) for answer in replies.answers), key=lambda each: each.node)
        ids = {app_id for node in nodes for app_id in node.apps}
        return ClusterFigures(
            at=time.time_ns() // 1_000_000,
            node=self._hub.broker.node,
            alone=replies.alone,
            nodes=nodes,
            silent=replies.silent,
            apps=[_view(app) for app in self._hub.apps.all() if app.id in ids],
        )

    async def _whole(self, app_id: str, sort: Sort, page: list[ChannelFigures]) -> list[ChannelFigures]:
        names = [row.name for row in page]
        replies: Replies = await self._channels.ask(_encode(ChannelQuestion(app_id, "", sort, len(names), names)))
        return in_order(_merged(_channel_reply(answer) for answer in replies.answers), sort, len(names))

    async def _read(self, _question: bytes) -> bytes:
        return _encode(self.gauge.read())

    async def _list(self, question: bytes) -> bytes:
        return _encode(await self._busiest.answer(_channel_question(question)))


def _view(app: App) -> AppView:
    return AppView(app.id, app.enabled, app.max_connections)


def _merged(parts: Iterable[ChannelReply]) -> list[ChannelFigures]:
    """Rows of one channel on several nodes are one. Members of presence channels are the same ones on all nodes."""
    merged: dict[str, ChannelFigures] = {}
    for part in parts:
        for row in part.rows:
            known = merged.setdefault(row.name, row)
            if known is row:
                continue
            known.subscriptions += row.subscriptions
            known.messages += row.messages
            known.rate = None if known.rate is None and row.rate is None else (known.rate or 0) + (row.rate or 0)
            known.users = None if known.users is None and row.users is None else max(known.users or 0, row.users or 0)
    return list(merged.values())
