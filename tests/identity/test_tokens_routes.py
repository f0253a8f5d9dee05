"""API tokens over HTTP. F-AC-01."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from kanal.identity.actions.sign_ins import MAX_TOKENS
from tests.identity.world import PUBLIC_URL, Browser, error_of

Open = Callable[..., Browser]
SECRET_SHOWN = {"id", "name", "scopes", "prefix", "created_at", "last_used_at", "expires_at", "secret"}


async def call(
    app: Any, secret: str, method: str, path: str, body: Any = None, *, scheme: str = "Bearer"
) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=PUBLIC_URL) as client:
        headers = {"authorization": f"{scheme} {secret}"}
        return await client.request(method, f"/api/v1{path}", json=body, headers=headers)


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(browser: Open, app: Any) -> None:
    me = browser()
    await me.register()
    made = await me.post("/auth/tokens", {"name": " CI ", "scopes": ["workspace:read", "profile"]})
    assert made.status_code == 201
    token = made.json()
    assert set(token) == SECRET_SHOWN
    assert (token["name"], token["scopes"]) == ("CI", ["profile", "workspace:read"])
    assert token["secret"].startswith(token["prefix"])
    assert token["secret"].startswith("kanal_")
    listed = (await me.get("/auth/tokens")).json()["items"]
    assert [item["id"] for item in listed] == [token["id"]]
    assert "secret" not in listed[0]
    session = await call(app, token["secret"], "GET", "/auth/user")
    assert (session.status_code, session.json()["csrf_token"]) == (200, "")
    assert (await call(app, token["secret"], "GET", "/auth/user", scheme="bearer")).status_code == 200
    assert (await me.call("DELETE", f"/auth/tokens/{token['id']}")).status_code == 204
    assert error_of(await call(app, token["secret"], "GET", "/auth/user")) == (401, "auth.invalid_token")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/sessions", None),
        ("POST", "/auth/sessions/revoke-others", None),
        ("GET", "/auth/tokens", None),
        ("POST", "/auth/tokens", {"name": "More", "scopes": ["profile"]}),
        ("POST", "/auth/password", {"current_password": "x", "new_password": "something new"}),
        ("POST", "/auth/logout", None),
        ("GET", "/admin/mail", None),
    ],
)
async def test_a_token_does_not_change_how_its_owner_signs_in(
    browser: Open, app: Any, method: str, path: str, body: Any
) -> None:
    me = browser()
    await me.register()
    scopes = ["profile", "workspace:read", "workspace:write", "chat:read", "chat:write"]
    secret = (await me.post("/auth/tokens", {"name": "CI", "scopes": scopes})).json()["secret"]
    assert error_of(await call(app, secret, method, path, body)) == (403, "auth.session_required")


async def test_scopes_hold_over_http(browser: Open, app: Any) -> None:
    me = browser()
    place = (await me.register(workspace_name="Toko"))["workspaces"][0]["id"]
    reader = (await me.post("/auth/tokens", {"name": "R", "scopes": ["workspace:read"]})).json()["secret"]
    chatter = (await me.post("/auth/tokens", {"name": "C", "scopes": ["chat:read"]})).json()["secret"]
    assert (await call(app, reader, "GET", f"/workspaces/{place}/members")).status_code == 200
    assert error_of(await call(app, reader, "PATCH", f"/workspaces/{place}", {"name": "X"})) == (
        403,
        "token.scope_denied",
    )
    assert error_of(await call(app, reader, "GET", "/auth/user")) == (403, "token.scope_denied")
    for path in ("/workspaces", f"/workspaces/{place}", f"/workspaces/{place}/audit"):
        assert error_of(await call(app, chatter, "GET", path)) == (403, "token.scope_denied")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic a2FuYWw6eA==", "Bearer kanal_unknown", "kanal_x"])
async def test_other_authorizations_are_refused_even_beside_a_good_cookie(browser: Open, header: str) -> None:
    me = browser()
    await me.register()
    assert error_of(await me.get("/auth/user", authorization=header)) == (401, "auth.invalid_token")


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": ""}, 422, "name"),
        ({"scopes": []}, 422, "scopes"),
        ({"scopes": ["root"]}, 422, "scopes"),
        ({"scopes": "profile"}, 400, "scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, 400, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59Z"}, 422, "expires_at"),
        ({"expires_at": "tomorrow"}, 400, "expires_at"),
    ],
)
async def test_bad_tokens_are_refused_by_field(browser: Open, change: dict[str, Any], status: int, field: str) -> None:
    me = browser()
    await me.register()
    answer = await me.post("/auth/tokens", {"name": "CI", "scopes": ["profile"], **change})
    assert answer.status_code == status, answer.text
    assert field in answer.json()["error"]["fields"]


async def test_nobody_hoards_tokens_or_revokes_anothers(browser: Open) -> None:
    me, other = browser(), browser()
    await me.register()
    await other.register()
    made = [await me.post("/auth/tokens", {"name": f"T{n}", "scopes": ["profile"]}) for n in range(MAX_TOKENS)]
    assert error_of(await me.post("/auth/tokens", {"name": "T", "scopes": ["profile"]})) == (409, "token.too_many")
    assert error_of(await other.call("DELETE", f"/auth/tokens/{made[0].json()['id']}")) == (404, "token.not_found")
