"""The number of subscriptions of one channel in the whole cluster, as its subscribers are told it.

Every node tells the others how many it has, on the channel's own topic, so only nodes with subscribers hear of it. Up to
a hundred subscriptions every change is told at once; above, at most every five seconds, by nodes and to clients.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from kanal.realtime.brokers.base import Broker, BrokerDown, Message

AT_ONCE = 100  # subscriptions up to which every change is told
INTERVAL = 5.0  # seconds between two counts above it; both are Pusher's documented behaviour
ANSWER_TIME = 0.3  # seconds in which the other nodes tell a newcomer what they have
MARK = b"t"  # first byte of what nodes say to each other here


class Share(msgspec.Struct, array_like=True, frozen=True):
    node: str
    count: int
    asks: bool
    """Wants to know what the others have."""


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Share).decode


class Host(Protocol):
    """The channel that is counted."""

    def tell_count(self, count: int) -> None:
        """To all subscribers on this node."""

    def observe_count(self, count: int) -> None:
        """One node of the cluster says it to those who look on."""


class Tally:
    """``changed`` for what happens here, ``heard`` for what other nodes say. ``open`` when the topic is subscribed."""

    __slots__ = (
        "_broker",
        "_host",
        "_next",
        "_own",
        "_posted",
        "_round",
        "_settled",
        "_shares",
        "_timer",
        "_told",
        "_topic",
    )

    def __init__(self, topic: str, broker: Broker, host: Host) -> None:
        self._topic = topic
        self._broker = broker
        self._host = host
        self._own = 0
        self._posted = 0
        self._told = 0
        self._shares: dict[str, tuple[int, int]] = {}  # of other nodes, with the round in which they said so
        self._round = 0
        self._settled = 0.0  # nothing is told before
        self._next = 0.0  # nothing above ``AT_ONCE`` is told before
        self._timer: asyncio.TimerHandle | None = None

    @property
    def total(self) -> int:
        return self._own + sum(count for count, _ in self._shares.values())

    async def open(self) -> None:
        """The newcomer asks, and says nothing to clients before the others had time to answer."""
        try:
            others = set(await self._broker.nodes()) - {self._broker.node}
        except BrokerDown:
            return
        if others:
            self._settled = asyncio.get_running_loop().time() + ANSWER_TIME
            self.ask()

    def ask(self) -> None:
        """Also after the broker was away: what was said meanwhile is lost. Who does not answer is for ``drop_silent``."""
        self._round += 1
        self._post(asks=True)

    def drop_silent(self) -> None:
        for node, (_, heard_in) in list(self._shares.items()):
            if heard_in != self._round:
                self.node_gone(node)

    def drop_others(self) -> None:
        """The broker has been away for long: the others no longer count us, nor we them."""
        self._shares.clear()
        self._schedule()

    def changed(self, own: int) -> None:
        """Subscriptions on this node."""
        self._own = own
        self._schedule()

    def joined(self, own: int) -> int | None:
        """Like ``changed``. Answers the count for the newcomer alone when the others are not told yet."""
        self._own = own
        told = self._schedule()
        return None if told or asyncio.get_running_loop().time() < self._settled else self.total

    def heard(self, payload: bytes) -> None:
        """Raises ``msgspec.MsgspecError`` for what no node says."""
        share = _decode(payload[len(MARK) :])
        if share.asks and self._own:
            self._post()
        if share.count:
            self._shares[share.node] = (share.count, self._round)
        else:
            self._shares.pop(share.node, None)
        self._schedule()

    def node_gone(self, node: str) -> None:
        if self._shares.pop(node, None) is not None:
            self._schedule()

    def close(self) -> None:
        """Nobody is left here."""
        self.stop()
        self._own = 0
        if self._posted:
            self._post()
        if not self._shares and self._told:
            self._host.observe_count(0)

    def stop(self) -> None:
        """Nothing is told any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> bool:
        loop = asyncio.get_running_loop()
        now = loop.time()
        few = max(self.total, self._told) <= AT_ONCE
        due = self._settled if few else max(self._settled, self._next)
        if now >= due:
            return self._say(now)
        if self._timer is None:
            self._timer = loop.call_at(due, self._overdue)
        return False

    def _overdue(self) -> None:
        self._timer = None
        self._say(asyncio.get_running_loop().time())

    def _say(self, now: float) -> bool:
        if self._own != self._posted:
            self._post()
        total = self.total
        if total == self._told:
            return False
        self._told = total
        self._next = now + INTERVAL
        self._host.tell_count(total)
        if self._speaks:
            self._host.observe_count(total)
        return True

    @property
    def _speaks(self) -> bool:
        """The first by name of the nodes that have subscribers says the count to observers; the last to go says 0."""
        return all(self._broker.node < node for node in self._shares) if self._own else not self._shares

    def _post(self, *, asks: bool = False) -> None:
        self._posted = self._own
        share = Share(self._broker.node, self._own, asks)
        self._broker.post([Message(self._topic, MARK + _encode(share))])
