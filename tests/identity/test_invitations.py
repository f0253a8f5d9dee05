"""Invitations, from sending to joining. F-AC-03."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kanal.identity.actions import invitations
from kanal.identity.audit import SYSTEM
from kanal.identity.models import Invitation
from kanal.identity.queries.invitations import invitations_of, link_of, preview
from kanal.identity.rules import Plan, Role
from kanal.kit import clock
from kanal.kit.errors import KanalError
from tests.identity.world import PASSWORD, Browser, World, error_of

Open = Callable[..., Browser]


async def invite(world: World, access: object, email: str, role: Role = Role.AGENT) -> tuple[Invitation, str]:
    async with world.database.transaction(access.workspace_id) as session:  # type: ignore[attr-defined]
        made = await invitations.invite(session, world.identity, access, email=email, role=role)  # type: ignore[arg-type]
    link = link_of(world.identity, made)
    assert link is not None
    return made, link.rpartition("/")[2]


async def test_an_invitation_leads_in_once(world: World) -> None:
    owner, guest = await world.person(), await world.person("Budi")
    place = await world.workspace(owner)
    access = await world.access(place, owner)
    made, secret = await invite(world, access, guest.email.upper(), Role.ADMIN)
    async with world.database.reading(None) as session:
        shown = await preview(session, secret)
    assert (shown.workspace.name, shown.role, shown.email, shown.invited_by_name) == (
        "Toko Maju",
        "admin",
        guest.email,
        owner.name,
    )
    assert shown.account_exists

    async def accept() -> None:
        async with world.database.transaction(place) as session:
            await invitations.accept(session, SYSTEM, user=guest, secret=secret)

    results = await asyncio.gather(accept(), accept(), return_exceptions=True)
    assert [getattr(r, "code", r) for r in results if r is not None] == ["invitation.not_found"]
    assert (await world.access(place, guest)).role is Role.ADMIN
    async with world.database.reading(place) as session:
        listed = await invitations_of(session, world.identity, access)
    assert [(item.id, item.link) for item in listed] == [(made.id, None)]
    assert listed[0].accepted_at


async def test_the_token_is_not_readable_in_the_database(world: World) -> None:
    owner = await world.person()
    place = await world.workspace(owner)
    made, secret = await invite(world, await world.access(place, owner), "new@example.com")
    assert secret not in made.token_sealed
    assert secret.encode() not in made.token_hash


async def test_an_address_has_one_open_invitation(world: World) -> None:
    owner, member = await world.person(), await world.person()
    place = await world.workspace(owner)
    await world.join(place, member)
    access = await world.access(place, owner)
    first, _ = await invite(world, access, "new@example.com")
    for email, code in (("NEW@example.com", "invitation.exists"), (member.email, "member.exists")):
        with pytest.raises(KanalError, match=code):
            await invite(world, access, email)
    async with world.database.transaction(place) as session:
        await session.execute(sa.update(Invitation).values(expires_at=clock.now() - timedelta(seconds=1)))
    again, _ = await invite(world, access, "new@example.com")
    async with world.database.reading(place) as session:
        assert [item.id for item in await invitations_of(session, world.identity, access)] == [again.id] != [first.id]


async def test_expired_and_withdrawn_invitations_lead_nowhere(world: World) -> None:
    owner, guest = await world.person(), await world.person()
    place = await world.workspace(owner)
    access = await world.access(place, owner)
    made, secret = await invite(world, access, guest.email)
    async with world.database.transaction(place) as session:
        await session.execute(sa.update(Invitation).where(Invitation.id == made.id).values(expires_at=clock.now()))
    with pytest.raises(KanalError, match=r"invitation\.not_found"):
        async with world.database.transaction(place) as session:
            await invitations.accept(session, SYSTEM, user=guest, secret=secret)
    async with world.database.transaction(place) as session:
        await invitations.resend(session, world.identity, access, made.id)
    async with world.database.reading(None) as session:
        assert (await preview(session, secret)).role == "agent"
    async with world.database.transaction(place) as session:
        await invitations.revoke(session, access, made.id)
    with pytest.raises(KanalError, match=r"invitation\.not_found"):
        async with world.database.reading(None) as session:
            await preview(session, secret)


async def test_open_invitations_count_as_members(home: World) -> None:
    """F-AC-02."""
    owner = await home.person()
    place = await home.workspace(owner, plan=Plan.FREE)
    access = await home.access(place, owner)
    for number in range(9):
        await invite(home, access, f"guest{number}@example.com")
    with pytest.raises(KanalError, match=r"plan\.members_reached"):
        await invite(home, access, "one.more@example.com")


async def test_an_admin_does_not_invite_owners(home: World) -> None:
    owner, admin = await home.person(), await home.person()
    place = await home.workspace(owner)
    access = await home.join(place, admin, Role.ADMIN)
    with pytest.raises(KanalError, match=r"permission\.denied"):
        await invite(home, access, "new@example.com", Role.OWNER)


async def test_a_workspace_does_not_see_anothers_invitations(home: World) -> None:
    """F-AC-04."""
    one, other = await home.person(), await home.person()
    mine, theirs = await home.workspace(one), await home.workspace(other)
    made, _ = await invite(home, await home.access(mine, one), "new@example.com")
    access = await home.access(theirs, other)
    for action in (
        lambda session: invitations.resend(session, home.identity, access, made.id),
        lambda session: invitations.revoke(session, access, made.id),
    ):
        with pytest.raises(KanalError, match=r"invitation\.not_found"):
            async with home.database.transaction(theirs) as session:
                await action(session)


async def test_a_stranger_joins_by_registering_with_the_link(browser: Open, home: World) -> None:
    """F-AC-03: also where registration is closed to others."""
    owner = browser()
    place = (await owner.register("Owner", workspace_name="Toko", locale="ja"))["workspaces"][0]["id"]
    object.__setattr__(home.identity, "allow_registration", False)
    answer = await owner.post(f"/workspaces/{place}/invitations", {"email": "Guest@Example.com", "role": "agent"})
    assert answer.status_code == 201
    token = answer.json()["link"].removeprefix("http://testserver/invitations/")
    guest = browser()
    shown = await guest.get(f"/invitations/{token}")
    assert shown.json() == {
        "workspace": {"name": "Toko"},
        "email": "guest@example.com",
        "role": "agent",
        "invited_by_name": "Owner",
        "expires_at": answer.json()["expires_at"],
        "account_exists": False,
    }
    body = {"name": "Guest", "password": PASSWORD, "invitation": token}
    other = await guest.post("/auth/register", {**body, "email": "somebody@example.com"})
    assert error_of(other) == (403, "invitation.other_email")
    joined = await guest.post("/auth/register", {**body, "email": "guest@example.com"})
    assert [(w["id"], w["role"]) for w in joined.json()["workspaces"]] == [(place, "agent")]
    assert error_of(await guest.get(f"/invitations/{token}")) == (404, "invitation.not_found")
    await home.worker.drain()
    async with home.database.reading(None) as session:
        mails = await home.identity.mailer.page(session, before=None, size=5)
    assert [(m.to, m.subject, m.state) for m in mails if m.to == "guest@example.com"] == [
        ("guest@example.com", "Owner さんから Toko への招待", "logged")
    ]


async def test_an_account_joins_by_accepting(browser: Open) -> None:
    """F-AC-03: a person in several workspaces; the address must be theirs."""
    owner, guest, thief = browser(), browser(), browser()
    place = (await owner.register("Owner", workspace_name="Toko"))["workspaces"][0]["id"]
    email = (await guest.register("Guest", workspace_name="Mine"))["user"]["email"]
    await thief.register("Thief")
    link = (await owner.post(f"/workspaces/{place}/invitations", {"email": email, "role": "viewer"})).json()["link"]
    path = f"/invitations/{link.rpartition('/')[2]}/accept"
    assert error_of(await browser().post(path)) == (401, "auth.required")
    assert error_of(await thief.post(path)) == (403, "invitation.other_email")
    joined = await guest.post(path)
    assert (joined.status_code, joined.json()["id"], joined.json()["role"]) == (200, place, "viewer")
    assert len((await guest.get("/workspaces")).json()["items"]) == 2
    assert error_of(await guest.post(path)) == (404, "invitation.not_found")


async def test_an_invitation_that_names_no_token_is_not_found(browser: Open) -> None:
    for token in ("x", "%00", "a" * 3000, "%F0%9F%98%80"):
        assert error_of(await browser().get(f"/invitations/{token}")) == (404, "invitation.not_found")
