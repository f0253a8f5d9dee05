"""Members and workspaces: what happens, what is announced, what is refused. F-AC-02, F-AC-03, F-AC-06."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
import sqlalchemy as sa

from kanal.identity.actions import accounts, members, workspaces
from kanal.identity.audit import SYSTEM
from kanal.identity.models import Member, Workspace
from kanal.identity.rules import Plan, Role
from kanal.kit.errors import KanalError
from kanal.kit.ids import new_id
from tests.identity.world import World


async def last_event(world: World, name: str) -> tuple[list[str], dict[str, object]]:
    event = (await world.events(name=name))[-1]
    return msgspec.json.decode(event.channels), msgspec.json.decode(event.payload)


async def test_joining_is_announced_and_written_down(world: World) -> None:
    owner, agent = await world.person(), await world.person("Budi")
    place = await world.workspace(owner)
    await world.join(place, agent)
    channels, payload = await last_event(world, "member.joined")
    assert channels == [f"presence-workspace.{place}"]
    member = payload["member"]
    assert isinstance(member, dict)
    assert (member["user_id"], member["name"], member["role"], member["status"], member["version"]) == (
        str(agent.id),
        "Budi",
        "agent",
        "active",
        1,
    )
    assert await world.actions(place) == ["workspace.created", "member.joined", "member.joined"]


async def test_joining_twice_changes_nothing(world: World) -> None:
    owner = await world.person()
    place = await world.workspace(owner)
    before = len(await world.events())
    await world.join(place, owner, Role.VIEWER)
    assert (await world.access(place, owner)).role is Role.OWNER
    assert len(await world.events()) == before


async def test_a_role_change_is_announced_and_reaches_the_sockets(world: World) -> None:
    """F-AC-03: their sockets reconnect and are granted anew."""
    owner, agent = await world.person(), await world.person()
    place = await world.workspace(owner)
    await world.join(place, agent)
    async with world.database.transaction(place) as session:
        await members.change_role(session, await world.access(place, owner), user_id=agent.id, role=Role.ADMIN)
    _, payload = await last_event(world, "member.updated")
    assert payload["member"]["role"] == "admin"  # type: ignore[index]
    assert payload["member"]["version"] == 2  # type: ignore[index]
    _, command = await last_event(world, "control.terminate")
    assert command == {"scope": f"member:{place}:{agent.id}", "code": 4200}
    async with world.database.transaction(place) as session:
        await members.change_role(session, await world.access(place, owner), user_id=agent.id, role=Role.ADMIN)
    assert (await world.actions(place)).count("member.role_changed") == 1


async def test_who_was_removed_may_come_back_as_the_same_member(world: World) -> None:
    owner, agent = await world.person(), await world.person()
    place = await world.workspace(owner)
    await world.join(place, agent)
    async with world.database.transaction(place) as session:
        await members.remove_member(session, await world.access(place, owner), user_id=agent.id)
    _, payload = await last_event(world, "member.removed")
    assert payload["member"]["status"] == "removed"  # type: ignore[index]
    with pytest.raises(KanalError, match=r"workspace\.not_found"):
        await world.access(place, agent)
    assert (await world.join(place, agent, Role.VIEWER)).role is Role.VIEWER
    async with world.database.reading(place) as session:
        member = await session.get(Member, (place, agent.id))
    assert member is not None
    assert member.version == 3


async def test_refusals_leave_everything_as_it_was(world: World) -> None:
    owner, admin, agent = await world.person(), await world.person(), await world.person()
    place = await world.workspace(owner)
    await world.join(place, admin, Role.ADMIN)
    await world.join(place, agent)
    log = await world.actions(place)

    async def refused(code: str, by: object, action: object, **named: object) -> None:
        with pytest.raises(KanalError, match=code):
            async with world.database.transaction(place) as session:
                await action(session, await world.access(place, by), **named)  # type: ignore[operator, arg-type]

    await refused("member.last_owner", owner, members.leave)
    await refused("member.last_owner", owner, members.change_role, user_id=owner.id, role=Role.AGENT)
    await refused("permission.denied", admin, members.remove_member, user_id=owner.id)
    await refused("permission.denied", admin, members.change_role, user_id=agent.id, role=Role.OWNER)
    await refused("permission.denied", agent, members.remove_member, user_id=admin.id)
    await refused("member.not_found", owner, members.remove_member, user_id=new_id())
    assert await world.actions(place) == log


async def test_two_owners_who_remove_each_other_leave_one(world: World) -> None:
    """F-AC-03: a workspace never loses its last owner, however close together the requests come."""
    one, other = await world.person(), await world.person()
    place = await world.workspace(one)
    await world.join(place, other, Role.OWNER)
    accesses = [await world.access(place, one), await world.access(place, other)]

    async def remove(by: int, victim: object) -> None:
        async with world.database.transaction(place) as session:
            await members.change_role(session, accesses[by], user_id=victim, role=Role.AGENT)  # type: ignore[arg-type]

    results = await asyncio.gather(remove(0, other.id), remove(1, one.id), return_exceptions=True)
    assert [type(r) for r in results if r is not None] == [KanalError]
    async with world.database.reading(place) as session:
        owners = await session.scalars(sa.select(Member.user_id).where(Member.role == Role.OWNER))
    assert len(owners.all()) == 1


async def test_the_plan_limits_members_however_many_join_at_once(world: World) -> None:
    """F-AC-02."""
    owner = await world.person()
    place = await world.workspace(owner, plan=Plan.FREE)
    people = [await world.person() for _ in range(12)]
    results = await asyncio.gather(*(world.join(place, p) for p in people), return_exceptions=True)
    refused = [r for r in results if isinstance(r, KanalError)]
    assert [r.code for r in refused] == ["plan.members_reached"] * 3
    async with world.database.transaction(place) as session:
        await workspaces.set_plan(session, SYSTEM, Plan.BASIC)
    await world.join(place, people[-1])
    _, payload = await last_event(world, "workspace.updated")
    assert payload["workspace"]["limits"]["max_members"] == 25  # type: ignore[index]


async def test_settings_change_key_by_key(world: World) -> None:
    owner = await world.person()
    place = await world.workspace(owner, name="Warung")
    async with world.database.transaction(place) as session:
        access = await world.access(place, owner)
        await workspaces.update_workspace(session, access, name="Warung Bu Sri", settings={"timezone": "Asia/Jakarta"})
    _, payload = await last_event(world, "workspace.updated")
    changed = payload["workspace"]
    assert isinstance(changed, dict)
    assert changed["settings"] == {"default_locale": "en", "timezone": "Asia/Jakarta"}
    assert (changed["name"], changed["version"]) == ("Warung Bu Sri", 2)
    assert "role" not in changed


async def test_slugs_are_unique(world: World) -> None:
    owner = await world.person()
    places = await asyncio.gather(*(world.workspace(owner, name="株式会社 Ünique") for _ in range(4)))
    async with world.database.reading(None) as session:
        slugs = list(await session.scalars(sa.select(Workspace.slug).where(Workspace.id.in_(places))))
    assert len(set(slugs)) == 4
    assert all(slug.startswith("unique") for slug in slugs)


async def test_a_new_name_reaches_every_workspace(world: World) -> None:
    """F-AC-03: one event per workspace, each in that workspace's log."""
    user = await world.person("Sari")
    places = [await world.workspace(user) for _ in range(2)]
    caller = (await world.access(places[0], user)).caller
    async with world.database.transaction(None) as session:
        await accounts.change_profile(session, caller, name="Sari Wulandari")
    await world.worker.drain()
    updated = [e for e in await world.events(name="member.updated") if e.workspace_id in places]
    assert {e.workspace_id for e in updated} == set(places)
    assert all(msgspec.json.decode(e.payload)["member"]["name"] == "Sari Wulandari" for e in updated)


async def test_one_person_founds_only_so_many_free_workspaces(home: World) -> None:
    owner = await home.person()
    for _ in range(workspaces.MAX_OWNED):
        await home.workspace(owner, plan=Plan.FREE)
    with pytest.raises(KanalError, match=r"workspace\.too_many"):
        await home.workspace(owner, plan=Plan.FREE)
