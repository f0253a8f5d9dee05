"""Guessing is slow. F-AC-05."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from kanal.kit.throttle import Limit
from tests.identity.world import NO_THROTTLES, PASSWORD, Browser, World, error_of, make_app, make_world

THREE = Limit("few", 3, timedelta(minutes=10))


@pytest.fixture
async def narrow(sqlite_url: str) -> AsyncIterator[World]:
    throttles = msgspec.structs.replace(
        NO_THROTTLES, login_account=Limit("acc", 3, timedelta(minutes=10)), register_ip=THREE, forgot_email=THREE
    )
    async with make_world(sqlite_url, throttles=throttles) as made:
        yield made


async def test_guessing_a_password_stops_after_a_few_tries(narrow: World) -> None:
    app, user = make_app(narrow.identity), await narrow.person()
    attacker, owner = Browser(app, ip="192.0.2.66"), Browser(app, ip="192.0.2.1")
    for _ in range(3):
        assert error_of(await attacker.sign_in(user.email, "a wrong guess")) == (401, "auth.invalid_credentials")
    stopped = await attacker.sign_in(user.email)
    assert error_of(stopped) == (429, "rate.limited")
    assert 590 < int(stopped.headers["retry-after"]) <= 600
    assert stopped.json()["error"]["retry_after"] == int(stopped.headers["retry-after"])
    assert (await owner.sign_in(user.email)).status_code == 200, "the owner, elsewhere, is not locked out"
    assert (await attacker.sign_in((await narrow.person()).email)).status_code == 200, "nor is anybody else"
    for each in (attacker, owner):
        await each.http.aclose()


async def test_an_unknown_address_is_throttled_alike(narrow: World) -> None:
    attacker = Browser(make_app(narrow.identity), ip="192.0.2.67")
    answers = [error_of(await attacker.sign_in("nobody@example.com", "guess")) for _ in range(4)]
    assert answers == [(401, "auth.invalid_credentials")] * 3 + [(429, "rate.limited")]
    await attacker.http.aclose()


async def test_signing_in_rightly_never_counts(narrow: World) -> None:
    user = await narrow.person()
    me = Browser(make_app(narrow.identity), ip="192.0.2.68")
    assert {(await me.sign_in(user.email)).status_code for _ in range(8)} == {200}
    await me.http.aclose()


async def test_registrations_and_forgotten_passwords_are_limited(narrow: World) -> None:
    me = Browser(make_app(narrow.identity), ip="192.0.2.69")
    for number in range(3):
        body = {"name": "A", "email": f"flood{number}@example.com", "password": PASSWORD}
        assert (await me.post("/auth/register", body)).status_code == 201
    body = {"name": "A", "email": "flood9@example.com", "password": PASSWORD}
    assert error_of(await me.post("/auth/register", body)) == (429, "rate.limited")
    answers = [(await me.post("/auth/password/forgot", {"email": "victim@example.com"})).status_code for _ in range(4)]
    assert answers == [202, 202, 202, 429]
    await me.http.aclose()
