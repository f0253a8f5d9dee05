"""Presence over several nodes whose links are slow and fail: what each client is told adds up to the truth.

At all times nobody joins who is there, nobody leaves who is not, nobody is told of the own user. When links are up and all is
quiet, everybody sees exactly the users who have a subscribed socket on a living node.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from kanal.realtime.apps import App
from kanal.realtime.hub import Hub
from tests.realtime.unsteady import Caller, Cluster, UnsteadyBroker
from tests.realtime.virtual_time import VirtualLoop

ROOM = "presence-room"
USERS = ("ayu", "budi", "citra", "dewi")
LONG = 120.0  # virtual seconds; graces, time-outs and what they start again are over by then
MAX_NODES = 3

T = TypeVar("T")


@dataclass(eq=False)
class Member:
    """One client, and the channel as it was told."""

    caller: Caller
    user: str
    wants: bool = True
    view: set[str] | None = None
    log: list[str] = field(default_factory=list)

    def hear(self) -> None:
        for message in self.caller.take():
            name = message["event"].rpartition(":")[2]
            self.log.append(f"{name} {message.get('data')}")
            if name == "subscription_succeeded":
                presence = json.loads(message["data"])["presence"]
                self.view = set(presence["ids"])
                assert presence["count"] == len(presence["ids"]) == len(presence["hash"])
                assert self.user in self.view
            elif name == "subscription_error":
                self.view, self.wants = None, False
            elif name in {"member_added", "member_removed"}:
                self._change(name, json.loads(message["data"])["user_id"])

    def _change(self, name: str, user: str) -> None:
        assert self.view is not None, self.log
        assert user != self.user, self.log
        if name == "member_added":
            assert user not in self.view, self.log
            self.view.add(user)
        else:
            assert user in self.view, self.log
            self.view.remove(user)


class Presence(RuleBasedStateMachine):
    limit = 100

    @initialize(seed=st.integers(0, 2**32), nodes=st.integers(1, MAX_NODES))
    def begin(self, seed: int, nodes: int) -> None:
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.app = App(id="1", key="k", secret="s", presence_max_members=self.limit, activity_timeout=10**6)
        self.cluster = Cluster(self.app, seed)
        self.members: list[Member] = []
        self.dead: list[UnsteadyBroker] = []
        for _ in range(nodes):
            self.do(self.cluster.start())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        result = self.runner.run(work)
        for member in self.members:
            member.hear()
        return result

    def brokers(self, *, up: bool) -> list[UnsteadyBroker]:
        return [self.cluster.broker(hub) for hub in self.cluster.hubs if hub.broker.connected is up]

    def a_hub(self, data: st.DataObject) -> Hub:
        return data.draw(st.sampled_from(self.cluster.hubs))

    def a_member(self, data: st.DataObject) -> Member:
        return data.draw(st.sampled_from(self.members))

    @precondition(lambda self: self.cluster.hubs)
    @rule(data=st.data(), user=st.sampled_from(USERS))
    def join(self, data: st.DataObject, user: str) -> None:
        hub = self.a_hub(data)

        async def act() -> None:
            member = Member(Caller(hub, self.app), user)
            self.members.append(member)
            self.ask(member)

        self.do(act())

    def ask(self, member: Member) -> None:
        member.wants = True
        member.caller.subscribe(ROOM, {"user_id": member.user, "user_info": {"on": member.caller.hub.broker.node}})

    @precondition(lambda self: self.members)
    @rule(data=st.data(), back=st.booleans())
    def leave(self, data: st.DataObject, back: bool) -> None:
        """And perhaps come back in the same breath."""
        member = self.a_member(data)

        async def act() -> None:
            member.caller.unsubscribe(ROOM)
            member.hear()
            member.view, member.wants = None, False
            if back:
                self.ask(member)

        self.do(act())

    @precondition(lambda self: any(not member.wants for member in self.members))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from([member for member in self.members if not member.wants]))

        async def act() -> None:
            self.ask(member)

        self.do(act())

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        member = self.a_member(data)
        self.members.remove(member)

        async def act() -> None:
            member.caller.close()

        self.do(act())

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.01, 0.3, 3.0, 12.0, 25.0]))
    def pass_time(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @precondition(lambda self: self.brokers(up=True))
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        broker = data.draw(st.sampled_from(self.brokers(up=True)))

        async def act() -> None:
            broker.cut()

        self.do(act())

    @precondition(lambda self: self.brokers(up=True))
    @rule(data=st.data(), commands=st.integers(1, 5))
    def falter(self, data: st.DataObject, commands: int) -> None:
        data.draw(st.sampled_from(self.brokers(up=True))).failures = commands

    @precondition(lambda self: self.brokers(up=False))
    @rule(data=st.data())
    def mend(self, data: st.DataObject) -> None:
        broker = data.draw(st.sampled_from(self.brokers(up=False)))

        async def act() -> None:
            broker.mend()

        self.do(act())

    @precondition(lambda self: self.brokers(up=True) and self.brokers(up=False))
    @rule(data=st.data())
    def take_for_dead(self, data: st.DataObject) -> None:
        """A node is away for so long that another takes it off the rosters."""
        gone, other = (data.draw(st.sampled_from(self.brokers(up=up))) for up in (False, True))

        async def act() -> None:
            gone.buried_by(other)

        self.do(act())

    @precondition(lambda self: len(self.brokers(up=True)) > 1)
    @rule(data=st.data())
    def take_the_living_for_dead(self, data: st.DataObject) -> None:
        """A node was silent for long, and its link has held."""
        silent = data.draw(st.sampled_from(self.brokers(up=True)))
        other = data.draw(st.sampled_from([each for each in self.brokers(up=True) if each is not silent]))

        async def act() -> None:
            silent.buried_by(other)
            silent.found_alive()

        self.do(act())

    @precondition(lambda self: len(self.cluster.hubs) > 1)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        hub = self.a_hub(data)
        self.dead.append(self.cluster.broker(hub))
        self.members = [member for member in self.members if member.caller.hub is not hub]
        self.do(self.cluster.kill(hub))

    @precondition(lambda self: self.dead and self.brokers(up=True))
    @rule(data=st.data())
    def bury(self, data: st.DataObject) -> None:
        other = data.draw(st.sampled_from(self.brokers(up=True)))

        async def act() -> None:
            self.dead.pop().buried_by(other)

        self.do(act())

    @precondition(lambda self: len(self.cluster.hubs) < MAX_NODES)
    @rule()
    def start_node(self) -> None:
        self.do(self.cluster.start())

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.do(self.settle())
            self.check()
        finally:
            self.runner.run(self.cluster.stop())
            self.runner.close()

    async def settle(self) -> None:
        for broker in self.brokers(up=False):
            broker.mend()
        while self.dead and self.brokers(up=True):
            self.dead.pop().buried_by(self.brokers(up=True)[0])
        await asyncio.sleep(LONG)

    def check(self) -> None:
        present = {member.user for member in self.members if member.wants}
        assert len(present) <= self.limit
        roster = self.cluster.bus.rosters.get(f"1:{ROOM}")
        registered = {} if roster is None else {user: frozenset(entry.nodes) for user, entry in roster.entries.items()}
        assert set(registered) == present, registered
        for member in self.members:
            assert member.view == (present if member.wants else None), member.log
        infos = [dict(hub.channels[f"1:{ROOM}"].attendance.members) for hub in self.cluster.hubs if hub.channels]  # type: ignore[union-attr]
        assert all(each == infos[0] for each in infos), infos
        for hub in self.cluster.hubs:
            here = [member for member in self.members if member.wants and member.caller.hub is hub]
            assert bool(hub.channels) is bool(here)
            assert bool(hub.rosters) is bool(here)


class SmallRoom(Presence):
    """After an outage there may be more users than fit: some are sent out, and everybody agrees on whom."""

    limit = 2


@pytest.mark.parametrize("machine", [Presence, SmallRoom])
def test_what_clients_are_told_adds_up(machine: type[RuleBasedStateMachine]) -> None:  # F-RT-02
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=checks,
            phases=[Phase.reuse, Phase.generate],  # to shrink takes longer than a test may; do it by hand
        ),
    )
