"""The way of one command through a cluster: it goes after its slot when that has moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kanal.realtime.brokers.redis.address import Address
from kanal.realtime.brokers.redis.connection import Answer, Command, OnAnswer, RedisError
from kanal.realtime.brokers.redis.link import Link
from kanal.realtime.brokers.redis.slots import redirection

_TRIES = 6  # over about 3 s
_FIRST_WAIT = 0.05  # seconds; doubles
_MAX_WAITING = 1_000  # commands that wait for a move to end; beyond that they fail

_MOVING = frozenset({"TRYAGAIN", "READONLY", "CLUSTERDOWN"})  # codes of a slot that is between two masters


@dataclass(slots=True)
class Roads:
    """The cluster, as commands see it."""

    links: Callable[[], Mapping[Address, Link]]
    owner: Callable[[bytes], Link | None]
    """Whose key it is."""
    outdated: Callable[[], None]
    """The map of slots is wrong."""
    refused: Callable[[RedisError], None]
    waiting: int = 0


class Trip:
    """Called with the answer, as the link's ``OnAnswer``."""

    __slots__ = ("_answer", "_command", "_key", "_link", "_roads", "_tries")

    def __init__(self, roads: Roads, key: bytes, command: Command, answer: OnAnswer | None) -> None:
        self._roads = roads
        self._key = key
        self._command = command
        self._answer = answer
        self._tries = 0
        self._link: Link | None = None

    def start(self) -> bool:
        return self._go(self._roads.owner(self._key))

    def _go(self, link: Link | None, *, asking: bool = False) -> bool:
        commands = None if link is None else link.commands
        if commands is None or commands.full:
            return False
        self._link = link
        self._tries += 1
        if asking:
            commands.send(("ASKING",), _ignored)
        commands.send(self._command, self)
        return True

    def __call__(self, given: Answer) -> None:
        if type(given) is RedisError:
            if self._tries < _TRIES and self._follow(given):
                return
            if self._answer is None:
                self._roads.refused(given)
        if self._answer is not None:
            self._answer(given)

    def _follow(self, error: RedisError) -> bool:
        """Whether it goes on: elsewhere at once, or once more in a while."""
        code = error.code
        if code not in _MOVING and code not in {"MOVED", "ASK"}:
            return False
        if code != "ASK":
            self._roads.outdated()
        if code not in _MOVING and self._link is not None and self._link.address is not None:
            target = self._roads.links().get(redirection(str(error), self._link.address))
            if self._go(target, asking=code == "ASK"):
                return True
        if self._roads.waiting >= _MAX_WAITING:
            return False
        self._roads.waiting += 1
        asyncio.get_running_loop().call_later(_FIRST_WAIT * 2**self._tries, self._again)
        return True

    def _again(self) -> None:
        self._roads.waiting -= 1
        if not self.start() and self._answer is not None:
            self._answer(ConnectionError("the slot's master is away"))


def _ignored(_: Answer) -> None:
    """What comes of ASKING shows in the answer that follows."""
