"""NATS as broker: core NATS for events, JetStream for all that is kept; one subscription per topic that has members here.

Streams, all in memory and named after the prefix: ``state`` (rosters, censuses, who stands in what; the last message of each
subject), ``alive`` (heartbeats, which expire), ``last`` (retained messages), ``log_…`` (see ``logs``).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from kanal.realtime.brokers.base import (
    HEARTBEAT,
    NODE_TTL,
    BrokerDown,
    CensusUpdate,
    Keep,
    Message,
    Past,
    Retained,
    Roster,
    RosterUpdate,
    Sink,
)
from kanal.realtime.brokers.complaints import Complaints
from kanal.realtime.brokers.nats.address import parse
from kanal.realtime.brokers.nats.connection import Connection
from kanal.realtime.brokers.nats.jetstream import JetStream, header
from kanal.realtime.brokers.nats.link import Link
from kanal.realtime.brokers.nats.logs import Logs, read_entry, read_events
from kanal.realtime.brokers.nats.membership import Membership
from kanal.realtime.brokers.nats.names import Names
from kanal.realtime.brokers.nats.rosters import Rosters, changes_in
from kanal.realtime.brokers.nats.sending import Sender
from kanal.realtime.endings import end

START_TIMEOUT = 3.0  # seconds that start() waits for the first contact
RETAINED_BYTES = 256 * 1024 * 1024  # of all retained messages; the oldest make room
RETAINED_SECONDS = 86_400.0  # a message that is to be kept for longer is not

log = structlog.get_logger(__name__)


class NatsBroker:
    """``node`` names the node to people; the broker adds chance, so that a restarted process is another node.

    While the server is away: ``publish`` answers ``False`` and drops, ``post`` drops, what raises ``BrokerDown`` does so at
    once. A server that hangs is given up after ten seconds of silence, a request after two. Events without history are
    delivered at most once. Raises ``ValueError`` for a wrong URL.
    """

    def __init__(
        self,
        url: str,
        *,
        node: str = "node",
        prefix: str = "kanal",
        heartbeat: float = HEARTBEAT,
        node_ttl: float = NODE_TTL,
    ) -> None:
        self._options = parse(url)
        self._node = f"{node.replace(',', '-')}.{secrets.token_hex(4)}"
        self._names = Names(prefix)
        self._heartbeat = heartbeat
        self._node_ttl = node_ttl
        self._jetstream = JetStream()
        self._rosters = Rosters(self._jetstream, self._names)
        self._logs = Logs(self._jetstream, self._names, self._options.replicas, self._spawn)
        self._membership = Membership(
            self._node, jetstream=self._jetstream, names=self._names, rosters=self._rosters, spawn=self._spawn
        )
        self._link = Link(
            self._options,
            self._node,
            opened=self._opened,
            came_up=self._came_up,
            restored=self._restored,
            went_down=self._went_down,
            refused=self._refused,
        )
        self._sender = Sender(self._link, self._jetstream, self._logs, self._names, self._refused)
        self._topics: set[str] = set()
        self._sink: Sink | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusals = Complaints("broker.refused", broker="nats")
        self._strange = Complaints("broker.bad_message", broker="nats")

    @property
    def node(self) -> str:
        return self._node

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def start(self, sink: Sink) -> None:
        self._sink = self._membership.sink = sink
        self._spawn(self._link.run())
        self._spawn(self._keep_beating())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._link.tried.wait(), START_TIMEOUT)

    async def stop(self) -> None:
        if self._link.connected:
            with contextlib.suppress(BrokerDown):
                await self._membership.bury(self._node)
        self._sink = self._membership.sink = None
        await end(self._tasks)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("broker.failed", broker="nats", exc_info=task.exception())

    # The connection

    def _opened(self, connection: Connection) -> None:
        self._jetstream.use(connection)

    def _went_down(self, was_up: bool) -> None:
        self._jetstream.lose(ConnectionError("connection lost"))
        self._logs.lose()
        self._membership.forget()
        if was_up and self._sink is not None:
            self._sink.lost()

    def _restored(self) -> None:
        if self._sink is not None:
            self._sink.restored()

    def _refused(self, error: str) -> None:
        self._refusals.add(error=error[:200])

    async def _create_streams(self) -> None:
        names, prefix = self._names, self._names.prefix
        common: dict[str, Any] = {
            "storage": "memory",
            "num_replicas": self._options.replicas,
            "max_msgs_per_subject": 1,
        }
        await self._jetstream.create(
            names.state,
            subjects=[f"{prefix}.{kind}.>" for kind in ("roster", "census", "member", "held")],
            republish={
                "src": f"{prefix}.roster.*",
                "dest": f"{prefix}.topic.{{{{wildcard(1)}}}}.roster",
                "headers_only": True,
            },
            **common,
        )
        await self._jetstream.create(
            names.alive, subjects=[f"{prefix}.alive.*"], max_age=int(self._node_ttl * 1e9), **common
        )
        await self._jetstream.create(
            names.last,
            subjects=[f"{prefix}.last.*"],
            max_age=int(RETAINED_SECONDS * 1e9),
            max_bytes=RETAINED_BYTES,
            **common,
        )

    async def _came_up(self) -> None:
        await self._create_streams()
        await self._beat()
        # Channels that emptied while the server was away still have this node on their rosters.
        for what in await self._membership.standing_in(self._node):
            if what[0] == "r" and what[1] not in self._topics:
                await self._rosters.take_off(what[1], self._node)
                await self._jetstream.purge(self._names.state, self._names.held(self._node, *what))

    async def _beat(self) -> bool:
        known, self._logs.skew = await self._membership.beat()
        return known

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            if not self._link.connected:
                continue
            try:
                known = await self._beat()
            except BrokerDown:
                continue  # the server's silence is noticed where it is heard
            if not known:  # we were silent so long that the others took us for dead
                self._membership.forget()
                self._restored()

    # Topics

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        self._topics.add(topic)
        return self._link.subscribe(self._names.topic(topic), partial(self._received, topic))

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)
        self._link.unsubscribe(self._names.topic(topic))
        if self._membership.listed("r", topic):
            self._spawn(self._leave(topic))

    async def _leave(self, topic: str) -> None:
        with contextlib.suppress(BrokerDown):  # coming back makes up for it
            await self._membership.leave("r", topic)

    def post(self, messages: Sequence[Message]) -> None:
        self._sender.post(messages)

    async def publish(self, messages: Sequence[Message]) -> bool:
        return await self._sender.publish(messages)

    async def retained(self, topic: str) -> Retained | None:
        return await self._sender.retained(topic)

    def _received(self, topic: str, subject: bytes, headers: bytes, payload: bytes) -> None:
        if self._sink is None:
            return
        try:
            self._deliver(self._sink, topic, subject.rpartition(b".")[2], headers, payload)
        except Exception as error:  # noqa: BLE001 - whatever a foreign message brings about, it is only that message
            self._strange.add(topic=topic[:200], error=repr(error)[:200])

    def _deliver(self, sink: Sink, topic: str, kind: bytes, headers: bytes, payload: bytes) -> None:
        if kind == b"event":
            sink.deliver(topic, payload, None)
            return
        sequence = int(header(headers, b"Nats-Sequence") or b"")
        if kind == b"log":
            entry = read_entry(sequence, headers)
            self._logs.heard((header(headers, b"Nats-Stream") or b"").decode(), topic, entry)
            for number, event in enumerate(read_events(payload), entry.first):
                sink.deliver(topic, event, f"{entry.epoch}-{number}")
        elif kind == b"roster":
            for change in changes_in(sequence, headers):
                sink.roster_changed(topic, change)

    # Kept things

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        return await self._logs.history(topic, after, keep)

    async def forget_history(self, topic: str) -> None:
        await self._logs.forget(topic)

    async def roster(self, topic: str) -> Roster:
        return await self._rosters.read(topic, self._node)

    async def update_roster(
        self, topic: str, joins: Mapping[str, bytes], leaves: Sequence[str], limit: int
    ) -> RosterUpdate:
        if not self._link.connected:
            raise BrokerDown("not connected")
        if joins:
            await self._membership.join("r", topic)
        return await self._rosters.update(topic, self._node, joins, leaves, limit)

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        return await self._membership.update_census(app_id, joins, leaves)

    async def nodes(self) -> list[str]:
        return await self._membership.alive()
