"""The event log: stored with the data, published after the commit, swept when that failed, on each database (F-OP-04)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from kanal.kit import clock, events
from kanal.kit.db import Base, Database
from kanal.kit.events import CATALOGUE, EventType, StoredEvent
from kanal.kit.events.models import Event
from kanal.kit.events.relay import KEEP, SWEEP_AFTER, Relay, prune
from kanal.kit.ids import new_id
from kanal.kit.jobs.models import Schedule
from kanal.kit.tenancy import across_tenants

EVERYWHERE = {"synchronize_session": False, **across_tenants("a test looks at everything")}


class Happened(msgspec.Struct):
    what: str


class Stop(Exception):
    """Ends a transaction."""


HAPPENED = EventType("test.happened", Happened, "For these tests.")


@dataclass
class Desk:
    """An outlet that notes what it is given. ``works``: True as it should, False when not everybody got it, None raises."""

    works: bool | None = True
    heard: list[StoredEvent] = field(default_factory=list)

    async def deliver(self, given: Sequence[StoredEvent]) -> bool:
        if self.works is None:
            raise Stop("the broker is gone")
        self.heard += given
        return self.works

    def words(self) -> list[str]:
        return [msgspec.json.decode(e.payload)["what"] for e in self.heard]


@dataclass
class House:
    database: Database
    desk: Desk
    relay: Relay

    async def tell(self, *words: str, **options: Any) -> None:
        async with self.database.transaction(new_id()) as session:
            for word in words:
                events.record(session, HAPPENED, Happened(word), channels=["private-a"], **options)

    async def log(self) -> list[Event]:
        async with self.database.reading(None) as session:
            return list(await session.scalars(sa.select(Event).order_by(Event.sequence), execution_options=EVERYWHERE))

    async def age(self, by: timedelta) -> None:
        async with self.database.transaction(None) as session:
            past = sa.update(Event).values(created_at=clock.now() - by)
            await session.execute(past, execution_options=EVERYWHERE)

    async def marks(self) -> list[int]:
        return [e.published for e in await self.log()]


@asynccontextmanager
async def open_house(url: str) -> AsyncIterator[House]:
    database, desk = Database(url), Desk()
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.transaction(None) as session:
        await session.execute(sa.delete(Event), execution_options=EVERYWHERE)
        await session.execute(sa.delete(Schedule), execution_options=EVERYWHERE)
    relay = Relay(database, desk)
    database.before_commit.append(events.store_pending)
    database.after_commit.append(relay.announce)
    yield House(database, desk, relay)
    await database.close()


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with open_house(database_url) as made:
        yield made


@pytest.fixture
async def home(sqlite_url: str) -> AsyncIterator[House]:
    async with open_house(sqlite_url) as made:
        yield made


async def test_an_event_is_stored_with_the_data_or_not_at_all(house: House) -> None:
    async def fail() -> None:
        async with house.database.transaction(None) as session:
            session.add(Schedule(name="data", next_at=clock.now()))
            events.record(session, HAPPENED, Happened("lost"), channels=["private-a"])
            raise Stop

    with pytest.raises(Stop):
        await fail()
    assert (await house.log(), house.desk.heard) == ([], [])
    await house.tell("kept", except_socket="1.2")
    (event,) = await house.log()
    assert (event.name, event.channels, event.payload, event.except_socket, event.published) == (
        "test.happened", '["private-a"]', '{"what":"kept"}', "1.2", 0,
    )  # fmt: skip


async def test_nothing_is_published_before_the_commit(house: House) -> None:
    async with house.database.transaction(None) as session:
        events.record(session, HAPPENED, Happened("x"), channels=["private-a"])
        await session.flush()
        assert house.desk.heard == []
    assert house.desk.words() == ["x"]


async def test_what_is_published_is_what_is_stored(house: House) -> None:
    words = [str(i) for i in range(250)]  # more than one INSERT
    await house.tell(*words)
    stored = await house.log()
    assert house.desk.words() == words
    assert [e.sequence for e in house.desk.heard] == sorted(e.sequence for e in stored)
    assert {e.sequence: e.id for e in house.desk.heard} == {e.sequence: e.id for e in stored}
    assert {e.sequence: e.payload for e in house.desk.heard} == {e.sequence: e.payload for e in stored}
    first = house.desk.heard[0]
    assert msgspec.json.decode(first.data()) == {"sequence": first.sequence, "id": str(first.id), "what": "0"}


async def test_what_went_out_is_marked(house: House) -> None:
    await house.tell("a", "b")
    assert await house.marks() == [0, 0]
    await house.relay.mark()
    assert await house.marks() == [1, 1]
    await house.age(SWEEP_AFTER * 2)
    assert await house.relay.sweep() == 0


@pytest.mark.parametrize("works", [None, False])
async def test_a_dead_broker_delays_and_never_loses(house: House, works: bool | None) -> None:
    """It is no error of whoever wrote the data, either."""
    house.desk.works = works
    await house.tell("late")
    await house.relay.mark()
    assert await house.marks() == [0]
    assert await house.relay.sweep() == 0, "a young event is still in the hands of its own process"
    await house.age(SWEEP_AFTER * 2)
    house.desk.works = True
    house.desk.heard.clear()
    assert await house.relay.sweep() == 1
    assert (house.desk.words(), await house.marks(), house.relay.swept) == (["late"], [1], 1)
    assert await house.relay.sweep() == 0


async def test_another_process_publishes_what_a_killed_one_left(house: House) -> None:
    house.database.after_commit.clear()  # killed between commit and publishing
    await house.tell("one", "two")
    await house.age(SWEEP_AFTER * 2)
    heir = Relay(house.database, Desk())
    assert await heir.sweep() == 2
    assert await house.marks() == [1, 1]


async def test_a_sweep_that_fails_is_repeated(home: House) -> None:
    home.desk.works = None
    await home.tell("x")
    await home.age(SWEEP_AFTER * 2)
    with pytest.raises(Stop):
        await home.relay.sweep()
    home.desk.works = True
    assert await home.relay.sweep() == 1


async def test_pruning_keeps_the_young_and_the_newest(house: House) -> None:
    await house.tell("old", "older than the next", "newest")
    await house.relay.mark()
    await house.age(KEEP + timedelta(minutes=1))
    assert await prune(house.database) == 2
    await house.tell("young")
    await house.relay.mark()
    assert await prune(house.database) == 1, "the newest one of before is not the newest any more"
    assert await prune(house.database) == 0


async def test_pruning_leaves_no_holes(house: House) -> None:
    """Behind an event that nobody has published yet nothing is removed: catch-up could not tell."""
    await house.tell("published", "unpublished", "published", "newest")
    log = await house.log()
    await house.age(KEEP + timedelta(minutes=1))
    async with house.database.transaction(None) as session:
        published = sa.update(Event).where(Event.sequence != log[1].sequence).values(published=1)
        await session.execute(published, execution_options=EVERYWHERE)
    assert await prune(house.database) == 1
    assert [e.sequence for e in await house.log()] == [e.sequence for e in log[1:]]


async def test_an_empty_log_is_pruned_too(home: House) -> None:
    assert await prune(home.database) == 0


async def test_an_event_carries_what_the_catalogue_says(home: House) -> None:
    async with home.database.transaction(None) as session:
        with pytest.raises(TypeError, match=r"test\.happened"):
            events.record(session, HAPPENED, msgspec.defstruct("Other", [("what", str)])("x"), channels=["a"])
    with pytest.raises(ValueError, match=r"test\.happened"):
        EventType("test.happened", Happened, "again")
    assert CATALOGUE["test.happened"] is HAPPENED


async def test_commands_to_the_socket_servers_have_no_channels(home: House) -> None:
    async with home.database.transaction(None) as session:
        events.terminate(session, "user:1")
        events.revoke(session, "presence-chat.1", "member:1:2")
    assert [(e.name, e.channels, msgspec.json.decode(e.payload)) for e in home.desk.heard] == [
        ("control.terminate", [], {"scope": "user:1", "code": 4009}),
        ("control.revoke", [], {"channel": "presence-chat.1", "scope": "member:1:2"}),
    ]


async def test_reactions_happen_in_the_same_transaction(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kanal.kit.events.log._REACTIONS", {})
    answered = EventType("test.answered", msgspec.defstruct("Answered", [("what", str)]), "For this test.")
    monkeypatch.delitem(CATALOGUE, "test.answered")

    async def answer(session: Any, happened: Happened) -> None:
        if happened.what == "bad":
            raise Stop
        events.record(session, answered, answered.payload(happened.what + "!"), channels=["private-a"])

    events.react_to(HAPPENED, answer)
    events.react_to(HAPPENED, answer)  # bound once, however often it is asked for
    await home.tell("good")
    assert home.desk.words() == ["good", "good!"]
    with pytest.raises(Stop):
        await home.tell("bad")
    assert len(await home.log()) == 2
