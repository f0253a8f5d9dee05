"""Rooms and who is in them, on each database (F-RO-01)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from kanal.identity.access import access_of
from kanal.identity.actions import members as identity_members
from kanal.identity.rules import Plan, Role
from kanal.kit.errors import KanalError
from kanal.kit.ids import new_id
from kanal.rooms import actions, queries
from kanal.rooms.schemas import RoomView
from tests.support.world import World, blames, refuses


def id_of(room: RoomView) -> UUID:
    return UUID(room.id)


async def people_of(world: World, who: Any, room: RoomView) -> dict[str, str]:
    async with world.database.reading(who.workspace_id) as session:
        return {m.user_id: m.role for m in await queries.room_members(session, id_of(room))}


async def rooms_of(world: World, who: Any) -> dict[str, RoomView]:
    async with world.database.reading(who.workspace_id) as session:
        return {r.id: r for r in await queries.my_rooms(session, who.user_id)}


async def browsed(world: World, who: Any, text: str = "") -> list[str | None]:
    async with world.database.reading(who.workspace_id) as session:
        return [r.name for r in (await queries.browse(session, who.user_id, text=text, after=None))[0]]


class TestCreating:
    async def test_the_creator_owns_the_room_and_the_others_are_told(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi, name="  Kopi\n pagi ")
        assert (room.name, room.member_count, room.last_sequence) == ("Kopi pagi", 2, 1)
        assert room.membership is not None
        assert (room.membership.role, room.membership.unread) == ("owner", 0)
        assert await people_of(world, sari, room) == {str(sari.user_id): "owner", str(budi.user_id): "member"}
        told = [channels for _, channels, _ in await world.events(sari, "room.joined")]
        assert sorted(told) == sorted([f"private-user.{sari.workspace_id}.{p.user_id}"] for p in (sari, budi))
        assert room.last_message is not None
        assert room.last_message.system is not None
        assert room.last_message.system.type == "room.created"

    async def test_names_are_taken_whatever_their_case(self, world: World) -> None:
        sari = await world.found()
        await world.room(sari, name="École Générale", visibility="private")
        for name in ("École Générale", "école générale", " ÉCOLE   Générale "):
            with refuses("room.name_taken"):
                await world.room(sari, name=name)

    async def test_of_two_who_take_a_name_at_once_one_gets_it(self, world: World) -> None:
        sari = await world.found()
        outcomes = await asyncio.gather(*(world.room(sari, name="Same") for _ in range(4)), return_exceptions=True)
        refused = [o for o in outcomes if isinstance(o, KanalError)]
        assert [e.code for e in refused] == ["room.name_taken"] * 3

    async def test_an_archived_room_gives_its_name_free(self, world: World) -> None:
        sari = await world.found()
        old = await world.room(sari, name="Projekt")
        await world.do(actions.change_room, sari, id_of(old), archived=True)
        await world.room(sari, name="Projekt")
        with refuses("room.name_taken"):
            await world.do(actions.change_room, sari, id_of(old), archived=False)

    @pytest.mark.parametrize("name", [" ", "\u200b\x00\n"])
    async def test_a_name_has_something_to_see(self, home: World, name: str) -> None:
        with blames("name", "field.blank"):
            await home.room(await home.found(), name=name)

    async def test_a_name_that_grows_when_normalised_is_too_long(self, world: World) -> None:
        with blames("name", "field.too_long"):
            await world.room(await world.found(), name="\U0001d160" * 80)

    async def test_only_members_of_the_workspace_are_brought_in(self, world: World) -> None:
        sari = await world.found()
        stranger, gone = await world.found("Rin"), await world.member(sari)
        await world.do(identity_members.remove_member, sari, user_id=gone.user_id)
        for id_ in (str(stranger.user_id), str(gone.user_id), str(new_id()), "me"):
            with refuses("room.unknown_members"):
                await world.do(actions.create_room, sari, name="X", member_ids=[id_])

    async def test_viewers_create_nothing(self, home: World) -> None:
        viewer = await home.member(await home.found(), Role.VIEWER)
        with refuses("permission.denied"):
            await home.room(viewer)
        with refuses("permission.denied"):
            await home.do(actions.open_direct, viewer, [str(viewer.user_id)])

    async def test_a_plan_holds_so_many_rooms(self, home: World) -> None:
        sari = await home.found(plan=Plan.FREE)
        for _ in range(sari.limits.max_rooms):
            await home.room(sari)
        with refuses("plan.rooms_reached"):
            await home.room(sari)


class TestJoiningAndLeaving:
    async def test_anybody_joins_a_public_room_once(self, world: World) -> None:
        sari = await world.found()
        rin = await world.member(sari, Role.VIEWER, "Rin")
        room = await world.room(sari, name="Open")
        assert await browsed(world, rin) == ["Open"]
        await world.do(actions.join_room, rin, id_of(room))
        again = await world.do(actions.join_room, rin, id_of(room))
        assert (again.member_count, again.last_sequence) == (2, 2)
        assert await browsed(world, rin) == []
        moved = [payload for _, _, payload in await world.events(sari, "room.member_joined")]
        assert [(m["user_id"], m["member_count"]) for m in moved] == [(str(rin.user_id), 2)]

    async def test_who_joins_at_once_counts_each(self, world: World) -> None:
        sari = await world.found()
        others = [await world.member(sari, name=f"P{i}") for i in range(4)]
        room = await world.room(sari)
        await asyncio.gather(*(world.do(actions.join_room, o, id_of(room)) for o in others))
        assert (await rooms_of(world, sari))[room.id].member_count == 5

    async def test_a_private_room_does_not_exist_for_others(self, world: World) -> None:
        sari = await world.found()
        budi, admin = await world.member(sari), await world.member(sari, Role.ADMIN)
        room = await world.room(sari, visibility="private")
        for other in (budi, admin):
            with refuses("room.not_found"):
                await world.do(actions.join_room, other, id_of(room))
            with refuses("room.not_found"):
                await world.do(actions.add_members, other, id_of(room), [str(other.user_id)])
            with refuses("room.not_found"):
                await world.say(other, room.id)
            assert await browsed(world, other) == []

    async def test_members_bring_others_in(self, world: World) -> None:
        sari = await world.found()
        budi, rin = await world.member(sari), await world.member(sari, name="Rin")
        room = await world.room(sari, budi, visibility="private")
        await world.do(actions.add_members, budi, id_of(room), [str(rin.user_id), str(sari.user_id)])
        assert (await rooms_of(world, rin))[room.id].member_count == 3
        lines = [p["message"]["system"] for _, _, p in await world.events(sari, "message.sent")]
        assert lines[-1] == {"type": "member.added", "user_ids": [str(rin.user_id)]}
        await world.do(actions.add_members, budi, id_of(room), [str(rin.user_id)])
        assert (await rooms_of(world, rin))[room.id].last_sequence == 2, "who is in already is not announced again"

    async def test_whoever_is_not_in_a_public_room_brings_nobody(self, home: World) -> None:
        sari = await home.found()
        budi, admin = await home.member(sari), await home.member(sari, Role.ADMIN)
        room = await home.room(sari)
        with refuses("room.not_member"):
            await home.do(actions.add_members, budi, id_of(room), [str(budi.user_id)])
        await home.do(actions.add_members, admin, id_of(room), [str(budi.user_id)])
        assert str(budi.user_id) in await people_of(home, sari, room)

    async def test_leaving_takes_the_channel_away(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        await world.do(actions.leave_room, budi, id_of(room))
        assert room.id not in await rooms_of(world, budi)
        left = await world.events(sari, "room.left", "control.revoke")
        assert [(name, channels) for name, channels, _ in left] == [
            ("room.left", [f"private-user.{sari.workspace_id}.{budi.user_id}"]),
            ("control.revoke", []),
        ]
        assert left[1][2] == {
            "channel": f"presence-chat.{room.id}",
            "scope": f"member:{sari.workspace_id}:{budi.user_id}",
        }
        with refuses("room.not_member"):
            await world.do(actions.leave_room, budi, id_of(room))

    async def test_versions_put_stays_in_order(self, world: World) -> None:
        """Each membership is above the leave before it, each leave above the membership it ended."""
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari)
        versions: list[int] = []
        for _ in range(2):
            joined = await world.do(actions.join_room, budi, id_of(room))
            assert joined.membership is not None
            versions.append(joined.membership.version)
            for starred in (True, False) * 4:  # more changes than the room itself sees
                mine = await world.do(actions.change_membership, budi, id_of(room), starred=starred, notify=None)
                assert mine.membership is not None
                versions.append(mine.membership.version)
            await world.do(actions.leave_room, budi, id_of(room))
            versions.append((await world.events(sari, "room.left"))[-1][2]["room_version"])
        assert versions == sorted(set(versions))

    async def test_the_last_owner_hands_over_to_who_was_there_longest(self, world: World) -> None:
        sari = await world.found()
        budi, rin = await world.member(sari), await world.member(sari, name="Rin")
        room = await world.room(sari)
        for joiner in (budi, rin):
            await world.do(actions.join_room, joiner, id_of(room))
            await asyncio.sleep(0.002)  # the time of joining is kept in milliseconds
        await world.do(actions.leave_room, sari, id_of(room))
        assert await people_of(world, sari, room) == {str(budi.user_id): "owner", str(rin.user_id): "member"}
        _, channels, told = (await world.events(sari, "membership.updated"))[-1]
        assert channels == [f"private-user.{sari.workspace_id}.{budi.user_id}"]
        assert told["membership"]["role"] == "owner"
        (_, channels, owns), (_, _, left) = await world.events(sari, "room.member_updated", "room.member_left")
        assert channels == [f"presence-chat.{room.id}"]
        assert (owns["user_id"], owns["role"], owns["member_count"]) == (str(budi.user_id), "owner", 3)
        assert owns["room_version"] < left["room_version"]

    async def test_the_last_one_may_leave_an_empty_room(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari)
        await home.do(actions.leave_room, sari, id_of(room))
        assert await people_of(home, sari, room) == {}

    async def test_the_first_to_enter_an_empty_room_owns_it(self, home: World) -> None:
        sari = await home.found()
        budi, rin = await home.member(sari), await home.member(sari, name="Rin")
        room = await home.room(sari)
        await home.do(actions.leave_room, sari, id_of(room))
        entered = await home.do(actions.join_room, budi, id_of(room))
        assert entered.membership is not None
        assert entered.membership.role == "owner"
        assert [p["role"] for _, _, p in await home.events(sari, "room.member_joined")] == ["owner"]
        await home.do(actions.join_room, rin, id_of(room))
        assert await people_of(home, sari, room) == {str(budi.user_id): "owner", str(rin.user_id): "member"}

    async def test_owner_and_admins_put_people_out(self, world: World) -> None:
        sari = await world.found()
        admin, budi = await world.member(sari, Role.ADMIN, "Ayu"), await world.member(sari)
        rin = await world.member(sari, name="Rin")
        room = await world.room(budi, rin)
        with refuses("permission.denied"):
            await world.do(actions.remove_member, rin, id_of(room), budi.user_id)
        await world.do(actions.remove_member, budi, id_of(room), rin.user_id)
        with refuses("room.member_not_found"):
            await world.do(actions.remove_member, admin, id_of(room), rin.user_id)
        await world.do(actions.remove_member, admin, id_of(room), budi.user_id)
        assert await people_of(world, sari, room) == {}

    async def test_whoever_leaves_the_workspace_leaves_its_rooms(self, world: World) -> None:
        """The reaction to `member.removed`, in the same transaction."""
        sari = await world.found()
        budi, rin = await world.member(sari), await world.member(sari, name="Rin")
        mine, shared = await world.room(budi, rin), await world.room(sari, budi, visibility="private")
        direct = await world.do(actions.open_direct, sari, [str(budi.user_id)])
        await world.do(identity_members.remove_member, sari, user_id=budi.user_id)
        assert await people_of(world, sari, mine) == {str(rin.user_id): "owner"}
        assert await people_of(world, sari, shared) == {str(sari.user_id): "owner"}
        assert (await rooms_of(world, sari))[shared.id].member_count == 1
        assert direct.id in await rooms_of(world, sari), "what was said to each other stays"
        with refuses("workspace.not_found"):
            await access_of(world.database, budi.workspace_id, budi.user_id)

    async def test_who_comes_back_to_the_workspace_starts_without_rooms(self, home: World) -> None:
        sari = await home.found()
        person = await home.person("Budi")
        budi = await home.enlist(sari, person)
        room = await home.room(sari, budi)
        await home.do(identity_members.remove_member, sari, user_id=person.id)
        assert room.id not in await rooms_of(home, await home.enlist(sari, person))


class TestChanging:
    async def test_members_rename_and_everybody_hears(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari, budi)
        changed = await world.do(actions.change_room, budi, id_of(room), name=" New  name ", topic="Beans")
        assert (changed.name, changed.topic) == ("New name", "Beans")
        assert changed.version > room.version
        _, channels, told = (await world.events(sari, "room.updated"))[-1]
        assert channels == [f"presence-chat.{room.id}", f"presence-workspace.{sari.workspace_id}"]
        assert told["room"]["name"] == "New name"
        assert told["room"]["membership"] is None
        assert told["room"]["version"] == changed.version

    async def test_a_private_rooms_changes_are_its_members_business(self, home: World) -> None:
        sari = await home.found()
        room = await home.room(sari, visibility="private")
        await home.do(actions.change_room, sari, id_of(room), topic="Secret")
        assert (await home.events(sari, "room.updated"))[-1][1] == [f"presence-chat.{room.id}"]

    async def test_who_may_see_and_archiving_are_for_owner_and_admins(self, world: World) -> None:
        sari = await world.found()
        budi, admin = await world.member(sari), await world.member(sari, Role.ADMIN)
        room = await world.room(sari, budi)
        for change in ({"visibility": "private"}, {"archived": True}):
            with refuses("permission.denied"):
                await world.do(actions.change_room, budi, id_of(room), **change)
        with refuses("room.not_member"):
            await world.do(actions.change_room, await world.member(sari), id_of(room), name="Mine")
        await world.do(actions.change_room, admin, id_of(room), archived=True)
        assert (await rooms_of(world, budi))[room.id].archived

    async def test_an_admin_closes_a_room_from_outside_under_another_name(self, home: World) -> None:
        """The line about the new name is written though the admin can no longer see the room."""
        sari = await home.found()
        admin = await home.member(sari, Role.ADMIN)
        room = await home.room(sari)
        changed = await home.do(actions.change_room, admin, id_of(room), name="Closed", visibility="private")
        assert (changed.name, changed.visibility) == ("Closed", "private")

    async def test_an_archived_room_takes_nothing_new(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        room = await world.room(sari)
        await world.do(actions.change_room, sari, id_of(room), archived=True)
        for attempt in (
            lambda: world.say(sari, room.id),
            lambda: world.do(actions.join_room, budi, id_of(room)),
            lambda: world.do(actions.add_members, sari, id_of(room), [str(budi.user_id)]),
        ):
            with refuses("room.archived"):
                await attempt()
        assert await browsed(world, budi) == []
        await world.do(actions.change_room, sari, id_of(room), archived=False)
        await world.say(sari, room.id)

    async def test_a_membership_is_ones_own(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari, Role.VIEWER)
        room = await world.room(sari, budi)
        changed = await world.do(actions.change_membership, budi, id_of(room), starred=True, notify="mentions")
        assert changed.membership is not None
        assert (changed.membership.starred, changed.membership.notify) == (True, "mentions")
        others = (await rooms_of(world, sari))[room.id].membership
        assert others is not None
        assert (others.starred, others.notify) == (False, "all")
        assert (await world.events(sari, "membership.updated"))[-1][1] == [
            f"private-user.{sari.workspace_id}.{budi.user_id}"
        ]


class TestDirectConversations:
    async def test_it_is_the_same_whoever_opens_it(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        one = await world.do(actions.open_direct, sari, [str(budi.user_id)])
        other = await world.do(actions.open_direct, budi, [str(sari.user_id), str(budi.user_id)])
        assert one.id == other.id
        assert (one.kind, one.name, one.visibility) == ("direct", None, "private")
        assert sorted(one.member_ids or []) == sorted([str(sari.user_id), str(budi.user_id)])

    async def test_opening_it_at_once_makes_one(self, world: World) -> None:
        sari = await world.found()
        budi = await world.member(sari)
        opened = await asyncio.gather(
            *(world.do(actions.open_direct, sari, [str(budi.user_id)]) for _ in range(3)),
            *(world.do(actions.open_direct, budi, [str(sari.user_id)]) for _ in range(3)),
        )
        assert len({room.id for room in opened}) == 1
        assert len(await world.events(sari, "room.joined")) == 2, "each of the two is told once"

    async def test_with_oneself_it_is_a_notebook(self, home: World) -> None:
        sari = await home.found()
        room = await home.do(actions.open_direct, sari, [str(sari.user_id)])
        assert room.member_ids == [str(sari.user_id)]

    async def test_who_is_in_it_is_fixed(self, world: World) -> None:
        sari = await world.found()
        budi, rin = await world.member(sari), await world.member(sari, name="Rin")
        room = id_of(await world.do(actions.open_direct, sari, [str(budi.user_id)]))
        for attempt in (
            lambda: world.do(actions.leave_room, sari, room),
            lambda: world.do(actions.add_members, sari, room, [str(rin.user_id)]),
            lambda: world.do(actions.remove_member, sari, room, budi.user_id),
            lambda: world.do(actions.change_room, sari, room, name="Us"),
        ):
            with refuses("room.direct_fixed"):
                await attempt()
        with refuses("room.not_found"):
            await world.say(rin, room)


async def test_browsing_pages_by_name_and_finds_parts_of_it(world: World) -> None:
    sari = await world.found(plan=Plan.ENTERPRISE)
    budi = await world.member(sari)
    for i in range(queries.BROWSE_PAGE + 3):
        await world.room(sari, name=f"Room {i:03}")
    await world.room(sari, name="100%_Ärger")
    async with world.database.reading(sari.workspace_id) as session:
        page, cursor = await queries.browse(session, budi.user_id, text="room", after=None)
        rest, end = await queries.browse(session, budi.user_id, text="room", after=cursor)
    names = [r.name for r in (*page, *rest)]
    assert names == [f"Room {i:03}" for i in range(queries.BROWSE_PAGE + 3)]
    assert (cursor is None, end) == (False, None)
    for text in ("%_", "ärger", "ÄRGER"):
        assert await browsed(world, budi, text) == ["100%_Ärger"]
    assert len(await browsed(world, budi, "\x00")) == queries.BROWSE_PAGE, "what PostgreSQL cannot take is no word"
