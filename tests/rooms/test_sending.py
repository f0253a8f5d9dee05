"""Sending, one and many at once, on each database (F-RO-02, F-RO-03, F-OP-04)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from kanal.identity.access import WorkspaceAccess
from kanal.identity.actions import members as identity_members
from kanal.identity.rules import Plan, Role
from kanal.kit.db.database import AfterCommit
from kanal.kit.errors import KanalError
from kanal.kit.ids import new_id
from kanal.kit.tenancy import across_tenants
from kanal.rooms import actions, message_actions, queries
from kanal.rooms.message_routes import outgoing
from kanal.rooms.models import Message
from kanal.rooms.schemas import MembershipView, RoomView, SendMessage
from kanal.rooms.sending import BATCH, Outgoing, Result, Sender, Sent, send_messages
from tests.support.world import World, blames, message_of, open_world, refuses


async def count(world: World, room: RoomView) -> int:
    query = sa.select(sa.func.count(Message.id)).where(Message.room_id == UUID(room.id), Message.kind == "text")
    async with world.database.reading(None) as session:
        return await session.scalar(query, execution_options=across_tenants("a test counts")) or 0


async def membership(world: World, who: WorkspaceAccess, room: RoomView) -> MembershipView:
    async with world.database.reading(who.workspace_id) as session:
        rooms = await queries.my_rooms(session, who.user_id)
        found = next(r.membership for r in rooms if r.id == room.id)
        assert found is not None
        single = await queries.unread_count(session, UUID(room.id), who.user_id)
    assert (found.unread, found.mentions) == single, "the list and the single room count alike"
    return found


@pytest.fixture
async def other(migrated_url: str) -> AsyncIterator[World]:
    """A second node on the same database."""
    async with open_world(migrated_url) as made:
        yield made


class TestSending:
    async def test_a_message_is_stored_with_its_event(self, world: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        asked = SendMessage(client_id=str(new_id()), body=" Selamat pagi ☀️ \u0000")
        sent = await world.node.sender.submit(outgoing(sari, UUID(room.id), asked, "1.23"))
        message = message_of(sent)
        assert (message.body, message.sequence, message.version, message.client_id) == (
            "Selamat pagi ☀️", 2, 1, asked.client_id,
        )  # fmt: skip
        name, channels, payload = (await world.events(sari))[-1]
        assert (name, channels) == ("message.sent", [f"presence-chat.{room.id}"])
        assert payload == {"message": _plain(sent), "client_id": asked.client_id}
        shown = (await _room(world, sari, room)).last_message
        assert shown is not None
        assert (shown.id, shown.preview) == (message.id, message.body)

    async def test_the_senders_own_socket_is_left_out(self, home: World) -> None:
        """F-RO-03: `X-Socket-ID` names the socket that has its answer already."""
        sari = await home.found()
        room = await home.room(sari)
        async with await home.client(sari) as http:
            path = f"/api/v1/workspaces/{sari.workspace_id}/chat/rooms/{room.id}/messages"
            body = {"client_id": str(new_id()), "body": "x"}
            published: list[str | None] = []
            home.database.after_commit.append(_remember(published))
            assert (await http.post(path, json=body, headers={"x-socket-id": "12.34"})).status_code == 201
        assert published == ["12.34"]

    async def test_numbers_have_no_gap_under_concurrency(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        sent = await asyncio.gather(*(world.say((sari, budi)[i % 2], room.id, f"m{i}") for i in range(BATCH + 10)))
        assert sorted(m.sequence for m in sent) == list(range(2, BATCH + 12))
        assert (await _room(world, sari, room)).last_sequence == BATCH + 11

    @pytest.mark.parametrize("body", ["", "  \n", "\u200b", "\u202e", "\x00"])
    async def test_a_message_without_anything_to_see_is_refused(self, home: World, body: str) -> None:
        sari = await home.found()
        with blames("body", "message.empty"):
            await home.say(sari, (await home.room(sari)).id, body)

    async def test_a_body_that_grows_when_normalised_is_too_long(self, home: World) -> None:
        sari = await home.found()
        with blames("body", "message.too_long"):
            await home.say(sari, (await home.room(sari)).id, "\U0001d160" * 8000)

    async def test_who_may_send(self, world: World) -> None:
        sari = await world.found()
        budi, stranger = await world.member(sari), await world.found("Rin")
        room = await world.room(sari)
        with refuses("room.not_member"):
            await world.say(budi, room.id)
        with refuses("room.not_found"):
            await world.say(stranger, room.id)
        with refuses("room.not_found"):
            await world.say(sari, new_id())

    async def test_viewers_read_only(self, home: World) -> None:
        """They may be in a room; the route asks for the right to write before anything is sent."""
        sari = await home.found()
        viewer = await home.member(sari, Role.VIEWER)
        room = await home.room(sari, viewer)
        message = UUID((await home.say(sari, room.id)).id)
        async with await home.client(viewer) as http:
            base = f"/api/v1/workspaces/{sari.workspace_id}/chat"
            sent = await http.post(f"{base}/rooms/{room.id}/messages", json={"client_id": str(new_id()), "body": "x"})
            assert (sent.status_code, sent.json()["error"]["code"]) == (403, "permission.denied")
            assert (await http.get(f"{base}/rooms/{room.id}/messages")).status_code == 200
            assert (await http.post(f"{base}/rooms/{room.id}/read", json={"sequence": 2})).status_code == 200
        with refuses("permission.denied"):
            await home.do(message_actions.react, viewer, message, "👍", add=True)


class TestSendingAgain:
    """A client id stands for one message of one person in one room, however often it arrives."""

    async def test_later(self, world: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        id_ = str(new_id())
        first = await world.submit(sari, room.id, "once", client_id=id_)
        again = await world.submit(sari, room.id, "twice?", client_id=id_)
        assert (first.is_new, again.is_new) == (True, False)
        assert message_of(again) == message_of(first)
        assert len([e for e in await world.events(sari, "message.sent") if e[2]["client_id"] == id_]) == 1

    async def test_in_the_same_batch(self, world: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        asked = outgoing(sari, UUID(room.id), SendMessage(client_id=str(new_id()), body="once"), None)
        async with world.database.transaction(sari.workspace_id) as session:
            results = await send_messages(session, [asked, asked, asked])
        sent = [r for r in results if isinstance(r, Sent)]
        assert [s.is_new for s in sent] == [True, False, False]
        assert len({s.json for s in sent}) == 1
        assert await count(world, room) == 1

    async def test_at_once_on_two_nodes(self, world: World, other: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        ids = [str(new_id()) for _ in range(20)]
        sent = await asyncio.gather(
            *(node.submit(sari, room.id, "x", client_id=i) for i in ids for node in (world, other, world))
        )
        assert sum(s.is_new for s in sent) == len(ids) == await count(world, room)
        assert len({message_of(s).id for s in sent}) == len(ids)

    async def test_with_attachments(self, world: World) -> None:
        """The files have their place by then; that is no reason to refuse."""
        sari = await world.found()
        room = await world.room(sari)
        more = {"client_id": str(new_id()), "attachment_ids": [str(await world.upload(sari))]}
        first = await world.submit(sari, room.id, "", **more)
        again = await world.submit(sari, room.id, "", **more)
        assert (again.is_new, message_of(again)) == (False, message_of(first))

    async def test_after_the_room_was_archived_or_the_parent_deleted(self, world: World) -> None:
        """Whoever lost the answer learns that the message is there, whatever has happened since."""
        sari = await world.found()
        room = await world.room(sari)
        parent = await world.say(sari, room.id, "question")
        more = {"client_id": str(new_id()), "parent_id": parent.id, "quote_id": parent.id}
        first = await world.submit(sari, room.id, "answer", **more)
        await world.do(message_actions.delete_message, sari, UUID(parent.id))
        assert (await world.submit(sari, room.id, "answer", **more)).json == first.json
        await world.do(actions.change_room, sari, UUID(room.id), archived=True)
        assert (await world.submit(sari, room.id, "answer", **more)).json == first.json

    async def test_the_same_id_of_another_person_or_room_is_another_message(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        one, two = await world.room(sari, budi), await world.room(sari, budi)
        id_ = str(new_id())
        sent = [await world.submit(who, room.id, "x", client_id=id_) for who in (sari, budi) for room in (one, two)]
        assert all(s.is_new for s in sent)


class TestBatches:
    async def test_one_bad_message_fails_alone(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room, closed = await world.room(sari, budi), await world.room(sari)
        await world.do(actions.change_room, sari, UUID(closed.id), archived=True)
        outcomes = await asyncio.gather(
            world.say(sari, room.id, "one"),
            world.say(sari, closed.id),
            world.say(budi, closed.id),
            world.say(sari, room.id, parent_id=str(new_id())),
            world.say(sari, room.id, attachment_ids=[str(new_id())]),
            world.say(sari, new_id()),
            world.say(budi, room.id, "two"),
            return_exceptions=True,
        )
        assert [o.code if isinstance(o, KanalError) else type(o).__name__ for o in outcomes] == [
            "MessageView",
            "room.archived",
            "room.not_member",
            "request.unprocessable",
            "file.unavailable",
            "room.not_found",
            "MessageView",
        ]
        assert await count(world, room) == 2

    async def test_a_batch_that_the_database_refuses_is_sent_one_by_one(
        self, home: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sari = await home.found()
        room = await home.room(sari)
        real = Sender._transact

        async def fragile(self: Sender, workspace: UUID, batch: list[Outgoing]) -> list[Result]:
            if len(batch) > 1 or batch[0].body == "poison":
                raise RuntimeError("refused")
            return await real(self, workspace, batch)

        monkeypatch.setattr(Sender, "_transact", fragile)
        outcomes = await asyncio.gather(
            *(home.say(sari, room.id, body) for body in ("a", "poison", "b")), return_exceptions=True
        )
        assert [type(o).__name__ for o in outcomes] == ["MessageView", "RuntimeError", "MessageView"]

    async def test_who_hangs_up_does_not_hold_up_the_others(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari)
        tasks = [asyncio.create_task(home.say(sari, room.id, str(i))) for i in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(o, BaseException) for o in outcomes) == 1
        assert (await home.say(sari, room.id, "next")).body == "next"


class TestThreadsAndQuotes:
    async def test_replies_stand_in_their_thread_and_show_on_the_parent(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        parent = await world.say(sari, room.id, "question")
        for who in (budi, sari):
            await world.say(who, room.id, "answer", parent_id=parent.id)
        reply = await world.say(budi, room.id, "answer", parent_id=parent.id)
        async with world.database.hot(sari.workspace_id) as reader:
            now = await queries.readable_message(reader, UUID(parent.id), sari.user_id)
            replies, more = await queries.replies(reader, UUID(room.id), UUID(parent.id), after=0, size=2)
        assert (now.reply_count, now.last_reply_at, now.version) == (3, reply.created_at, 4)
        assert [(r.sequence, more) for r in replies] == [(3, True), (4, True)]
        updated = (await world.events(sari, "message.updated"))[-1][2]["message"]
        assert updated["reply_user_ids"] == [str(budi.user_id), str(sari.user_id)], "the latest first, each once"
        shown = (await _room(world, sari, room)).last_message
        assert shown is not None
        assert shown.id == parent.id, "a reply is not a line of the timeline"

    async def test_a_parent_is_a_standing_text_of_this_room(self, world: World) -> None:
        sari = await world.found()
        room, elsewhere = await world.room(sari), await world.room(sari)
        parent = await world.say(sari, room.id)
        reply = await world.say(sari, room.id, parent_id=parent.id)
        foreign = await world.say(sari, elsewhere.id)
        deleted = await world.say(sari, room.id)
        await world.do(message_actions.delete_message, sari, UUID(deleted.id))
        line = (await _room(world, sari, await world.room(sari))).last_message
        assert line is not None
        for bad in (reply.id, foreign.id, deleted.id, line.id, str(new_id())):
            with blames("parent_id", "message.bad_parent"):
                await world.say(sari, room.id, parent_id=bad)
        for bad in (foreign.id, deleted.id, str(new_id())):
            with blames("quote_id", "message.bad_quote"):
                await world.say(sari, room.id, quote_id=bad)

    async def test_a_quote_shows_the_text_as_it_was(self, world: World) -> None:
        sari = await world.found()
        room = await world.room(sari)
        quoted = await world.say(sari, room.id, "**old** text")
        answer = await world.say(sari, room.id, "yes", quote_id=quoted.id)
        await world.do(message_actions.edit_message, sari, UUID(quoted.id), "new text")
        assert answer.quote is not None
        assert (answer.quote.id, answer.quote.preview) == (quoted.id, "old text")


class TestCounting:
    """Unread: texts of the timeline by others, not deleted, after the marker. Mentions: also in threads."""

    async def test_unread_is_what_others_said_since(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        first = await world.say(sari, room.id, "one")
        gone = await world.say(sari, room.id, "two")
        await world.say(sari, room.id, "in the thread", parent_id=first.id)
        await world.say(budi, room.id, "my own")
        await world.do(actions.change_room, sari, UUID(room.id), topic="a system line")
        assert (await membership(world, budi, room)).unread == 2
        await world.do(message_actions.delete_message, sari, UUID(gone.id))
        assert (await membership(world, budi, room)).unread == 1
        assert (await membership(world, sari, room)).unread == 1
        state = await world.do(actions.mark_read, budi, UUID(room.id), first.sequence)
        assert (state.read_sequence, state.unread) == (first.sequence, 0)

    async def test_mentions_are_counted_once_per_message(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        rin = await world.member(sari, name="Rin")
        room = await world.room(sari, budi, rin)
        me = f"<@{budi.user_id}>"
        parent = await world.say(sari, room.id, f"{me} {me.upper()}")
        await world.say(sari, room.id, "<@all> <@00000000-0000-0000-0000-000000000000>")
        await world.say(sari, room.id, f"`{me}` is code")
        await world.say(sari, room.id, f"and {me} in a thread", parent_id=parent.id)
        await world.say(budi, room.id, f"{me} myself, <@all>")
        assert (await membership(world, budi, room)).mentions == 3
        assert (await membership(world, rin, room)).mentions == 2
        assert (await membership(world, sari, room)).mentions == 1
        await world.do(message_actions.edit_message, sari, UUID(parent.id), "nobody")
        assert (await membership(world, budi, room)).mentions == 2
        await world.do(message_actions.edit_message, sari, UUID(parent.id), f"{me} after all")
        await world.do(message_actions.delete_message, sari, UUID(parent.id))
        assert (await membership(world, budi, room)).mentions == 2

    async def test_everybody_mentioned_together_with_oneself_counts_once(self, home: World) -> None:
        sari = await home.found()
        budi = await home.member(sari)
        room = await home.room(sari, budi)
        await home.say(sari, room.id, f"<@all> and <@{budi.user_id}>")
        assert (await membership(home, budi, room)).mentions == 1

    async def test_who_joins_has_read_what_was_said_before(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari)
        await world.say(sari, room.id, "<@all>")
        await world.do(actions.join_room, budi, UUID(room.id))
        state = await membership(world, budi, room)
        assert (state.unread, state.mentions, state.read_sequence) == (0, 0, 2)

    async def test_the_marker_never_goes_back(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = UUID((await world.room(sari, budi)).id)
        for _ in range(3):
            await world.say(sari, room)
        assert (await world.do(actions.mark_read, budi, room, 3)).unread == 1
        assert (await world.do(actions.mark_read, budi, room, 2)).read_sequence == 3
        assert (await world.do(actions.mark_read, budi, room, 2**53)).read_sequence == 4
        markers = [p["read_sequence"] for _, _, p in await world.events(sari, "room.read")]
        assert markers == [3, 4], "a marker that stays is not announced"

    async def test_large_rooms_do_not_announce_markers(self, home: World) -> None:
        sari = await home.found(plan=Plan.ENTERPRISE)
        crowd = [await home.member(sari, name=f"P{i}") for i in range(20)]
        room = UUID((await home.room(sari, *crowd)).id)
        await home.say(sari, room)
        await home.do(actions.mark_read, crowd[0], room, 2)
        assert await home.events(sari, "room.read") == []
        assert len(await home.events(sari, "membership.updated")) == 1

    async def test_unread_is_counted_a_thousand_back(self, home: World) -> None:
        sari = await home.found()
        budi = await home.member(sari)
        room = await home.room(sari, budi)
        asked = [
            outgoing(sari, UUID(room.id), SendMessage(client_id=str(new_id()), body="x"), None)
            for _ in range(queries.COUNT_BACK + 5)
        ]
        async with home.database.transaction(sari.workspace_id) as session:
            for start in range(0, len(asked), BATCH):
                await send_messages(session, asked[start : start + BATCH])
        assert (await membership(home, budi, room)).unread == queries.COUNT_BACK

    async def test_who_has_left_the_workspace_counts_nothing(self, home: World) -> None:
        sari = await home.found()
        budi = await home.member(sari)
        room = await home.room(sari, budi)
        await home.do(identity_members.remove_member, sari, user_id=budi.user_id)
        await home.say(sari, room.id)
        async with home.database.reading(sari.workspace_id) as session:
            assert await queries.unread_count(session, UUID(room.id), budi.user_id) == (0, 0)


async def _room(world: World, who: WorkspaceAccess, room: RoomView) -> RoomView:
    async with world.database.reading(who.workspace_id) as session:
        found, member = await queries.find_room(session, UUID(room.id), who.user_id)
        return await queries.room_for(session, found, member)


def _plain(sent: Sent) -> object:
    return json.loads(sent.json)


def _remember(found: list[str | None]) -> AfterCommit:
    async def remember(outbox: dict[str, Any]) -> None:
        found.extend(e.except_socket for e in outbox.get("events", ()) if e.name == "message.sent")

    return remember
