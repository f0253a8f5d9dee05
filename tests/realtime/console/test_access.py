"""Who may look: whoever holds the token, and nobody who guesses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import structlog

from kanal.kit.errors import KanalError
from kanal.realtime.console.access import COOKIE, FAILURES, LIFETIME, PERIOD, Access, Failures
from kanal.realtime.console.asgi import MAX_BODY
from tests.realtime.console.conftest import TOKEN, Watched
from tests.realtime.harness import APP

QUESTIONS = ("state", "channels?app=1001", "tail?app=1001&channel=news")


def _visitor(here: Watched, **settings: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=here.http.base_url, trust_env=False, **settings)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_stranger_learns_nothing(here: Watched, question: str) -> None:
    async with _visitor(here) as stranger:
        for headers in ({}, {"authorization": "Bearer guess"}, {"authorization": TOKEN}, {"cookie": f"{COOKIE}=9.9"}):
            answer = await stranger.get(f"/console/api/{question}", headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "console.unauthorized"
            assert answer.headers["cache-control"] == "no-store"


async def test_a_browser_trades_the_token_for_a_cookie_no_script_can_read(here: Watched) -> None:
    async with _visitor(here) as browser:
        assert (await browser.get("/console/api/session")).json() == {"signed_in": False}
        signed_in = await browser.post("/console/api/session", json={"token": TOKEN})
        assert signed_in.status_code == 204
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/console" in cookie
        assert TOKEN not in cookie
        assert (await browser.get("/console/api/state")).status_code == 200
        assert (await browser.get("/console/api/session")).json() == {"signed_in": True}
        assert (await browser.delete("/console/api/session")).status_code == 204
        assert (await browser.get("/console/api/state")).status_code == 401


async def test_behind_tls_the_cookie_stays_on_tls(here: Watched) -> None:
    async with _visitor(here, headers={"x-forwarded-proto": "https"}) as browser:
        answer = await browser.post("/console/api/session", json={"token": TOKEN})
        assert "Secure" in answer.headers["set-cookie"]


async def test_whoever_guesses_is_slowed_down_and_whoever_is_in_stays_in(here: Watched) -> None:
    async with _visitor(here) as operator, _visitor(here) as guesser:
        await operator.post("/console/api/session", json={"token": TOKEN})
        for _ in range(FAILURES):
            wrong = await guesser.post("/console/api/session", json={"token": "guess"})
            assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "console.wrong_token")
        for token in ("guess", TOKEN):
            slowed = await guesser.post("/console/api/session", json={"token": token})
            assert (slowed.status_code, slowed.json()["error"]["code"]) == (429, "console.throttled")
            assert 0 < int(slowed.headers["retry-after"]) <= PERIOD
        assert (await operator.get("/console/api/state")).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"token": 1}', b"\xff", b"[" * 4000])
async def test_a_broken_sign_in_is_refused(here: Watched, body: bytes) -> None:
    answer = await here.http.post("/console/api/session", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request.invalid")


async def test_other_bad_requests(here: Watched) -> None:
    assert (await here.http.post("/console/api/session", content=b"x" * (MAX_BODY + 1))).status_code == 413
    assert (await here.http.put("/console/api/session")).status_code == 405
    assert (await here.http.post("/console/api/state")).status_code == 405
    assert (await here.http.get("/console/api/nothing")).status_code == 404


async def test_what_is_not_the_consoles_goes_on(here: Watched) -> None:
    for path in ("/consoles", "/", "/elsewhere"):
        assert (await here.http.get(path)).content == path.encode() + b" "


async def test_refusals_speak_the_readers_language(here: Watched) -> None:
    answer = await here.http.get("/console/api/channels?app=0", headers={"accept-language": "ja"})
    assert answer.json()["error"]["message"] == "このサーバーにそのアプリはありません。"
    assert answer.headers["content-language"] == "ja"


async def test_looking_on_leaves_a_line_in_the_log(here: Watched) -> None:
    with structlog.testing.capture_logs() as lines:
        async with here.tail(APP.id, "news"):
            pass
    assert [line for line in lines if line["event"] == "console.tailed"] == [
        {"event": "console.tailed", "log_level": "info", "app": APP.id, "channel": "news", "address": "127.0.0.1"}
    ]


def test_a_cookie_holds_for_its_time_and_for_this_token_only() -> None:
    now = 1_000_000.0
    access = Access("one", now=lambda: now)
    cookie = access.sign_in()
    assert access.is_signed_in(cookie)
    assert Access("one", now=lambda: now).is_signed_in(cookie), "another node with the same token"
    assert not Access("two", now=lambda: now).is_signed_in(cookie)
    assert not Access("one", now=lambda: now + LIFETIME + 1).is_signed_in(cookie)
    until, _, signature = cookie.partition(".")
    assert not access.is_signed_in(f"{int(until) + 60}.{signature}")
    for made_up in ("", ".", "x.y", "٣.y", f"{until}.é", until):
        assert not access.is_signed_in(made_up)


def test_failures_are_forgotten_after_their_time() -> None:
    now = [0.0]
    failures = Failures(lambda: now[0])
    for _ in range(FAILURES):
        failures.check("a")
        failures.add("a")
    failures.check("b")
    with pytest.raises(KanalError, match=r"console\.throttled"):
        failures.check("a")
    now[0] += PERIOD
    failures.check("a")
    failures.add("a")
    failures.check("a")
