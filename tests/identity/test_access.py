"""Who is let in, and as what. F-AC-01, F-AC-02, F-AC-03."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import kanal
from kanal.identity.access import Caller, Credential, WorkspaceAccess, access_of, caller_of
from kanal.identity.actions import members, sign_ins, workspaces
from kanal.identity.audit import SYSTEM
from kanal.identity.models import ApiToken, SignIn, User
from kanal.identity.rules import Permission, Plan, Role, Scope, Status
from kanal.kit import clock
from kanal.kit.errors import KanalError, Kind
from kanal.kit.ids import new_id
from tests.identity.world import World


async def sign_in(world: World, user: User) -> tuple[SignIn, Credential]:
    async with world.database.transaction(None) as session:
        entry, secret = await sign_ins.sign_in(session, world.identity, user, ip="127.0.0.1", user_agent="Test")
    return entry, Credential.session(secret)


async def make_token(world: World, user: User, *scopes: Scope) -> tuple[ApiToken, Credential]:
    caller = await caller_of(world.database, user.id)
    async with world.database.transaction(None) as session:
        token, secret = await sign_ins.create_token(
            session, caller, name="CI", scopes=[str(s) for s in scopes], expires_at=None
        )
    return token, Credential.token(secret)


async def refused(world: World, credential: Credential, workspace_id: object) -> tuple[str, Kind]:
    with pytest.raises(KanalError) as caught:
        await world.identity.gate.access(credential, workspace_id)  # type: ignore[arg-type]
    return caught.value.code, caught.value.kind


async def test_a_cookie_stands_for_its_person(world: World) -> None:
    """F-AC-01."""
    user = await world.person("Sari")
    entry, credential = await sign_in(world, user)
    caller = await world.identity.gate.caller(credential, "192.0.2.1")
    assert (caller.user_id, caller.name, caller.email, caller.session_id) == (user.id, "Sari", user.email, entry.id)
    assert (caller.scopes, caller.ip, caller.scope) == (None, "192.0.2.1", f"session:{entry.id}")


async def test_access_carries_the_role_and_the_labels_of_the_sockets(world: World) -> None:
    """F-AC-03."""
    owner, agent = await world.person(), await world.person("Budi")
    place = await world.workspace(owner)
    await world.join(place, agent, Role.AGENT)
    entry, credential = await sign_in(world, agent)
    access = await world.identity.gate.access(credential, place)
    assert (access.workspace_id, access.user_id, access.role, access.plan) == (place, agent.id, "agent", Plan.PREMIUM)
    assert access.limits.max_members == 250
    assert access.scopes == (f"session:{entry.id}", f"workspace:{place}", f"member:{place}:{agent.id}")
    access.require(Permission.CHAT_WRITE)
    with pytest.raises(KanalError, match=r"permission\.denied"):
        access.require(Permission.MEMBERS_MANAGE)


async def test_unknown_and_foreign_workspaces_look_the_same(world: World) -> None:
    """F-AC-04."""
    owner, stranger = await world.person(), await world.person()
    place = await world.workspace(owner)
    _, credential = await sign_in(world, stranger)
    assert await refused(world, credential, place) == ("workspace.not_found", Kind.NOT_FOUND)
    assert await refused(world, credential, new_id()) == ("workspace.not_found", Kind.NOT_FOUND)


async def test_a_suspended_workspace_shuts_everybody_out_and_a_reopened_one_lets_them_in(world: World) -> None:
    """F-AC-02: also strangers learn nothing from it."""
    owner, stranger = await world.person(), await world.person()
    place = await world.workspace(owner)
    _, credential = await sign_in(world, owner)
    async with world.database.transaction(place) as session:
        await workspaces.set_status(session, SYSTEM, Status.SUSPENDED)
    assert await refused(world, credential, place) == ("workspace.suspended", Kind.FORBIDDEN)
    assert await refused(world, (await sign_in(world, stranger))[1], place) == ("workspace.not_found", Kind.NOT_FOUND)
    closed = (await world.events(name="control.terminate"))[-1]
    assert f'"workspace:{place}"' in closed.payload
    async with world.database.transaction(place) as session:
        await workspaces.set_status(session, SYSTEM, Status.ACTIVE)
    assert (await world.identity.gate.access(credential, place)).role == "owner"
    assert (await world.actions(place))[-2:] == ["workspace.suspended", "workspace.activated"]


async def test_a_role_change_counts_from_the_next_request(world: World) -> None:
    """F-AC-03."""
    owner, agent = await world.person(), await world.person()
    place = await world.workspace(owner)
    await world.join(place, agent)
    _, credential = await sign_in(world, agent)
    async with world.database.transaction(place) as session:
        await members.change_role(session, await world.access(place, owner), user_id=agent.id, role=Role.VIEWER)
    access = await world.identity.gate.access(credential, place)
    assert access.role is Role.VIEWER
    assert not access.may(Permission.CHAT_WRITE)
    async with world.database.transaction(place) as session:
        await members.remove_member(session, await world.access(place, owner), user_id=agent.id)
    assert await refused(world, credential, place) == ("workspace.not_found", Kind.NOT_FOUND)


async def test_a_sign_in_ends_after_its_time(world: World) -> None:
    """F-AC-05: session timeout."""
    user = await world.person()
    entry, credential = await sign_in(world, user)
    assert entry.expires_at - entry.created_at == timedelta(days=7)
    assert entry.ends_at - entry.created_at == timedelta(days=30)
    async with world.database.transaction(None) as session:
        await session.execute(sa.update(SignIn).where(SignIn.id == entry.id).values(expires_at=clock.now()))
    with pytest.raises(KanalError, match=r"auth\.session_expired"):
        await world.identity.gate.caller(credential)


async def test_use_keeps_a_sign_in_alive_but_not_beyond_its_end(world: World) -> None:
    """F-AC-05: noted once a minute, outside the request."""
    user = await world.person()
    entry, credential = await sign_in(world, user)
    ends = entry.ends_at

    async def after_use(last_seen: timedelta, end: timedelta) -> SignIn:
        async with world.database.transaction(None) as session:
            now = clock.now()
            change = sa.update(SignIn).where(SignIn.id == entry.id)
            await session.execute(
                change.values(last_seen_at=now - last_seen, expires_at=now + timedelta(hours=1), ends_at=now + end)
            )
        await world.identity.gate.caller(credential)
        await world.identity.gate.close()
        async with world.database.reading(None) as session:
            found = await session.get(SignIn, entry.id)
        assert found is not None
        return found

    fresh = await after_use(timedelta(seconds=10), timedelta(days=30))
    assert fresh.expires_at - clock.now() < timedelta(hours=2)
    touched = await after_use(timedelta(minutes=2), timedelta(days=30))
    assert touched.expires_at - clock.now() > timedelta(days=6)
    capped = await after_use(timedelta(minutes=2), timedelta(hours=3))
    assert capped.expires_at == capped.ends_at < ends


async def test_a_token_is_limited_to_its_scopes_and_its_owners_role(world: World) -> None:
    """F-AC-01: named, scoped, hashed at rest, revocable."""
    owner = await world.person()
    place = await world.workspace(owner)
    token, credential = await make_token(world, owner, Scope.CHAT_READ)
    access = await world.identity.gate.access(credential, place)
    access.require(Permission.CHAT_READ)
    for permission in (Permission.CHAT_WRITE, Permission.WORKSPACE_READ, Permission.AUDIT_READ):
        with pytest.raises(KanalError, match=r"token\.scope_denied"):
            access.require(permission)
    assert access.scopes[0] == f"token:{token.id}"
    with pytest.raises(KanalError, match=r"auth\.session_required"):
        access.caller.require_session()
    with pytest.raises(KanalError, match=r"auth\.session_required"):
        access.caller.require_operator()
    await world.identity.gate.close()
    async with world.database.reading(None) as session:
        stored = await session.get(ApiToken, token.id)
    assert stored is not None
    assert stored.last_used_at is not None
    assert stored.token_hash == credential.digest
    async with world.database.transaction(None) as session:
        await sign_ins.revoke_token(session, await caller_of(world.database, owner.id), token.id)
    assert await refused(world, credential, place) == ("auth.invalid_token", Kind.UNAUTHENTICATED)
    assert f'"token:{token.id}"' in (await world.events(name="control.terminate"))[-1].payload


async def test_an_expired_token_is_refused(world: World) -> None:
    user = await world.person()
    token, credential = await make_token(world, user, Scope.PROFILE)
    async with world.database.transaction(None) as session:
        await session.execute(sa.update(ApiToken).where(ApiToken.id == token.id).values(expires_at=clock.now()))
    with pytest.raises(KanalError, match=r"auth\.invalid_token"):
        await world.identity.gate.caller(credential)


async def test_a_cookie_is_no_token_and_a_token_no_cookie(world: World) -> None:
    user = await world.person()
    _, cookie = await sign_in(world, user)
    _, token = await make_token(world, user, Scope.PROFILE)
    for credential in (Credential(cookie.digest, bearer=True), Credential(token.digest, bearer=False)):
        with pytest.raises(KanalError) as caught:
            await world.identity.gate.caller(credential)
        assert caught.value.kind is Kind.UNAUTHENTICATED


async def test_acting_for_a_person_obeys_the_same_rules(home: World) -> None:
    owner, stranger = await home.person(), await home.person()
    place = await home.workspace(owner)
    assert (await access_of(home.database, place, owner.id)).role is Role.OWNER
    for nobody in (stranger.id, new_id()):
        with pytest.raises(KanalError, match=r"workspace\.not_found"):
            await access_of(home.database, place, nobody)
    with pytest.raises(KanalError, match=r"user\.not_found"):
        await caller_of(home.database, new_id())


def test_an_access_cannot_be_made_up() -> None:
    """F-AC-04: the type means that somebody checked."""
    caller = Caller(user_id=new_id(), name="", email="", locale="en", is_operator=True)
    with pytest.raises(TypeError):
        WorkspaceAccess(
            workspace_id=new_id(),
            user_id=caller.user_id,
            name="",
            email="",
            role=Role.OWNER,
            plan=Plan.FREE,
            locale="en",
            caller=caller,
        )


def test_an_access_is_made_in_one_place() -> None:
    """F-AC-04: nothing outside `identity.access` calls the constructor or copies one with other values."""
    package = Path(kanal.__file__).parent
    makers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "WorkspaceAccess"
    }
    assert makers == {"identity/access.py"}
