"""*Snapshot + events, in any order and repeated, = fresh snapshot*; and what catch-up promises (F-UI-03, F-OP-04)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from random import Random
from typing import Any, Protocol
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kanal.identity.access import WorkspaceAccess
from kanal.identity.rules import Role
from kanal.kit import clock
from kanal.kit.errors import KanalError
from kanal.kit.events import catchup
from kanal.kit.events.models import Event
from kanal.kit.events.relay import KEEP, prune
from kanal.kit.tenancy import across_tenants
from kanal.rooms import actions, message_actions, queries
from tests.rooms.reducer import Client, Json, listed
from tests.support.world import World, open_world


class Stage:
    """Three people, and whatever rooms and messages a history makes."""

    def __init__(self, world: World, people: list[WorkspaceAccess], rooms: Sequence[UUID] = ()) -> None:
        self.world = world
        self.people = people
        self.rooms = list(rooms)
        self.messages: list[UUID] = []

    def room(self, i: int) -> UUID:
        return self.rooms[i % len(self.rooms)]

    def message(self, i: int) -> UUID:
        return self.messages[i % len(self.messages)]


class Step(Protocol):
    """Something that one of the people does; ``i`` and ``j`` pick what it is done to."""

    def __call__(
        self, stage: Stage, who: WorkspaceAccess, other: WorkspaceAccess, i: int, j: int
    ) -> Awaitable[Any]: ...


async def send(stage: Stage, who: WorkspaceAccess, other: WorkspaceAccess, i: int, j: int) -> None:
    body = ("hello", f"<@{other.user_id}> **look**", "<@all>", "x" * 300)[j % 4]
    stage.messages.append(UUID((await stage.world.say(who, stage.room(i), body)).id))


async def reply(stage: Stage, who: WorkspaceAccess, other: WorkspaceAccess, i: int, j: int) -> None:
    async with stage.world.database.hot(who.workspace_id) as reader:
        parent = await queries.readable_message(reader, stage.message(i), who.user_id)
    body = f"<@{other.user_id}>" if j % 2 else "reply"
    sent = await stage.world.say(who, parent.room_id, body, parent_id=str(parent.id))
    stage.messages.append(UUID(sent.id))


STEPS: dict[str, Step] = {
    "send": send,
    "send more": send,
    "reply": reply,
    "edit": lambda s, w, o, i, j: s.world.do(
        message_actions.edit_message, w, s.message(i), f"edited <@{o.user_id}> {j}"
    ),
    "delete": lambda s, w, o, i, j: s.world.do(message_actions.delete_message, w, s.message(i)),
    "react": lambda s, w, o, i, j: s.world.do(message_actions.react, w, s.message(i), "👍🎉"[j % 2], add=j % 3 > 0),
    "join": lambda s, w, o, i, j: s.world.do(actions.join_room, w, s.room(i)),
    "leave": lambda s, w, o, i, j: s.world.do(actions.leave_room, w, s.room(i)),
    "add": lambda s, w, o, i, j: s.world.do(actions.add_members, w, s.room(i), [str(o.user_id)]),
    "remove": lambda s, w, o, i, j: s.world.do(actions.remove_member, w, s.room(i), o.user_id),
    "rename": lambda s, w, o, i, j: s.world.do(actions.change_room, w, s.room(i), name=f"Name {j}", topic=f"T{j}"),
    "hide": lambda s, w, o, i, j: s.world.do(
        actions.change_room, w, s.room(i), visibility=("public", "private")[j % 2], archived=j % 5 == 0
    ),
    "read": lambda s, w, o, i, j: s.world.do(actions.mark_read, w, s.room(i), j),
    "star": lambda s, w, o, i, j: s.world.do(
        actions.change_membership, w, s.room(i), starred=j % 2 == 0, notify=("all", "mentions", "none")[j % 3]
    ),
}
History = list[tuple[str, int, int, int, int]]
HISTORY = st.lists(
    st.tuples(
        st.sampled_from(sorted(STEPS)), st.integers(0, 2), st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)
    ),
    min_size=4,
    max_size=25,
)


async def play(stage: Stage, history: History) -> None:
    """What may not be done is not done."""
    for name, who, other, i, j in history:
        with suppress(KanalError):
            await STEPS[name](stage, stage.people[who], stage.people[other], i, j)


async def open_stage(world: World) -> Stage:
    sari = await world.found()
    budi, rin = await world.member(sari), await world.member(sari, Role.ADMIN, "Rin")
    stage = Stage(world, [sari, budi, rin])
    opened = [await world.room(sari, budi), await world.room(budi, rin, visibility="private"), await world.room(rin)]
    opened.append(await world.do(actions.open_direct, sari, [str(budi.user_id)]))
    stage.rooms = [UUID(room.id) for room in opened]
    for who, room in zip((sari, budi, rin, budi), stage.rooms, strict=True):
        stage.messages.append(UUID((await world.say(who, room, "first")).id))
    return stage


class Api:
    """Reads as one person, over HTTP."""

    def __init__(self, http: httpx.AsyncClient, who: WorkspaceAccess) -> None:
        self.http = http
        self.base = f"/api/v1/workspaces/{who.workspace_id}"

    async def get(self, path: str, **query: Any) -> Json:
        answer = await self.http.get(self.base + path, params=query)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    async def rooms(self) -> Json:
        return await self.get("/chat/rooms")

    async def members(self, room: str) -> list[Json]:
        items: list[Json] = (await self.get(f"/chat/rooms/{room}/members"))["items"]
        return items

    async def messages(self, room: str) -> list[Json]:
        """The whole room, with its threads."""
        lines: list[Json] = (await self.get(f"/chat/rooms/{room}/messages", limit=100))["items"]
        for line in [m for m in lines if m["reply_count"]]:
            lines += (await self.get(f"/chat/messages/{line['id']}/thread", limit=100))["items"]
        return lines

    async def events(self, after: int, limit: int = 500) -> tuple[list[Json], int]:
        """All pages."""
        found: list[Json] = []
        while True:
            page = await self.get("/events", after=after, limit=limit)
            found += page["events"]
            assert page["cursor"] >= after
            after = page["cursor"]
            if not page["more"]:
                return found, after


async def load(api: Api, me: str) -> tuple[Client, int]:
    """A fresh client that has looked at everything."""
    client = Client(me)
    listed_rooms = await api.rooms()
    client.load(listed_rooms["items"])
    for room in listed_rooms["items"]:
        client.load_members(room["id"], await api.members(room["id"]))
        client.load_messages(await api.messages(room["id"]))
    return client, listed_rooms["cursor"]


def check(client: Client, fresh: Client, rooms: list[Json], stayed: set[str]) -> None:
    """What the client made of events is what a fresh look shows; in detail for the rooms that it was in all the time."""
    assert client.shown() == {room["id"]: listed(room) for room in rooms}
    for room in stayed:
        assert client.people(room) == fresh.people(room)
        assert in_room(client, room) == in_room(fresh, room)


def in_room(client: Client, room: str) -> dict[str, Json]:
    return {id_: m for id_, m in client.messages.items() if m["room_id"] == room}


# Without Phase.shrink, which would take minutes: add it to see the shortest history that fails.
@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(histories=st.tuples(HISTORY, HISTORY, HISTORY), watcher=st.integers(0, 2), random=st.randoms())
def test_snapshot_and_events_are_the_fresh_snapshot(
    migrated_sqlite: str, histories: tuple[History, History, History], watcher: int, random: Random
) -> None:
    before, during, later = histories

    async def story() -> None:
        async with open_world(migrated_sqlite) as world:
            stage = await open_stage(world)
            await play(stage, before)
            me = stage.people[watcher]
            async with await world.client(me) as http:
                api = Api(http, me)
                client, cursor = await load(api, str(me.user_id))
                stayed = set(client.shown())
                await play(stage, during)
                missed, cursor = await api.events(cursor)
                await play(stage, later)
                rest, _ = await api.events(cursor)
                missed += rest
                stayed -= {e["data"]["room_id"] for e in missed if e["name"] == "room.left"}
                missed += random.choices(missed, k=len(missed) // 2) if missed else []
                random.shuffle(missed)
                for event in missed:
                    client.apply(event)
                fresh, _ = await load(api, str(me.user_id))
                check(client, fresh, (await api.rooms())["items"], stayed)

    asyncio.run(story())


async def test_catch_up_gives_everything_page_by_page(world: World) -> None:
    """Whatever the size of a page, and with the last seconds before the cursor again."""
    stage = await open_stage(world)
    me = stage.people[1]
    async with await world.client(me) as http:
        api = Api(http, me)
        cursor = (await api.rooms())["cursor"]
        said = [(await world.say(stage.people[0], stage.rooms[0], f"{i}")).id for i in range(25)]
        events: list[Json] = []
        for limit in (1, 7, 500):
            events, end = await api.events(cursor, limit)
            assert set(said) <= {e["data"]["message"]["id"] for e in events if e["name"] == "message.sent"}
            sequences = [e["sequence"] for e in events]
            assert sequences[0] <= cursor, "the last seconds come again"
            assert max(sequences) <= end
        assert all(e["data"]["sequence"] == e["sequence"] and e["data"]["id"] == e["id"] for e in events)


@asynccontextmanager
async def committing_late(world: World, work: Callable[[World], Awaitable[Any]]) -> AsyncIterator[None]:
    """This work has taken the numbers of its events when the block begins, and commits when it ends."""
    stored, resume = asyncio.Event(), asyncio.Event()

    async def hold(_session: object) -> None:
        stored.set()
        await resume.wait()

    async with open_world(str(world.database.url.render_as_string(hide_password=False))) as slow:
        slow.database.before_commit.append(hold)
        late = asyncio.ensure_future(work(slow))
        try:
            await stored.wait()
            yield
        finally:
            resume.set()
            await late


async def test_an_event_committed_late_is_not_missed(world: World) -> None:
    """It took its number before the cursor and became visible after it (F-OP-04)."""
    if world.database.dialect == "sqlite":
        return  # one writer: numbers and commits have one order
    stage = await open_stage(world)
    sari, budi = stage.people[:2]
    async with await world.client(budi) as http:
        api = Api(http, budi)
        async with committing_late(world, lambda slow: slow.do(actions.change_room, sari, stage.rooms[0], name="Late")):
            await world.say(budi, stage.rooms[3], "quick")
            cursor = (await api.rooms())["cursor"]
        events, _ = await api.events(cursor)
        overtaken = [e for e in events if e["name"] == "room.updated" and e["sequence"] < cursor]
        assert [e["data"]["room"]["name"] for e in overtaken] == ["Late"]


@pytest.mark.parametrize("late", ["add", "remove", "star"])
async def test_whoever_joins_or_leaves_late_is_in_or_out(world: World, late: str) -> None:
    """The snapshot's cursor is above the number of the event, and what the event tells is not in the snapshot."""
    if world.database.dialect == "sqlite":
        return  # one writer: numbers and commits have one order
    stage = await open_stage(world)
    sari, budi, rin = stage.people
    room = stage.rooms[2] if late == "add" else stage.rooms[0]
    who = {"add": rin, "remove": sari, "star": budi}[late]
    async with await world.client(budi) as http:
        api = Api(http, budi)
        async with committing_late(world, lambda slow: STEPS[late](Stage(slow, stage.people, [room]), who, budi, 0, 0)):
            await world.say(budi, stage.rooms[3], "quick")
            client, cursor = await load(api, str(budi.user_id))
        events, _ = await api.events(cursor)
        assert [e["sequence"] for e in events if e["sequence"] < cursor and e["name"] != "message.sent"]
        for event in events:
            client.apply(event)
        assert client.shown() == {one["id"]: listed(one) for one in (await api.rooms())["items"]}


async def test_nobody_gets_events_of_rooms_they_are_not_in(world: World) -> None:
    stage = await open_stage(world)
    sari, budi, _ = stage.people
    elsewhere = await open_stage(world)
    async with await world.client(sari) as http:
        api = Api(http, sari)
        before, cursor = await api.events(0)
        await world.say(budi, stage.rooms[1], "behind closed doors")
        await world.do(actions.change_membership, budi, stage.rooms[0], starred=True, notify=None)
        await world.say(elsewhere.people[0], elsewhere.rooms[0], "in another workspace")
        after, _ = await api.events(cursor)
        mine = {f"presence-chat.{stage.rooms[0]}", f"presence-chat.{stage.rooms[3]}"}
        mine |= {f"presence-workspace.{sari.workspace_id}", f"private-user.{sari.workspace_id}.{sari.user_id}"}
        for event in (*before, *after):
            assert set(event["channels"]) <= mine
        assert not [e for e in after if e["sequence"] > cursor]


async def test_a_cursor_beyond_the_log_means_start_anew(home: World) -> None:
    """410 after what was missed has been pruned, and for a number from another database (F-OP-04)."""
    stage = await open_stage(home)
    me = stage.people[0]
    async with await home.client(me) as http:
        api = Api(http, me)
        old = (await api.rooms())["cursor"]
        await home.say(me, stage.rooms[0], "missed")
        await home.say(me, stage.rooms[0], "the newest stays, to tell how far the log once reached")
        everything = sa.update(Event).values(created_at=clock.now() - KEEP - timedelta(hours=1), published=1)
        async with home.database.transaction(None) as session:
            await session.execute(
                everything, execution_options={"synchronize_session": False, **across_tenants("time flies")}
            )
        assert await prune(home.database) > 0
        newest = (await api.rooms())["cursor"]
        for cursor, status in ((old, 410), (newest + 1, 410), (newest, 200), (newest - 1, 200)):
            answer = await http.get(f"{api.base}/events", params={"after": cursor})
            assert answer.status_code == status, cursor
            if status == 410:
                assert answer.json()["error"]["code"] == "event.cursor_expired"


async def test_the_overlap_is_ten_seconds(home: World) -> None:
    stage = await open_stage(home)
    me = stage.people[0]
    async with await home.client(me) as http:
        api = Api(http, me)
        cursor = (await api.rooms())["cursor"]
        ago = clock.now() - catchup.OVERLAP - timedelta(minutes=5)  # however long the lines above took
        async with home.database.transaction(None) as session:
            await session.execute(
                sa.update(Event).where(Event.sequence < cursor).values(created_at=ago),
                execution_options={"synchronize_session": False, **across_tenants("time flies")},
            )
        events, _ = await api.events(cursor)
        assert [e["sequence"] for e in events if e["sequence"] < cursor] == []
