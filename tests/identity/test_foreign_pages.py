"""A page of another site cannot act for whoever is signed in here. F-AC-01."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from kanal.kit.crypto import KeyRing
from tests.identity.world import PASSWORD, PUBLIC_URL, Browser, World, error_of, make_app

Open = Callable[..., Browser]
FAILED = (403, "csrf.failed")


async def test_a_change_by_cookie_needs_the_token_of_this_sign_in(browser: Open) -> None:
    me, other = browser(), browser()
    email = (await me.register())["user"]["email"]
    await other.sign_in(email)
    mine, theirs = me.csrf, other.csrf
    assert mine != theirs
    me.csrf = None
    assert error_of(await me.call("PATCH", "/auth/user", {"theme": "dark"})) == FAILED
    for wrong in (theirs, "", "x", str(mine) + "0"):
        answer = await me.call("PATCH", "/auth/user", {"theme": "dark"}, **{"X-CSRF-Token": str(wrong)})
        assert error_of(answer) == FAILED
    assert (await me.get("/auth/user")).json()["user"]["theme"] == "system"
    me.csrf = mine
    assert (await me.call("PATCH", "/auth/user", {"theme": "dark"})).status_code == 200


async def test_the_token_stays_the_same_over_a_key_rotation(browser: Open, home: World) -> None:
    me = browser()
    await me.register()
    rotated = replace(home.identity, keys=KeyRing(["n" * 40, "k" * 40]))
    new_app = httpx.AsyncClient(transport=httpx.ASGITransport(app=make_app(rotated)), base_url=PUBLIC_URL)
    new_app.cookies = me.http.cookies
    async with new_app:
        answer = await new_app.patch(
            "/api/v1/auth/user", json={"theme": "dark"}, headers={"X-CSRF-Token": str(me.csrf)}
        )
    assert answer.status_code == 200
    await rotated.close()


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"origin": "http://testserver"}, True),
        ({"origin": "HTTP://TestServer"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://testserver.evil.example"}, False),
        ({"origin": "http://testserver@evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://[broken"}, False),
        ({"origin": "chrome-extension://testserver"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({}, True),
    ],
)
async def test_only_our_own_page_may_change_or_sign_in(browser: Open, headers: dict[str, str], allowed: bool) -> None:
    """Signing in too: nobody is to be signed in to an account that somebody else reads."""
    me = browser()
    email = (await me.register())["user"]["email"]
    del me.http.headers["origin"]
    answer = await me.call("PATCH", "/auth/user", {"theme": "dark"}, **headers)
    assert answer.status_code == (200 if allowed else 403)
    for path, body in (
        ("/auth/login", {"email": email, "password": PASSWORD}),
        ("/auth/password/forgot", {"email": "nobody@example.com"}),
    ):
        answer = await me.call("POST", path, body, **headers)
        assert answer.status_code < 300 if allowed else error_of(answer) == FAILED


async def test_the_page_may_be_opened_by_another_name_than_the_public_one(browser: Open) -> None:
    """`localhost` instead of `127.0.0.1`: the browser's own Host header is what its cookies belong to."""
    me = browser()
    await me.register()
    answer = await me.call(
        "PATCH", "/auth/user", {"theme": "dark"}, Origin="http://localhost:8000", Host="localhost:8000"
    )
    assert answer.status_code == 200


async def test_a_bearer_token_needs_no_csrf_and_no_origin(browser: Open, app: Any) -> None:
    """No browser adds it by itself."""
    me = browser()
    await me.register()
    secret = (await me.post("/auth/tokens", {"name": "CI", "scopes": ["profile"]})).json()["secret"]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as program:
        headers = {"authorization": f"Bearer {secret}", "origin": "http://evil.example"}
        answer = await program.patch("/api/v1/auth/user", json={"theme": "dark"}, headers=headers)
    assert answer.status_code == 200


async def test_cookies_are_secure_under_https(home: World) -> None:
    secured = replace(home.identity, public_url="https://chat.example.com")
    transport = httpx.ASGITransport(app=make_app(secured))
    async with httpx.AsyncClient(transport=transport, base_url="https://chat.example.com") as client:
        body = {"name": "Sari", "email": "secure@example.com", "password": PASSWORD}
        answer = await client.post("/api/v1/auth/register", json=body)
    assert ["Secure" in cookie for cookie in answer.headers.get_list("set-cookie")] == [True, True]
    await secured.close()


async def test_a_stranger_learns_nothing_from_how_a_body_fails(browser: Open) -> None:
    """Signing in is asked for before the body is read."""
    nobody = browser()
    for body in ({"surprise": 1}, "not an object", {"name": "CI", "scopes": ["profile"]}):
        assert error_of(await nobody.post("/auth/tokens", body)) == (401, "auth.required")
