"""Rosters: one message per topic, changed by compare-and-set.

Its data is the members, or nothing when there are none and it is about to be removed. Its headers carry the changes, and are
republished to whoever subscribes the topic in the order in which the stream took them; the version of a change is made of
the message's sequence and its place within.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

import msgspec

from kanal.realtime.brokers.base import Roster, RosterChange, RosterUpdate
from kanal.realtime.brokers.nats.jetstream import Edit, JetStream, Stored, header
from kanal.realtime.brokers.nats.names import Names

_CHANGES = "Kanal-Changes"
_VERSION = "Kanal-Version"
_SCALE = 1_000_000  # versions per message; more changes than members of a channel never come at once

Members = dict[str, tuple[bytes, list[str]]]
"""User to info and the nodes that are registered."""

_encode = msgspec.msgpack.encode
_decode_members = msgspec.msgpack.Decoder(Members).decode
_decode_changes = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode


def changes_in(sequence: int, block: bytes) -> list[RosterChange]:
    """What a message announces. Raises ``ValueError``."""
    changes = _decode_changes(base64.b64decode(header(block, _CHANGES.encode()) or b"kA=="))
    return [RosterChange(sequence * _SCALE + place, user, info) for place, (user, info) in enumerate(changes, 1)]


def _members(stored: Stored | None) -> Members:
    return _decode_members(stored.data) if stored is not None and stored.data else {}


def _version(stored: Stored | None) -> int:
    """Of the last change announced."""
    if stored is None:
        return 0
    before, number = (header(stored.headers, _VERSION.encode()) or b"0 0").split()
    return stored.sequence * _SCALE + int(number) if int(number) else int(before)


class Rosters:
    """All raise ``BrokerDown``."""

    def __init__(self, jetstream: JetStream, names: Names) -> None:
        self._jetstream = jetstream
        self._names = names

    async def read(self, topic: str, node: str) -> Roster:
        stored = await self._jetstream.last(self._names.state, self._names.roster(topic))
        members = _members(stored)
        own = frozenset(user for user, (_, nodes) in members.items() if node in nodes)
        return Roster(_version(stored), {user: info for user, (info, _) in members.items()}, own)

    async def update(
        self, topic: str, node: str, joins: Mapping[str, bytes], leaves: Sequence[str], limit: int
    ) -> RosterUpdate:
        refused: set[str] = set()

        def edit(members: Members) -> list[tuple[str, bytes | None]]:
            refused.clear()
            changes = [change for user in leaves if (change := _leave(members, user, node)) is not None]
            for user, info in joins.items():
                if user in members:
                    nodes = members[user][1]
                    if node not in nodes:
                        nodes.append(node)
                elif len(members) >= limit:
                    refused.add(user)
                else:
                    members[user] = (info, [node])
                    changes.append((user, info))
            return changes

        version = await self._change(topic, edit)
        return RosterUpdate(version, frozenset(refused))

    async def take_off(self, topic: str, node: str) -> None:
        def edit(members: Members) -> list[tuple[str, bytes | None]]:
            return [change for user in list(members) if (change := _leave(members, user, node)) is not None]

        await self._change(topic, edit)

    async def _change(self, topic: str, edit: Callable[[Members], list[tuple[str, bytes | None]]]) -> int:
        version = 0

        def attempt(stored: Stored | None) -> Edit | None:
            nonlocal version
            before = version = _version(stored)
            members = _members(stored)
            was = _encode(members)
            changes = edit(members)
            if _encode(members) == was:
                return None

            def done(sequence: int) -> None:
                nonlocal version
                version = sequence * _SCALE + len(changes) if changes else before

            fields: dict[str, str | int] = {_VERSION: f"{before} {len(changes)}"}
            if changes:
                fields[_CHANGES] = base64.b64encode(_encode(changes)).decode()
            return Edit(_encode(members) if members else b"", fields, done)

        await self._jetstream.change(self._names.state, self._names.roster(topic), attempt)
        return version


def _leave(members: Members, user: str, node: str) -> tuple[str, bytes | None] | None:
    """The change to announce, if it was the last node."""
    _, nodes = members.get(user, (b"", []))
    if node not in nodes:
        return None
    nodes.remove(node)
    if nodes:
        return None
    del members[user]
    return user, None
