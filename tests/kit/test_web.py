"""The one form of errors, and what every answer carries (F-OP-02, F-OP-07)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody, QueryParameter

from kanal.kit.errors import KanalError, Kind, conflict, field_error, forbidden, not_found, rate_limited
from kanal.kit.i18n import Catalog
from kanal.kit.request import client_ip
from kanal.kit.web import Body, RequestContextMiddleware, current_request, exception_handlers
from kanal.kit.web.errors import STATUS

KANAL_ERRORS = {
    "missing": (not_found("thing"), 404),
    "forbidden": (forbidden(), 403),
    "conflict": (conflict("thing.taken"), 409),
    "field": (field_error("name", "field.too_long"), 422),
    "limited": (rate_limited("rate.limited", 7), 429),
    "upstream": (KanalError("thing.upstream", Kind.UPSTREAM), 502),
    "unavailable": (KanalError("service.unavailable", Kind.UNAVAILABLE, retry_after=2), 503),
    "gone": (KanalError("event.cursor_expired", Kind.GONE), 410),
}


class Thing(Body):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    count: int = 0


@get("/known/{name:str}")
async def known(name: FromPath[str]) -> None:
    raise KANAL_ERRORS[name][0]


@get("/bug")
async def bug() -> None:
    raise ZeroDivisionError("a secret detail")


@get("/framework/{status:int}")
async def framework(status: FromPath[int]) -> None:
    raise HTTPException(status_code=status, detail="a secret detail")


@post("/things")
async def make(data: JSONBody[Thing]) -> str:
    return data.name


@get("/things")
async def find(size: Annotated[int, QueryParameter(ge=1, le=10)] = 1) -> dict[str, Any]:
    request = current_request()
    assert request is not None
    return {"id": request.id, "ip": request.client_ip}


@pytest.fixture
async def seen() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
async def http(seen: list[tuple[str, str, int]]) -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar(
        [known, bug, framework, make, find],
        exception_handlers=exception_handlers(Catalog(["kanal.kit"])),
        logging_config=None,
        request_max_body_size=1000,
        openapi_config=None,
    )
    wrapped = RequestContextMiddleware(
        app,
        node="node-7",
        trusted=(ip_network("10.0.0.0/8"),),
        observe=lambda method, route, status, _seconds: seen.append((method, route, status)),
    )
    transport = httpx.ASGITransport(wrapped, raise_app_exceptions=False, client=("10.0.0.1", 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error, after checking that it has the form and nothing more."""
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert {"code", "message", "request_id"} <= set(error) <= {"code", "message", "request_id", "fields", "retry_after"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/json")
    assert "Traceback" not in answer.text
    assert "secret" not in answer.text
    return error


@pytest.mark.parametrize("name", KANAL_ERRORS)
async def test_each_kind_has_its_status(http: httpx.AsyncClient, name: str) -> None:
    given, status = KANAL_ERRORS[name]
    answer = await http.get(f"/known/{name}")
    assert answer.status_code == status
    assert error_of(answer)["code"] == given.code
    assert answer.headers.get("retry-after") == (str(given.retry_after) if given.retry_after else None)


def test_no_kind_is_without_a_status() -> None:
    assert set(STATUS) == set(Kind)


async def test_a_bug_says_nothing_but_its_request(http: httpx.AsyncClient) -> None:
    answer = await http.get("/bug")
    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal")


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        (400, 400, "request.invalid"),
        (413, 413, "request.too_large"),
        (503, 503, "service.unavailable"),
        (500, 500, "internal"),
    ],
)
async def test_the_frameworks_errors_are_ours(http: httpx.AsyncClient, status: int, expected: int, code: str) -> None:
    answer = await http.get(f"/framework/{status}")
    assert (answer.status_code, error_of(answer)["code"]) == (expected, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/things", 405, "method.not_allowed"),
        ("GET", "/things?size=11", 400, "request.invalid"),
        ("GET", "/things?size=x", 400, "request.invalid"),
        ("GET", "/framework/x", 404, "not_found"),
    ],
)
async def test_wrong_addresses(http: httpx.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"{}", {"name": "field.missing"}),
        (b'{"name": "x", "extra": 1}', {"extra": "field.unknown"}),
        (b'{"name": "toolong"}', {"name": "field.too_long"}),
        (b'{"name": ""}', {"name": "field.too_short"}),
        (b'{"name": "x", "count": "many"}', {"count": "field.invalid"}),
        (b"{", None),
        (b'{"name": "\xff"}', None),
    ],
)
async def test_wrong_bodies_name_the_field(
    http: httpx.AsyncClient, content: bytes, fields: dict[str, str] | None
) -> None:
    answer = await http.post("/things", content=content, headers={"content-type": "application/json"})
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "request.invalid")
    texts = Catalog(["kanal.kit"])
    expected = None if fields is None else {name: [texts.text("en", code)] for name, code in fields.items()}
    assert error.get("fields") == expected


async def test_too_large_a_body(http: httpx.AsyncClient) -> None:
    answer = await http.post("/things", json={"name": "x" * 2000})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "request.too_large")


@pytest.mark.parametrize(
    ("query", "header", "language", "text"),
    [
        ("", "ja", "ja", "このアドレスには何もありません。"),
        ("?lang=id", "ja", "id", "Tidak ada apa-apa di alamat ini."),
        ("?lang=tlh", "", "en", "There is nothing at this address."),
    ],
)
async def test_errors_speak_the_callers_language(
    http: httpx.AsyncClient, query: str, header: str, language: str, text: str
) -> None:
    answer = await http.get(f"/nowhere{query}", headers={"accept-language": header})
    assert (answer.headers["content-language"], answer.json()["error"]["message"]) == (language, text)


async def test_every_answer_names_its_request_and_node(http: httpx.AsyncClient) -> None:
    for path in ("/things", "/nowhere", "/bug"):
        answer = await http.get(path)
        assert answer.headers["x-node-id"] == "node-7"
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [("trace-0123456789.a_b", True), ("short", False), ("x" * 65, False), ("with space", False), ("<script>!", False)],
)
async def test_a_request_id_given_by_a_proxy_is_kept_when_it_is_harmless(
    http: httpx.AsyncClient, given: str, kept: bool
) -> None:
    answer = await http.get("/things", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.json()["id"] == answer.headers["x-request-id"]


async def test_requests_are_counted_by_their_template(
    http: httpx.AsyncClient, seen: list[tuple[str, str, int]]
) -> None:
    for path in ("/known/missing", "/nowhere/1", "/nowhere/2"):
        await http.get(path)
    assert seen == [("GET", "/known/{name}", 404), ("GET", "unmatched", 404), ("GET", "unmatched", 404)]


@pytest.mark.parametrize(
    ("peer", "forwarded", "believed"),
    [
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.5", "203.0.113.5"),  # what comes before it may be made up
        ("10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # no proxy of ours
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "nonsense"),
        ("", "198.51.100.1", ""),
    ],
)
def test_forwarded_addresses_are_believed_from_our_proxies_only(peer: str, forwarded: str, believed: str) -> None:
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
    assert client_ip(scope, (ip_network("10.0.0.0/8"),)) == believed
