"""Registering, signing in and out, over HTTP. F-AC-01, F-AC-05."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kanal.kit.ids import NIL
from tests.identity.world import PASSWORD, Browser, World, error_of

Open = Callable[..., Browser]


async def test_registering_signs_in_and_founds_the_workspace(browser: Open, home: World) -> None:
    """F-AC-01, F-AC-02."""
    me = browser()
    session = await me.register("Sari", workspace_name="Toko Maju Jaya", locale="id")
    assert session["user"]["locale"] == "id"
    assert session["user"]["theme"] == "system"
    assert [(w["name"], w["role"], w["status"], w["plan"]) for w in session["workspaces"]] == [
        ("Toko Maju Jaya", "owner", "active", "free")
    ]
    assert session["workspaces"][0]["slug"].startswith("toko-maju-jaya")
    assert session["realtime"]["key"] == "app-key"
    again = await me.get("/auth/user")
    assert again.json() == session
    assert await home.actions(NIL) != []


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Open) -> None:
    """F-AC-01: HttpOnly, SameSite=Lax, for the whole site, not Secure without https."""
    me = browser()
    session = await me.register()
    answer = await me.sign_in(session["user"]["email"])
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("kanal_session="))
    for word in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"):
        assert word in cookie
    assert "Secure" not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_a_page_can_see_that_there_is_a_session_and_nothing_of_it(browser: Open) -> None:
    """F-AC-01: a mark that scripts read stands and falls with the session's cookie."""
    me = browser()
    session = await me.register()
    answer = await me.sign_in(session["user"]["email"])
    mark = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("kanal_signed_in="))
    assert mark.startswith("kanal_signed_in=1;")
    assert "HttpOnly" not in mark
    for word in ("SameSite=lax", "Path=/", "Max-Age=2592000"):
        assert word in mark
    await me.post("/auth/logout")
    assert "kanal_signed_in" not in me.http.cookies


async def test_everybody_sees_what_happened_to_their_own_account(browser: Open) -> None:
    """F-AC-06: also what somebody else tried; nothing of other accounts; page by page."""
    me, other = browser(), browser(ip="192.0.2.7")
    email = (await me.register())["user"]["email"]
    await other.register("Budi")
    thief = browser(ip="192.0.2.99")
    assert (await thief.sign_in(email, "a guess at it")).status_code == 401
    token = (await me.post("/auth/tokens", {"name": "Report", "scopes": ["profile"]})).json()
    await me.call("DELETE", f"/auth/tokens/{token['id']}")
    await me.post("/auth/sessions/revoke-others")
    everything = (await me.get("/auth/activity")).json()
    assert [(item["action"], item["ip"]) for item in everything["items"]] == [
        ("session.revoked_others", "127.0.0.1"),
        ("token.revoked", "127.0.0.1"),
        ("token.created", "127.0.0.1"),
        ("session.refused", "192.0.2.99"),
        ("session.created", "127.0.0.1"),
        ("account.created", "127.0.0.1"),
    ]
    assert everything["next_cursor"] is None
    paged: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await me.get(f"/auth/activity?limit=2{cursor and '&cursor='}{cursor}")).json()
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == everything["items"]
    assert [item["action"] for item in (await other.get("/auth/activity")).json()["items"]] == [
        "session.created",
        "account.created",
    ]
    assert error_of(await thief.get("/auth/activity")) == (401, "auth.required")


async def test_a_token_does_not_see_the_activity_of_its_account(browser: Open) -> None:
    me = browser()
    await me.register()
    secret = (await me.post("/auth/tokens", {"name": "Report", "scopes": ["profile"]})).json()["secret"]
    program = browser()
    assert (await program.get("/auth/activity", Authorization=f"Bearer {secret}")).status_code == 403


async def test_signing_out_ends_the_session_for_good(browser: Open) -> None:
    """F-AC-01: the cookie is removed, and is worth nothing to whoever copied it."""
    me = browser()
    await me.register()
    stolen = me.http.cookies["kanal_session"]
    assert (await me.post("/auth/logout")).status_code == 204
    assert "kanal_session" not in me.http.cookies
    assert error_of(await me.get("/auth/user")) == (401, "auth.required")
    thief = browser()
    thief.http.cookies.set("kanal_session", stolen)
    assert error_of(await thief.get("/auth/user")) == (401, "auth.session_expired")


async def test_wrong_password_and_unknown_address_are_told_apart_by_nobody(browser: Open, home: World) -> None:
    """F-AC-05."""
    me = browser()
    session = await me.register()
    wrong = await browser().sign_in(session["user"]["email"], "not the password")
    unknown = await browser().sign_in("nobody@example.com", "not the password")
    assert error_of(wrong) == error_of(unknown) == (401, "auth.invalid_credentials")
    assert wrong.json()["error"]["message"] == unknown.json()["error"]["message"]
    assert (await home.actions(NIL))[-2:] == ["session.refused", "session.refused"]


async def test_an_address_is_the_same_in_any_case_and_only_once(browser: Open) -> None:
    me = browser()
    session = await me.register()
    email = session["user"]["email"]
    assert (await browser().sign_in(f"  {email.upper()} ")).status_code == 200
    again = await browser().post("/auth/register", {"name": "X", "email": email.upper(), "password": PASSWORD})
    assert error_of(again) == (409, "auth.email_taken")
    assert again.json()["error"]["fields"]["email"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("email", "not an address", 422),
        ("email", "a@b\u0000.com", 422),
        ("email", 5, 400),
        ("name", " \u200b\u202e ", 422),
        ("name", "x" * 81, 422),
        ("name", "x" * 5000, 400),
        ("password", "short", 422),
        ("password", "p" * 500, 422),
        ("password", "password1234" * 100, 400),
        ("password", "aaaaaaaaaaaaaaa", 422),
        ("locale", "xx", 400),
        ("workspace_name", "\u0007", 422),
        ("surprise", True, 400),
    ],
)
async def test_a_body_that_breaks_a_rule_names_the_field(browser: Open, field: str, value: Any, status: int) -> None:
    body = {"name": "Sari", "email": "sari@example.com", "password": PASSWORD, field: value}
    answer = await browser().post("/auth/register", body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["fields"][field][0]


async def test_errors_speak_the_callers_language(browser: Open) -> None:
    """F-UI-04: the account's language over the browser's, and ``?lang=`` over both."""
    me = browser()
    await me.register(locale="ja")
    body = {"current_password": "wrong", "new_password": "something longer"}
    answer = await me.post("/auth/password", body, **{"Accept-Language": "id"})
    assert answer.json()["error"]["fields"]["current_password"] == ["現在のパスワードが違います。"]
    answer = await me.post("/auth/password?lang=id", body)
    assert answer.json()["error"]["fields"]["current_password"] == ["Ini bukan kata sandi Anda saat ini."]


async def test_registration_can_be_closed(browser: Open, home: World) -> None:
    object.__setattr__(home.identity, "allow_registration", False)
    answer = await browser().post("/auth/register", {"name": "A", "email": "a@example.com", "password": PASSWORD})
    assert error_of(answer) == (403, "auth.registration_closed")


async def test_profile_changes_and_unknown_keys_do_not(browser: Open) -> None:
    me = browser()
    await me.register()
    changed = await me.call("PATCH", "/auth/user", {"name": "  Budi\tSantoso ", "theme": "dark", "locale": "id"})
    assert (changed.json()["name"], changed.json()["theme"], changed.json()["locale"]) == ("Budi Santoso", "dark", "id")
    assert error_of(await me.call("PATCH", "/auth/user", {"is_operator": True})) == (400, "request.invalid")


async def test_signing_in_again_replaces_the_sign_in_of_the_same_browser(browser: Open) -> None:
    me = browser()
    session = await me.register()
    await me.sign_in(session["user"]["email"])
    assert len((await me.get("/auth/sessions")).json()["items"]) == 1


async def test_sessions_are_listed_and_revoked(browser: Open, home: World) -> None:
    """F-AC-05: and the sockets of a revoked one are closed for good."""
    laptop, phone, tablet = browser(), browser(), browser()
    email = (await laptop.register())["user"]["email"]
    await phone.sign_in(email)
    await tablet.sign_in(email)
    items = (await laptop.get("/auth/sessions")).json()["items"]
    assert sorted(item["current"] for item in items) == [False, False, True]
    assert set(items[0]) == {"id", "current", "user_agent", "ip", "created_at", "last_seen_at", "expires_at"}
    gone = next(item["id"] for item in items if not item["current"])
    assert (await laptop.call("DELETE", f"/auth/sessions/{gone}")).status_code == 204
    assert error_of(await laptop.call("DELETE", f"/auth/sessions/{gone}")) == (404, "session.not_found")
    ended = (await home.events(name="control.terminate"))[-1]
    assert f'"session:{gone}"' in ended.payload
    assert "4009" in ended.payload
    assert (await laptop.post("/auth/sessions/revoke-others")).status_code == 204
    assert [item["current"] for item in (await laptop.get("/auth/sessions")).json()["items"]] == [True]
    for other in (phone, tablet):
        assert error_of(await other.get("/auth/user")) == (401, "auth.session_expired")


async def test_nobody_ends_a_strangers_session(browser: Open) -> None:
    me, stranger = browser(), browser()
    await me.register()
    await stranger.register()
    mine = (await me.get("/auth/sessions")).json()["items"][0]["id"]
    assert error_of(await stranger.call("DELETE", f"/auth/sessions/{mine}")) == (404, "session.not_found")


async def test_changing_the_password_ends_the_other_sign_ins(browser: Open) -> None:
    """F-AC-05."""
    me, other = browser(), browser()
    email = (await me.register())["user"]["email"]
    await other.sign_in(email)
    short = await me.post("/auth/password", {"current_password": PASSWORD, "new_password": "short"})
    assert short.json()["error"]["fields"]["new_password"]
    body = {"current_password": PASSWORD, "new_password": "a brand new one"}
    assert (await me.post("/auth/password", body)).status_code == 204
    assert (await me.get("/auth/user")).status_code == 200
    assert (await other.get("/auth/user")).status_code == 401
    assert (await browser().sign_in(email)).status_code == 401
    assert (await browser().sign_in(email, "a brand new one")).status_code == 200
