"""Accounts, the first of them, and password resets. F-AC-01, F-AC-05."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from kanal.identity import jobs as identity_jobs
from kanal.identity.actions import accounts, sign_ins
from kanal.identity.audit import SYSTEM
from kanal.identity.models import PasswordReset, SignIn, User
from kanal.identity.passwords import AT_ONCE, WAITING, Passwords
from kanal.identity.rules import Locale
from kanal.kit import clock
from kanal.kit.errors import KanalError, Kind
from kanal.kit.ids import NIL
from kanal.kit.jobs import Job, JobContext
from kanal.kit.jobs.schedule import Nothing
from kanal.kit.mail import Mail
from tests.identity.world import PASSWORD, Browser, World, error_of

Open = Callable[..., Browser]


async def test_of_many_first_accounts_one_is_the_operators(world: World) -> None:
    """Stays the first test of this module: the database is empty."""
    results = await asyncio.gather(*(world.person() for _ in range(5)))
    assert sorted(user.is_operator for user in results) == [False] * 4 + [True]
    assert not (await world.person()).is_operator


async def test_an_address_is_taken_once_however_close_the_requests(world: World) -> None:
    account = await accounts.prepare(
        world.identity, name="Sari", email="twice@example.com", password=PASSWORD, locale=Locale.JAPANESE
    )

    async def create() -> User:
        async with world.database.transaction(None) as session:
            return await accounts.create_user(session, SYSTEM, account)

    results = await asyncio.gather(create(), create(), return_exceptions=True)
    refused = [r for r in results if isinstance(r, BaseException)]
    assert [getattr(r, "code", r) for r in refused] == ["auth.email_taken"]


async def reset_link(world: World, email: str) -> str:
    async with world.database.transaction(None) as session:
        accounts.ask_for_reset(session, world.identity, email=email, ip="192.0.2.1")
    await world.worker.drain()
    async with world.database.reading(None) as session:
        newest = (await world.identity.mailer.page(session, before=None, size=1))[0]
    assert (newest.to, newest.kind, newest.state) == (email, "reset", "logged")
    assert newest.link
    return newest.link.rpartition("/")[2]


async def test_a_reset_link_works_once_and_ends_every_sign_in(world: World) -> None:
    """F-AC-05."""
    user = await world.person()
    async with world.database.transaction(None) as session:
        await sign_ins.sign_in(session, world.identity, user, ip="192.0.2.1", user_agent="X")
    secret = await reset_link(world, user.email)
    changed = await world.identity.passwords.hash("a completely new one")

    async def reset() -> None:
        async with world.database.transaction(None) as session:
            await accounts.reset_password(session, secret=secret, password_hash=changed, ip="192.0.2.1")

    results = await asyncio.gather(reset(), reset(), return_exceptions=True)
    assert [getattr(r, "code", r) for r in results if r is not None] == ["reset.expired"]
    async with world.database.reading(None) as session:
        assert (await session.scalars(sa.select(SignIn).where(SignIn.user_id == user.id))).all() == []
        stored = await session.get(User, user.id)
    assert stored is not None
    assert await world.identity.passwords.verify(stored.password_hash, "a completely new one")
    assert (await world.actions(NIL))[-2:] == ["account.reset_requested", "account.password_reset"]


async def test_only_the_newest_reset_link_works(world: World) -> None:
    user = await world.person()
    first = await reset_link(world, user.email)
    await reset_link(world, user.email)
    with pytest.raises(KanalError, match=r"reset\.expired"):
        async with world.database.reading(None) as session:
            await accounts.find_reset(session, first, clock.now())


async def test_nothing_secret_is_readable_in_the_database(world: World) -> None:
    """F-AC-01, F-AC-05: neither reset links nor their e-mails."""
    user = await world.person()
    secret = await reset_link(world, user.email)
    async with world.database.reading(None) as session:
        mails = list(await session.scalars(sa.select(Mail.content)))
        resets = list(await session.scalars(sa.select(PasswordReset.token_hash)))
        payloads = [job.payload for job in await session.scalars(sa.select(Job))]
    assert all(secret not in text and user.email not in text for text in [*mails, *payloads])
    assert secret.encode() not in resets


async def test_what_has_run_out_is_pruned(world: World) -> None:
    user = await world.person()
    secret = await reset_link(world, user.email)
    async with world.database.transaction(None) as session:
        await session.execute(sa.update(PasswordReset).values(expires_at=clock.now()))
    await identity_jobs.prune(JobContext(world.database, 1, None, 1, False), Nothing())
    async with world.database.reading(None) as session:
        assert (await session.scalars(sa.select(PasswordReset))).all() == []
        with pytest.raises(KanalError, match=r"reset\.expired"):
            await accounts.find_reset(session, secret, clock.now())


async def test_forgetting_the_password_over_http(browser: Open, home: World) -> None:
    """F-AC-05: the answer is the same for an address nobody has."""
    me = browser()
    email = (await me.register(locale="id"))["user"]["email"]
    known = await browser().post("/auth/password/forgot", {"email": email})
    unknown = await browser().post("/auth/password/forgot", {"email": "nobody@example.com"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, unknown.content)
    await home.worker.drain()
    async with home.database.reading(None) as session:
        mails = await home.identity.mailer.page(session, before=None, size=10)
    assert (mails[0].to, mails[0].subject) == (email, "Pilih kata sandi baru")
    assert "nobody@example.com" not in [mail.to for mail in mails]
    assert mails[0].link
    assert mails[0].link.startswith("http://testserver/reset-password/")
    token = mails[0].link.rpartition("/")[2]
    weak = await browser().post("/auth/password/reset", {"token": token, "password": "short"})
    assert weak.status_code == 422
    body = {"token": token, "password": "yang baru sekali"}
    assert (await browser().post("/auth/password/reset", body)).status_code == 204
    assert error_of(await browser().post("/auth/password/reset", body)) == (422, "reset.expired")
    assert (await me.get("/auth/user")).status_code == 401
    assert (await browser().sign_in(email, "yang baru sekali")).status_code == 200


async def test_hashes_are_argon2id_and_renewed_when_the_parameters_change(browser: Open, home: World) -> None:
    """F-AC-05."""
    assert (await Passwords().hash("x")).startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    user = await home.person()
    old = await Passwords(time_cost=2, memory_cost=16).hash(PASSWORD)
    async with home.database.transaction(None) as session:
        await session.execute(sa.update(User).where(User.id == user.id).values(password_hash=old))
    assert (await browser().sign_in(user.email)).status_code == 200
    async with home.database.reading(None) as session:
        stored = await session.get(User, user.id)
    assert stored is not None
    assert stored.password_hash != old
    assert not home.identity.passwords.is_outdated(stored.password_hash)


async def test_too_many_hashes_at_once_are_turned_away(home: World) -> None:
    """F-AC-05: each costs 46 MiB; a flood of sign-ins must not eat the machine."""
    passwords = home.identity.passwords
    tries = (passwords.verify(None, "x") for _ in range(AT_ONCE + WAITING + 20))
    await passwords.verify(None, "x")
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [r for r in results if isinstance(r, KanalError)]
    assert len(refused) == 20
    assert {(r.kind, r.retry_after) for r in refused} == {(Kind.UNAVAILABLE, 2)}


async def test_a_broken_stored_hash_is_no_way_in(home: World) -> None:
    assert not await home.identity.passwords.verify("!", "x")
    assert home.identity.passwords.is_outdated("!")
