"""What the nodes of a cluster tell together, against a model that sees everything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kanal.realtime import occupancy
from kanal.realtime.brokers.base import Broker, BrokerDown, CensusUpdate
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.occupancy import GRACE, LINGER, RETRY, SURELY_ALIVE, Occupancy, member_name
from tests.realtime.virtual_time import run

LATENCIES = [0.1, 1.0]  # seconds, at most, each way between a node and the broker; a command takes two at most
BURIED_AFTER = 20.0
ROOM = "presence-room"
NAMES = ["news", ROOM, member_name(ROOM, "ayu")]


@pytest.fixture(autouse=True, scope="module")
def _clock() -> Iterator[None]:
    """The dates of changes follow the loop's clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occupancy, "_milliseconds", lambda: round(asyncio.get_running_loop().time() * 1e6))
        yield


@dataclass
class Told:
    name: str
    begun: bool
    at: int


@dataclass
class World:
    """The census, the nodes, and what was told."""

    chance: random.Random
    latency: float = LATENCIES[0]
    delays: list[float] = field(default_factory=list)
    """Those that do not happen by chance: there, back, there, back …"""
    up: bool = True
    incarnation: int = 0
    holders: dict[str, set[Node]] = field(default_factory=dict, repr=False)
    nodes: list[Node] = field(default_factory=list, repr=False)
    told: list[Told] = field(default_factory=list, repr=False)

    async def delay(self) -> None:
        await asyncio.sleep(self.delays.pop(0) if self.delays else self.chance.uniform(0, self.latency))

    def expect(self, incarnation: int) -> None:
        """A link does not outlive the broker it leads to."""
        if not self.up or incarnation != self.incarnation:
            raise BrokerDown

    def change(self, node: Node, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        last = [name for name in leaves if self.remove(node, name)]
        first = []
        for name in joins:
            holders = self.holders.setdefault(name, set())
            if not holders:
                first.append(name)
            holders.add(node)
        return CensusUpdate(tuple(first), tuple(last))

    def remove(self, node: Node, name: str) -> bool:
        """Whether nobody holds it now."""
        holders = self.holders.get(name, set())
        if holders != {node}:
            holders.discard(node)
            return False
        del self.holders[name]
        self.check_end(name)
        return True

    def check_end(self, name: str) -> None:
        """It ends only when nobody alive has had it for as long as names linger; what came meanwhile is on its way."""
        now = asyncio.get_running_loop().time()
        for node in self.nodes:
            if node.alive and not node.cut_off and name in node.entered:
                gone = name not in node.present and node.left.get(name, 0.0) <= now - LINGER + 1e-6
                on_its_way = node.entered[name] >= now - 4 * self.latency
                assert gone or on_its_way, f"{name} was told as ended while it was in use"

    def in_use(self, name: str) -> bool:
        return any(node.alive and name in node.present for node in self.nodes)

    def history(self, name: str) -> list[bool]:
        """As a receiver puts it together, who goes by the dates."""
        return [told.begun for told in sorted(self.told, key=lambda told: (told.at, told.begun)) if told.name == name]


class Node:
    def __init__(self, world: World) -> None:
        self.world = world
        self.connected = True
        self.alive = True
        self.cut_off = False  # the others cannot know what happens on it
        self.present: set[str] = set()
        self.entered: dict[str, float] = {}
        self.left: dict[str, float] = {}
        self.asked = 0
        self.questions = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()
        broker: Any = self
        self.occupancy = Occupancy("1", broker, self._tell, self.tasks.add)

    def _tell(self, name: str, begun: bool, at: int) -> None:
        if self.alive:
            self.world.told.append(Told(name, begun, at))

    async def update_census(self, _app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        self.asked += 1
        async with self.questions:
            return await self._ask(joins, leaves)

    async def answered(self) -> None:
        """Nothing is on its way to the broker and back."""
        async with self.questions:
            return

    async def _ask(self, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        """As the broker does it: the answer may be lost after the deed."""
        incarnation = self.world.incarnation
        await self.world.delay()
        if not self.alive:
            raise BrokerDown
        self.world.expect(incarnation)
        done = self.world.change(self, joins, leaves)
        await self.world.delay()
        self.world.expect(incarnation)
        return done

    def turn(self, name: str) -> None:
        """In, or out."""
        now = asyncio.get_running_loop().time()
        if name in self.present:
            self.present.discard(name)
            self.left[name] = now
            self.occupancy.leave(name)
        else:
            self.present.add(name)
            self.entered[name] = now
            self.occupancy.enter(name)

    def kill(self) -> None:
        self.alive = False
        self.occupancy.stop()
        for task in self.tasks:
            task.cancel()

    def lose(self) -> None:
        self.connected = False
        self.occupancy.lost()

    def restore(self) -> None:
        self.connected = True
        self.occupancy.restored()


def bury(world: World, dead: Node) -> None:
    names = [name for name in list(world.holders) if world.remove(dead, name)]
    alive = [node for node in world.nodes if node.alive]
    if names and alive:
        told = world.chance.choice(alive).occupancy.buried
        asyncio.get_running_loop().call_later(world.chance.uniform(0, world.latency), told, names)


TURN = st.tuples(st.just("turn"), st.integers(0, 3), st.sampled_from(NAMES))
WAIT = st.tuples(
    st.just("wait"), st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0, 2.5, LINGER - 0.01, LINGER, 3.2, 8.0]), st.none()
)
KILL = st.tuples(st.just("kill"), st.integers(0, 3), st.none())
SHORT_OUTAGE = st.tuples(st.just("outage"), st.sampled_from([0.05, 0.5, 3.0]), st.just(value=False))
OUTAGE = st.tuples(st.just("outage"), st.sampled_from([0.05, 1.0, 4.0, 9.0, 60.0]), st.booleans())
STEPS = st.lists(st.one_of(TURN, TURN, TURN, WAIT, WAIT), max_size=60)
WORLDS = st.builds(World, st.builds(random.Random, st.integers(0, 2**32)), st.sampled_from(LATENCIES))


async def play(world: World, steps: Sequence[tuple[str, Any, Any]], *, nodes: int = 4) -> None:
    """A node that was killed is replaced by a new one; in the end all that was going to happen has happened."""
    loop = asyncio.get_running_loop()
    world.nodes = [Node(world) for _ in range(nodes)]
    current = list(world.nodes)
    for what, number, more in steps:
        if what == "turn":
            current[number].turn(more)
        elif what == "wait":
            await asyncio.sleep(number)
        elif what == "kill":
            dead = current[number]
            await dead.answered()
            dead.kill()
            loop.call_later(BURIED_AFTER, bury, world, dead)
            current[number] = Node(world)
            world.nodes.append(current[number])
        elif what == "outage":
            await outage(world, number, loses_memory=more, nodes=current)
    await asyncio.sleep(BURIED_AFTER + GRACE + LINGER + 10 * world.latency)


async def outage(world: World, seconds: float, *, loses_memory: bool, nodes: Sequence[Node]) -> None:
    """The nodes come back one by one; clients come and go meanwhile, and just before."""
    world.chance.choice(nodes).turn(world.chance.choice(NAMES))
    await asyncio.sleep(world.chance.uniform(0, 2 * world.latency))
    world.up = False
    for node in nodes:
        node.lose()
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        world.chance.choice(nodes).turn(world.chance.choice(NAMES))
        await asyncio.sleep(world.chance.uniform(0, 2))
    world.incarnation += 1
    if loses_memory:
        world.holders.clear()
    world.up = True
    for node in world.chance.sample(list(nodes), len(nodes)):
        node.restore()
        await asyncio.sleep(world.chance.uniform(0, 1.5))
        world.chance.choice(nodes).turn(world.chance.choice(NAMES))
    await asyncio.sleep(6 * world.latency)


@settings(max_examples=300)
@given(WORLDS, STEPS)
def test_beginnings_and_ends_alternate_and_the_last_one_told_is_true(world: World, steps: list[Any]) -> None:
    async def story() -> None:
        await play(world, steps)
        for name in NAMES:
            history = world.history(name)
            assert history == [index % 2 == 0 for index in range(len(history))]
            assert bool(len(history) % 2) == world.in_use(name)

    run(story())


@settings(max_examples=300)
@given(WORLDS, st.lists(st.one_of(TURN, TURN, TURN, WAIT, WAIT, KILL), max_size=60))
def test_what_a_killed_node_held_is_told_by_those_who_bury_it(world: World, steps: list[Any]) -> None:
    """What it was about to tell when it died is lost; here it had the time to."""

    async def story() -> None:
        await play(world, steps)
        for name in NAMES:
            assert (world.history(name) or [False])[-1] == world.in_use(name)

    run(story())


@settings(max_examples=300)
@given(WORLDS, st.lists(st.one_of(TURN, TURN, TURN, WAIT, WAIT, OUTAGE), max_size=30))
def test_an_outage_of_the_broker_ends_nothing_and_afterwards_the_truth_is_told(world: World, steps: list[Any]) -> None:
    """``check_end`` has seen to it that nothing in use was told as ended. A beginning may be told twice, an end not."""

    async def story() -> None:
        await play(world, steps)
        for name in NAMES:
            history = world.history(name)
            assert (history or [False])[-1] == world.in_use(name)
            assert all(before or after for before, after in pairwise(history))

    run(story())


@settings(max_examples=300)
@given(WORLDS, st.lists(st.one_of(TURN, TURN, TURN, WAIT, WAIT, SHORT_OUTAGE), max_size=30))
def test_a_short_outage_that_forgets_nothing_is_not_noticed(world: World, steps: list[Any]) -> None:
    """As long as no two nodes have a channel at once, neither of which can know of the other, and all is answered in between."""

    async def story() -> None:
        await play(world, [(what, 0 if what == "turn" else number, more) for what, number, more in steps], nodes=1)
        for name in NAMES:
            history = world.history(name)
            assert history == [index % 2 == 0 for index in range(len(history))]
            assert bool(len(history) % 2) == world.in_use(name)

    run(story())


def test_a_node_that_was_cut_off_for_long_tells_its_channels_again() -> None:
    """The others may have told their end meanwhile: a channel that it alone has, or one that another had for a while."""

    async def story() -> None:
        world = World(random.Random(0))
        world.nodes = [Node(world), Node(world)]
        cut_off, other = world.nodes
        cut_off.turn("old")
        await asyncio.sleep(1)
        cut_off.cut_off = True
        cut_off.lose()
        cut_off.turn("news")
        other.turn("news")
        await asyncio.sleep(1)
        other.turn("news")
        await asyncio.sleep(SURELY_ALIVE)
        world.holders.pop("old")
        other.occupancy.buried(["old"])
        assert world.history("old") == [True, False]
        assert world.history("news")[-2:] == [True, False]
        cut_off.restore()
        await asyncio.sleep(1)
        assert world.history("old") == [True, False, True]
        assert world.history("news")[-2:] == [False, True]

    run(story())


def test_a_command_that_fails_on_a_link_that_stands_is_repeated() -> None:
    async def story() -> None:
        world = World(random.Random(0))
        world.nodes = [Node(world)]
        node = world.nodes[0]
        world.up = False
        node.turn("news")
        await asyncio.sleep(1)
        assert node.asked == 1
        assert world.history("news") == [True], "told although the census did not answer"
        assert not world.holders
        world.up = True
        await asyncio.sleep(RETRY + 1)
        assert set(world.holders) == {"news"}
        node.turn("news")
        await asyncio.sleep(LINGER + 1)
        assert world.history("news") == [True, False]

    run(story())


def test_after_an_outage_nothing_ends_before_the_other_nodes_are_back() -> None:
    async def story() -> None:
        world = World(random.Random(0))
        world.nodes = [Node(world), Node(world)]
        early, late = world.nodes
        early.turn("news")
        late.turn("news")
        await asyncio.sleep(1)
        early.turn("news")
        early.lose()
        late.lose()
        world.holders.clear()
        await asyncio.sleep(LINGER)
        early.restore()
        await asyncio.sleep(GRACE - 1)
        late.restore()
        await asyncio.sleep(GRACE + LINGER)
        assert [told.begun for told in world.told] == [True, True]
        assert world.holders == {"news": {late}}

    run(story())


def test_the_end_of_a_dead_nodes_channel_is_not_told_once_it_is_in_use_here() -> None:
    """The census may have said that it began here before it is heard that it ended there."""

    async def story() -> None:
        world = World(random.Random(0))
        world.nodes = [Node(world)]
        node = world.nodes[0]
        node.turn("news")
        await asyncio.sleep(1)
        node.occupancy.buried(["news", "other"])
        assert [(told.name, told.begun) for told in world.told] == [("news", True), ("other", False)]

    run(story())


def test_dates_tell_an_end_from_the_beginning_that_follows_on_another_node() -> None:
    """Although the node that ended it hears of that later than the other of its beginning."""

    async def story() -> None:
        world = World(random.Random(0), delays=[0.0, 0.0, 0.1, 1.0, 0.1, 0.1])
        world.nodes = [Node(world), Node(world)]
        one, two = world.nodes
        one.turn("news")
        await asyncio.sleep(1)
        one.turn("news")
        await asyncio.sleep(LINGER + 0.2)
        two.turn("news")
        await asyncio.sleep(5)
        assert [told.begun for told in world.told] == [True, True, False]
        assert world.history("news") == [True, False, True]

    run(story())


def test_who_comes_back_while_its_end_is_told_to_a_broker_that_goes_away_is_told_of() -> None:
    async def story() -> None:
        world = World(random.Random(0), delays=[0.0, 0.0, 0.5, 0.5])
        world.nodes = [Node(world)]
        node = world.nodes[0]
        node.turn("news")
        await asyncio.sleep(1)
        node.turn("news")
        await asyncio.sleep(LINGER + 0.2)
        node.lose()
        node.turn("news")
        await asyncio.sleep(1)
        assert world.history("news") == [True, False, True]
        node.restore()
        await asyncio.sleep(1)
        assert world.history("news") == [True, False, True]

    run(story())


def test_what_is_unanswered_when_the_broker_is_back_already_is_asked_again() -> None:
    async def story() -> None:
        world = World(random.Random(0), delays=[0.0, 0.0, 0.0, 0.0, 0.5])
        world.nodes = [Node(world)]
        node = world.nodes[0]
        node.turn("stays")
        await asyncio.sleep(0.1)
        node.turn("news")
        await asyncio.sleep(0.1)
        node.turn("news")
        await asyncio.sleep(LINGER + 0.1)
        world.incarnation += 1
        node.lose()
        node.restore()
        await asyncio.sleep(GRACE + LINGER)
        assert world.history("news") == [True, False]
        assert world.history("stays") == [True]

    run(story())


def test_what_ends_before_the_broker_has_answered_that_it_began_is_told_of_nevertheless() -> None:
    async def story() -> None:
        world = World(random.Random(0), delays=[2.0, 2.0])
        world.nodes = [Node(world)]
        node = world.nodes[0]
        for name in ("asked at once", "asked when that is answered"):
            node.turn(name)
            await asyncio.sleep(0.1)
            node.turn(name)
        await asyncio.sleep(10)
        assert world.history("asked at once") == [True, False]
        assert world.history("asked when that is answered") == [True, False]
        assert not world.holders

    run(story())


def test_who_comes_back_on_another_node_within_three_seconds_changes_nothing() -> None:
    async def story() -> None:
        world = World(random.Random(0))
        world.nodes = [Node(world), Node(world)]
        one, two = world.nodes
        one.turn("news")
        for _ in range(10):
            await asyncio.sleep(LINGER)
            one.turn("news")
            await asyncio.sleep(LINGER - 4 * world.latency)
            two.turn("news")
            one, two = two, one
        assert world.history("news") == [True]
        one.turn("news")
        await asyncio.sleep(LINGER + 4 * world.latency)
        assert world.history("news") == [True, False]

    run(story())


def test_a_channel_is_told_before_its_members_and_ends_after_them() -> None:
    async def story() -> None:
        told: list[tuple[str, bool]] = []
        broker: Broker = MemoryBroker()
        await broker.start(_Deaf())
        here = Occupancy("1", broker, lambda name, begun, _: told.append((name, begun)), lambda _: None)
        here.enter(ROOM)
        here.enter(member_name(ROOM, "ayu"))
        await asyncio.sleep(1)
        here.leave(ROOM)
        here.leave(member_name(ROOM, "ayu"))
        await asyncio.sleep(LINGER + 1)
        ayu = member_name(ROOM, "ayu")
        assert told == [(ROOM, True), (ayu, True), (ayu, False), (ROOM, False)]

    run(story())


def test_a_long_outage_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes and goes meanwhile without end is told as ended, the oldest first; what the census knows, later."""
    monkeypatch.setattr(occupancy, "MAX_UNSETTLED", 50)

    async def story() -> None:
        world = World(random.Random(0))
        world.nodes = [node] = [Node(world)]
        node.turn("known")
        await asyncio.sleep(1)
        node.turn("known")
        node.lose()
        for number in range(200):
            node.turn(f"visit-{number}")
            await asyncio.sleep(0.04)
            node.turn(f"visit-{number}")
        ended = [told.name for told in world.told if not told.begun]
        assert ended == [f"visit-{number}" for number in range(150)]
        node.restore()
        await asyncio.sleep(GRACE + LINGER + 1)
        assert world.history("known") == [True, False]
        assert all(world.history(f"visit-{number}") == [True, False] for number in range(200))

    run(story())


class _Deaf:
    """A sink that wants to know nothing."""

    def deliver(self, topic: str, payload: bytes, position: str | None) -> None: ...

    def roster_changed(self, topic: str, change: object) -> None: ...

    def node_gone(self, node: str) -> None: ...

    def census_left(self, app_id: str, names: Sequence[str]) -> None: ...

    def restored(self) -> None: ...

    def lost(self) -> None: ...
