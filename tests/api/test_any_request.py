"""Requests nobody would write, made from the OpenAPI document: never a 500, and every error in the one form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.kanal_process import KanalProcess

DOCUMENT = json.loads((Path(__file__).parents[2] / "web/src/api/openapi.json").read_text())
OPERATIONS: dict[str, Any] = {
    found.ok().label: found.ok()  # type: ignore[union-attr]  # a broken document fails here, as it should
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
EXAMPLES = 12  # per operation; a longer hunt is `pytest tests/api --hypothesis-profile=…`
# What no SQL, header or file name should meet unprepared.
NASTY = [
    "",
    " ",
    "\x00",
    "'; DROP TABLE users; --",
    "../../etc/passwd",
    "%00",
    "𝕏" * 300,
    "\u202egnp.exe",
    "🏳️‍🌈",
    "-1",
    "1e400",
]


@dataclass
class Target:
    """A running server, somebody signed in, and ids that exist."""

    process: KanalProcess
    http: httpx.Client
    known: dict[str, str]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with KanalProcess(tmp_path_factory.mktemp("any"), "serve") as process:
        made = _prepare(process)
        yield made
        made.http.close()


def _prepare(process: KanalProcess) -> Target:
    with httpx.Client(base_url=process.url, timeout=30) as browser:
        account = {"name": "Fuzz", "email": "fuzz@example.com", "password": uuid4().hex, "workspace_name": "Fuzz"}
        session = browser.post("/api/v1/auth/register", json=account).raise_for_status().json()
        csrf = {"X-CSRF-Token": session["csrf_token"]}
        scopes = ["profile", "workspace:read", "workspace:write", "chat:read", "chat:write"]
        token = browser.post("/api/v1/auth/tokens", json={"name": "t", "scopes": scopes}, headers=csrf).json()["secret"]
    http = httpx.Client(base_url=process.url, timeout=30, headers={"authorization": f"Bearer {token}"})
    workspace = session["workspaces"][0]["id"]
    room = http.post(f"/api/v1/workspaces/{workspace}/chat/rooms", json={"name": "any"}).raise_for_status().json()["id"]
    message = http.post(
        f"/api/v1/workspaces/{workspace}/chat/rooms/{room}/messages", json={"client_id": str(uuid4()), "body": "any"}
    ).json()["id"]
    known = {"ws": workspace, "room_id": room, "message_id": message, "user_id": session["user"]["id"]}
    return Target(process, http, known)


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_any_request_the_document_allows_or_forbids_is_answered_in_form(label: str, target: Target) -> None:
    operation = OPERATIONS[label]
    spoil = st.tuples(st.booleans(), st.sampled_from(NASTY), st.integers(0, 7))

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), spoiled=spoil)
    def ask(case: Any, spoiled: tuple[bool, str, int]) -> None:
        use_known, nasty, where = spoiled
        if use_known:
            case.path_parameters.update({k: v for k, v in target.known.items() if k in case.path_parameters})
        body = case.body if isinstance(case.body, dict | list) else None
        if isinstance(body, dict) and body and where < 4:
            body = {**body, sorted(body)[where % len(body)]: nasty}
        query = {k: nasty if where == 5 else v for k, v in (case.query or {}).items()}
        _answered(target, case, body, query)

    ask()


def _answered(target: Target, case: Any, body: Any, query: dict[str, Any]) -> None:
    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(
            "{" + name + "}", httpx.URL("http://x/").copy_with(path="/" + str(value)).raw_path[1:].decode()
        )
    content = json.dumps(body).encode() if body is not None else None
    headers = {"content-type": "application/json"} if content is not None else {}
    answer = target.http.request(case.method, path or "/", params=query, content=content, headers=headers)
    assert answer.status_code < 500, f"{case.method} {path} {query} {body}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code >= 400 and case.method != "HEAD":
        error = answer.json()["error"]
        assert error["code"]
        assert error["message"]
        assert error["request_id"] == answer.headers["x-request-id"]
        assert "Traceback" not in answer.text


BROKEN = {
    "not JSON": b"{",
    "not UTF-8": b'{"body": "\xff\xfe"}',
    "half a surrogate pair": b'{"client_id": "x", "body": "\\ud800"}',
    "nested beyond reason": b"[" * 50_000,
    "a huge number": b'{"client_id": ' + b"9" * 5_000 + b"}",
    "nothing": b"",
    "null": b"null",
    "a list": b"[1, 2]",
    "unknown fields": b'{"client_id": "x", "body": "y", "admin": true}',
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_body_is_the_callers_fault(name: str, target: Target) -> None:
    path = "/api/v1/workspaces/{ws}/chat/rooms/{room_id}/messages".format(**target.known)
    answer = target.http.post(path, content=BROKEN[name], headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "request.invalid"


def test_a_body_over_the_limit_is_refused_before_it_is_read(target: Target) -> None:
    path = "/api/v1/workspaces/{ws}/chat/rooms/{room_id}/messages".format(**target.known)
    answer = target.http.post(path, content=b"x" * 1_100_000, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request.too_large"


@pytest.mark.parametrize(
    ("language", "header", "text"),
    [
        ("id", {"accept-language": "id-ID,id;q=0.9,en;q=0.5"}, "Tidak ada apa-apa di alamat ini."),
        ("ja", {"accept-language": "ja"}, "このアドレスには何もありません。"),
        ("en", {"accept-language": "fr"}, "There is nothing at this address."),
    ],
)
def test_errors_speak_the_callers_language(  # F-UI-04
    target: Target, language: str, header: dict[str, str], text: str
) -> None:
    with httpx.Client(base_url=target.process.url, headers=header) as stranger:
        answer = stranger.get("/api/v1/nothing")
        assert answer.json()["error"]["message"] == text
        assert answer.headers["content-language"] == language
        asked = stranger.get("/api/v1/nothing", params={"lang": "ja"})
        assert asked.json()["error"]["message"] == "このアドレスには何もありません。"


def test_the_server_is_as_well_as_before(target: Target) -> None:
    assert target.http.get("/health/ready").status_code == 200
    assert "Traceback" not in target.process.log_tail()
