"""What can happen to a message after it was sent, on each database (F-RO-02)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from kanal.files.models import File
from kanal.identity.rules import Role
from kanal.kit.ids import NIL
from kanal.rooms import actions, message_actions, queries, rules, search
from kanal.rooms.message_routes import NEWEST
from kanal.rooms.models import Message, MessageMention
from kanal.rooms.schemas import MessageView, Timeline
from tests.files import samples
from tests.support.world import World, blames, refuses

Attempt = Callable[[], Awaitable[object]]


async def age(world: World, who: Any, message: MessageView, by: timedelta) -> None:
    async with world.database.transaction(who.workspace_id) as session:
        stored = await session.get_one(Message, (who.workspace_id, UUID(message.id)))
        stored.created_at -= by


async def found(world: World, who: Any, text: str, **where: Any) -> list[str]:
    async with world.database.hot(who.workspace_id) as reader:
        hits = await search.find(
            reader, who.user_id, text, room_id=where.get("room"), author_id=where.get("author"), before=NEWEST
        )
    assert hits is not None
    return [m.body for m in hits[0]]


async def timeline(world: World, who: Any, room: str, **where: Any) -> Timeline:
    where = {"before": None, "after": None, "around": None, "size": 10, **where}
    async with world.database.hot(who.workspace_id) as reader:
        return msgspec.json.decode(await queries.timeline(reader, UUID(room), **where), type=Timeline)


class TestEditing:
    async def test_the_text_changes_in_its_place(self, world: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        sent = await world.say(sari, room.id, "kopi")
        edited = await world.do(message_actions.edit_message, sari, UUID(sent.id), " teh \x00")
        assert (edited.body, edited.sequence, edited.version) == ("teh", sent.sequence, 2)
        assert edited.edited_at is not None
        events = await world.events(sari, "message.updated", "room.updated")
        assert [name for name, _, _ in events] == ["room.updated", "message.updated"]
        assert events[0][2]["room"]["last_message"]["preview"] == "teh"
        assert events[1][2]["message"] == msgspec.to_builtins(edited)
        assert await found(world, sari, "kopi") == []
        assert await found(world, sari, "teh") == ["teh"]

    async def test_the_same_text_is_no_change(self, home: World) -> None:
        sari = await home.found()
        sent = await home.say(sari, (await home.room(sari)).id, "same")
        again = await home.do(message_actions.edit_message, sari, UUID(sent.id), " same ")
        assert (again.version, again.edited_at) == (1, None)

    async def test_only_ones_own_and_for_a_day(self, home: World) -> None:
        sari = await home.found()
        admin = await home.member(sari, Role.ADMIN)
        room = await home.room(sari, admin)
        sent = await home.say(sari, room.id)
        with refuses("message.not_own"):
            await home.do(message_actions.edit_message, admin, UUID(sent.id), "x")
        await age(home, sari, sent, rules.EDIT_WINDOW + timedelta(seconds=1))
        with refuses("message.edit_window"):
            await home.do(message_actions.edit_message, sari, UUID(sent.id), "x")

    async def test_an_edit_leaves_something_to_see(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari)
        bare = await home.say(sari, room.id)
        with blames("body", "message.empty"):
            await home.do(message_actions.edit_message, sari, UUID(bare.id), " ")
        with blames("body", "message.too_long"):
            await home.do(message_actions.edit_message, sari, UUID(bare.id), "\U0001d160" * 8000)
        shown = await home.say(sari, room.id, "caption", attachment_ids=[str(await home.upload(sari))])
        assert (await home.do(message_actions.edit_message, sari, UUID(shown.id), "")).body == ""

    async def test_system_lines_are_nobodys(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari)
        assert room.last_message is not None
        line = UUID(room.last_message.id)
        attempts: list[Attempt] = [
            lambda: home.do(message_actions.edit_message, sari, line, "x"),
            lambda: home.do(message_actions.delete_message, sari, line),
            lambda: home.do(message_actions.react, sari, line, "👍", add=True),
        ]
        for attempt in attempts:
            with refuses("message.not_own"):
                await attempt()

    async def test_edits_at_once_are_applied_one_after_the_other(self, world: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        id_ = UUID((await world.say(sari, room.id)).id)
        edited = await asyncio.gather(
            *(world.do(message_actions.edit_message, sari, id_, f"text {i}") for i in range(5))
        )
        assert sorted(m.version for m in edited) == [2, 3, 4, 5, 6]


class TestDeleting:
    async def test_the_place_stays_and_whom_it_mentioned_and_everything_else_goes(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        file = await world.upload(sari)
        body = f"rahasia <@{budi.user_id}> <@all>"
        sent = await world.say(sari, room.id, body, attachment_ids=[str(file)])
        await world.do(message_actions.react, budi, UUID(sent.id), "👍", add=True)
        gone = await world.do(message_actions.delete_message, sari, UUID(sent.id))
        assert (gone.sequence, gone.body, gone.attachments, gone.reactions) == (sent.sequence, "", [], [])
        assert gone.mentions == sent.mentions == [str(budi.user_id), "all"]
        assert gone.deleted_at is not None
        assert await found(world, budi, "rahasia") == []
        async with world.database.reading(sari.workspace_id) as session:
            left = sa.select(MessageMention).where(MessageMention.room_id == UUID(room.id))
            assert (await session.scalars(left)).all() == []
            assert await session.get(File, (sari.workspace_id, file)) is None
        told = (await world.events(sari, "room.updated"))[-1][2]["room"]["last_message"]
        assert (told["kind"], told["preview"], told["attachments"]) == ("deleted", "", 0)

    async def test_whoever_knows_a_count_can_tell_whether_it_has_the_message(self, world: World) -> None:
        """The version of what is deleted is above that of the room when it was counted, and below any later count's."""
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        for changes in (0, 9):  # a message may have changed more often than its room
            sent = await world.say(sari, room.id, f"<@{budi.user_id}>")
            for i in range(changes):
                await world.do(message_actions.edit_message, sari, UUID(sent.id), f"{i} <@{budi.user_id}>")
            before = await world.do(actions.change_membership, budi, UUID(room.id), starred=True, notify=None)
            gone = await world.do(message_actions.delete_message, sari, UUID(sent.id))
            after = await world.do(actions.change_membership, budi, UUID(room.id), starred=False, notify=None)
            assert before.membership is not None
            assert after.membership is not None
            assert (before.membership.unread, after.membership.unread) == (1, 0)
            assert before.version < gone.version <= after.version
            told = [p["room_version"] for _, _, p in await world.events(sari, "membership.updated")]
            assert told[-2:] == [before.version, after.version]

    async def test_deleting_twice_is_no_error_and_no_change(self, world: World) -> None:
        sari = await world.found()
        id_ = UUID((await world.say(sari, (await world.room(sari)).id)).id)
        first = await world.do(message_actions.delete_message, sari, id_)
        assert await world.do(message_actions.delete_message, sari, id_) == first
        attempts: list[Attempt] = [
            lambda: world.do(message_actions.edit_message, sari, id_, "back"),
            lambda: world.do(message_actions.react, sari, id_, "👍", add=True),
        ]
        for attempt in attempts:
            with refuses("message.deleted"):
                await attempt()

    async def test_ones_own_or_as_owner_or_admin(self, home: World) -> None:
        sari = await home.found()
        budi, rin = await home.member(sari), await home.member(sari, name="Rin")
        admin = await home.member(sari, Role.ADMIN)
        room = await home.room(budi, rin)
        mine, theirs = await home.say(rin, room.id), await home.say(budi, room.id)
        with refuses("message.not_own"):
            await home.do(message_actions.delete_message, rin, UUID(theirs.id))
        await home.do(message_actions.delete_message, budi, UUID(mine.id))
        await home.do(message_actions.delete_message, admin, UUID(theirs.id))

    async def test_also_in_an_archived_room(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari)
        id_ = UUID((await home.say(sari, room.id)).id)
        await home.do(actions.change_room, sari, UUID(room.id), archived=True)
        with refuses("room.archived"):
            await home.do(message_actions.react, sari, id_, "👍", add=True)
        await home.do(message_actions.delete_message, sari, id_)


class TestReacting:
    async def test_reacting_is_idempotent(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        id_ = UUID((await world.say(sari, room.id)).id)
        for _ in range(2):
            shown = await world.do(message_actions.react, sari, id_, "👍", add=True)
        shown = await world.do(message_actions.react, budi, id_, "👍", add=True)
        assert (shown.version, len(shown.reactions)) == (3, 1)
        assert shown.reactions[0].user_ids == [str(sari.user_id), str(budi.user_id)]
        for _ in range(2):
            shown = await world.do(message_actions.react, sari, id_, "👍", add=False)
        assert (shown.version, shown.reactions[0].user_ids) == (4, [str(budi.user_id)])

    async def test_emoji_that_look_alike_to_a_collation_stay_apart(self, world: World) -> None:
        sari = await world.found()
        id_ = UUID((await world.say(sari, (await world.room(sari)).id)).id)
        shown = await world.do(message_actions.react, sari, id_, "🍣", add=True)
        for emoji in ("🍺", "👍", "👍🏽"):
            shown = await world.do(message_actions.react, sari, id_, emoji, add=True)
        assert [r.emoji for r in shown.reactions] == ["🍣", "🍺", "👍", "👍🏽"]

    async def test_reactions_at_once_are_all_kept(self, world: World) -> None:
        sari = await world.found()
        crowd = [await world.member(sari, name=f"P{i}") for i in range(4)]
        room = await world.room(sari, *crowd)
        id_ = UUID((await world.say(sari, room.id)).id)
        await asyncio.gather(*(world.do(message_actions.react, who, id_, "🎉", add=True) for who in crowd))
        async with world.database.hot(sari.workspace_id) as reader:
            now = await queries.readable_message(reader, id_, sari.user_id)
        assert sorted(msgspec.json.decode(now.reactions)[0]["user_ids"]) == sorted(str(c.user_id) for c in crowd)

    async def test_limits(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari)
        id_ = UUID((await home.say(sari, room.id)).id)
        for i in range(rules.REACTION_KINDS):
            await home.do(message_actions.react, sari, id_, chr(0x1F600 + i), add=True)
        with refuses("message.too_many_reactions"):
            await home.do(message_actions.react, sari, id_, "👍", add=True)
        with refuses("message.bad_emoji"):
            await home.do(message_actions.react, sari, id_, "<b>", add=True)

    async def test_outsiders_look_on(self, home: World) -> None:
        sari = await home.found()
        budi = await home.member(sari)
        public, private = await home.room(sari), await home.room(sari, visibility="private")
        with refuses("room.not_member"):
            await home.do(message_actions.react, budi, UUID((await home.say(sari, public.id)).id), "👍", add=True)
        with refuses("message.not_found"):
            await home.do(message_actions.react, budi, UUID((await home.say(sari, private.id)).id), "👍", add=True)
        with refuses("message.not_found"):
            await home.do(message_actions.react, budi, NIL, "👍", add=True)


async def test_a_finished_thumbnail_updates_the_message(world: World) -> None:
    sari = await world.found()
    room = await world.room(sari)
    picture = await world.upload(sari, samples.picture(size=(960, 480)), "curve.png")
    sent = await world.say(sari, room.id, "", attachment_ids=[str(picture)])
    assert [(a.state, a.thumbnail) for a in sent.attachments] == [("processing", False)]
    await world.work()
    told = (await world.events(sari, "message.updated"))[-1][2]["message"]
    assert told["version"] == 2
    assert [(a["state"], a["thumbnail"]) for a in told["attachments"]] == [("ready", True)]
    shown = (await timeline(world, sari, room.id)).items[-1]
    assert (shown.id, shown.attachments[0].thumbnail) == (sent.id, True)


class TestReading:
    async def test_pages_both_ways(self, world: World) -> None:
        sari = await world.found()
        room = (await world.room(sari)).id
        first = await world.say(sari, room, "2")
        for i in range(3, 10):
            await world.say(sari, room, str(i), parent_id=first.id if i == 5 else None)
        lines = [1, 2, 3, 4, 6, 7, 8, 9]  # a reply's number is not on the timeline

        async def page(**where: Any) -> tuple[list[int], bool, bool]:
            got = await timeline(world, sari, room, **where)
            return [m.sequence for m in got.items], got.has_before, got.has_after

        assert await page(size=3) == (lines[-3:], True, False)
        assert await page(before=7, size=3) == ([3, 4, 6], True, True)
        assert await page(before=3, size=3) == ([1, 2], False, True)
        assert await page(after=4, size=2) == ([6, 7], True, True)
        assert await page(after=7, size=9) == ([8, 9], True, False)
        assert await page(around=6, size=4) == ([4, 6, 7, 8], True, True)
        assert await page(around=5, size=4) == ([3, 4, 6, 7], True, True)
        assert await page(after=0, size=50) == (lines, False, False)

    async def test_both_ways_to_read_a_message_have_the_same_shape(self, world: World) -> None:
        """`RawMessage` goes into answers undecoded; it is `MessageView` all the same."""
        sari = await world.found()
        room = (await world.room(sari)).id
        file = await world.upload(sari, samples.picture(), "a.png")
        parent = await world.say(sari, room, f"<@{sari.user_id}>", attachment_ids=[str(file)])
        await world.say(sari, room, "reply", parent_id=parent.id)
        await world.say(sari, room, "quoting", quote_id=parent.id)
        await world.do(message_actions.react, sari, UUID(parent.id), "👍", add=True)
        async with world.database.reading(sari.workspace_id) as session:
            models = (await session.scalars(sa.select(Message).where(Message.parent_id.is_(None)))).all()
            from_models = {str(m.id): queries_view(m) for m in models}
        page = await timeline(world, sari, room)
        assert {m.id: msgspec.to_builtins(m) for m in page.items} == from_models

    async def test_a_public_room_is_read_without_being_in_it(self, home: World) -> None:
        sari = await home.found()
        budi = await home.member(sari)
        public, private = await home.room(sari), await home.room(sari, visibility="private")
        async with home.database.hot(sari.workspace_id) as reader:
            await queries.require_readable(reader, UUID(public.id), budi.user_id)
            with refuses("room.not_found"):
                await queries.require_readable(reader, UUID(private.id), budi.user_id)


def queries_view(message: Message) -> Any:
    from kanal.rooms.views import message_view

    return msgspec.to_builtins(message_view(message))


class TestSearching:
    @pytest.mark.parametrize(
        ("text", "hits"),
        [
            ("ok", ["ok bos", "OKINAWA"]),  # two letters, which MariaDB's own index leaves out
            ("東京", ["東京都に行く"]),
            ("京都", ["東京都に行く"]),
            ("行", ["東京都に行く"]),
            ("kop", ["Kopi susu di café", "kopi tubruk"]),  # by the beginning
            ("kopi cafe", ["Kopi susu di café"]),  # all words, accents aside
            ("the", ["the end"]),  # a stop word elsewhere
            ("опер", ["Оператор"]),
            ("nothing", []),
            ("100% -kopi +\"'*()", []),  # operators are no operators here
        ],
    )
    async def test_the_same_hits_on_each_database(self, world: World, text: str, hits: list[str]) -> None:
        sari = await world.found()
        room = (await world.room(sari)).id
        for body in ("kopi tubruk", "Kopi susu di café", "東京都に行く", "OKINAWA", "ok bos", "the end", "Оператор"):
            await world.say(sari, room, body)
        assert await found(world, sari, text) == hits

    async def test_only_where_one_may_read(self, world: World) -> None:
        sari = await world.found()
        budi, stranger = await world.member(sari), await world.found("Rin")
        public, private = await world.room(sari), await world.room(sari, visibility="private")
        mine = await world.do(actions.open_direct, sari, [str(budi.user_id)])
        for room, body in ((public, "kopi public"), (private, "kopi private"), (mine, "kopi direct")):
            await world.say(sari, room.id, body)
        await world.say(budi, mine.id, "kopi juga")
        assert sorted(await found(world, budi, "kopi")) == ["kopi direct", "kopi juga", "kopi public"]
        assert await found(world, stranger, "kopi") == []
        assert await found(world, sari, "kopi", room=UUID(private.id)) == ["kopi private"]
        assert await found(world, sari, "kopi", author=budi.user_id) == ["kopi juga"]
        assert await found(world, budi, "kopi", room=UUID(private.id)) == []

    async def test_pages_are_complete_and_newest_first(self, world: World) -> None:
        sari = await world.found()
        room = (await world.room(sari)).id
        await asyncio.gather(*(world.say(sari, room, f"kopi {i}") for i in range(search.PAGE + 5)))
        async with world.database.hot(sari.workspace_id) as reader:
            options: dict[str, Any] = {"room_id": None, "author_id": None}
            page, cursor = await search.find(reader, sari.user_id, "kopi", before=NEWEST, **options) or ([], None)
            assert cursor is not None
            rest, end = await search.find(reader, sari.user_id, "kopi", before=cursor, **options) or ([], None)
            assert await search.find(reader, sari.user_id, "…!", before=NEWEST, **options) is None
        ids = [m.id for m in (*page, *rest)]
        assert (len(ids), end) == (search.PAGE + 5, None)
        assert ids == sorted(ids, reverse=True)
