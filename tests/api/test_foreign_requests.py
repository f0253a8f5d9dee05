"""Who may ask at all: every operation of the OpenAPI document, as a stranger and as a browser led by a foreign page.

F-AC-01, F-AC-05. With a cookie every change needs the CSRF token; with a bearer token none does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from kanal.entrypoints.asgi import litestar_app
from kanal.identity.access import Credential, WorkspaceAccess
from kanal.identity.rules import Scope
from kanal.identity.web import COOKIE, CSRF
from kanal.rooms.schemas import RoomView
from tests.api.test_tenant_walk import METHODS as METHODS_OF_WALK
from tests.api.test_tenant_walk import Walk
from tests.api.test_tenant_walk import _objects as make_objects
from tests.support.world import World, migrate_now, open_world

METHODS = ("get", "head", "post", "put", "patch", "delete")
OPEN = {
    ("get", "/api/v1/meta"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/api/v1/invitations/{token}"),
    ("post", "/api/v1/auth/register"),
    ("post", "/api/v1/auth/login"),
    ("post", "/api/v1/auth/password/forgot"),
    ("post", "/api/v1/auth/password/reset"),
}
"""What a stranger may ask; anything else has to be put here on purpose."""
UNLISTED = {("post", "/broadcasting/auth"), ("post", "/broadcasting/user-auth")}  # of the Pusher protocol


@dataclass
class Place:
    world: World
    owner: WorkspaceAccess
    room: RoomView
    workspace: str
    cookie: dict[str, str]
    csrf: str
    closed: list[tuple[str, str]]

    def address(self, path: str) -> str:
        known = {"ws": self.workspace, "room_id": self.room.id, "emoji": "👍"}
        return re.sub(r"\{(\w+)\}", lambda m: known.get(m[1], str(uuid4())), path)

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(m, p) for m, p in self.closed if m not in ("get", "head")]


@pytest.fixture(scope="module")
def url(sqlite_url: str) -> str:
    return migrate_now(sqlite_url)


@pytest.fixture
async def place(url: str) -> AsyncIterator[Place]:
    async with open_world(url) as world:
        sari = await world.found()
        cookie = await world.cookie(sari)
        caller = await world.node.identity.gate.caller(Credential.session(cookie))
        document = litestar_app(world.node).openapi_schema.to_schema()
        routes = {(m, p) for p, item in document["paths"].items() for m in METHODS if m in item}
        open_here = {(m, p) for m, p in routes if (m, p) in OPEN or (m == "head" and ("get", p) in OPEN)}
        assert open_here >= OPEN, "this route is gone"
        yield Place(
            world,
            sari,
            await world.room(sari),
            str(sari.workspace_id),
            {"cookie": f"{COOKIE}={cookie}"},
            world.node.keys.sign(CSRF, str(caller.session_id)),
            sorted((routes - open_here) | UNLISTED),
        )


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_stranger_is_asked_to_sign_in_everywhere(place: Place) -> None:
    """Before the body is looked at: how it would fail is nobody's business."""
    assert len(place.closed) > 45
    async with await place.world.client() as http:
        for method, path in place.closed:
            answer = await http.request(method, place.address(path), content=b"{" if method != "get" else None)
            assert answer.status_code == 401, f"{method} {path}"
            assert method == "head" or answer.json()["error"]["code"] == "auth.required"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": "Bearer kanal_wrong"}, "auth.invalid_token"),
        ({"authorization": "Basic c2FyaTpzZWNyZXQ="}, "auth.invalid_token"),
        ({"authorization": "Bearer"}, "auth.invalid_token"),
        ({"cookie": f"{COOKIE}=wrong"}, "auth.session_expired"),
    ],
)
async def test_a_credential_that_is_none_opens_nothing(place: Place, headers: dict[str, str], code: str) -> None:
    async with await place.world.client(**headers) as http:
        for method, path in place.closed:
            answer = await http.request(method, place.address(path))
            assert answer.status_code == 401, f"{method} {path}"
            assert method == "head" or answer.json()["error"]["code"] == code


@pytest.mark.parametrize("token", ["", "0" * 64, "é" * 10])
async def test_a_cookie_alone_changes_nothing(place: Place, token: str) -> None:
    headers = httpx.Headers(place.cookie)
    async with await place.world.client() as http:
        for method, path in place.changes:
            extra = [(b"x-csrf-token", token.encode("latin-1"))] if token else []
            answer = await http.request(method, place.address(path), headers=[*headers.raw, *extra])
            assert code_of(answer) == (403, "csrf.failed"), f"{method} {path}"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
async def test_a_foreign_page_changes_nothing_even_with_the_token(place: Place, origin: str) -> None:
    headers = {**place.cookie, "x-csrf-token": place.csrf, "origin": origin}
    async with await place.world.client(**headers) as http:
        for method, path in place.changes:
            assert code_of(await http.request(method, place.address(path))) == (403, "csrf.failed"), f"{method} {path}"


async def test_our_own_page_and_programs_with_a_token_may(place: Place) -> None:
    sent = {"client_id": str(uuid4()), "body": "hello"}
    path = place.address("/api/v1/workspaces/{ws}/chat/rooms/{room_id}/messages")
    headers = {**place.cookie, "x-csrf-token": place.csrf, "origin": "http://testserver"}
    async with await place.world.client(**headers) as page:
        assert (await page.post(path, json=sent)).status_code == 201
    token = await place.world.token(place.owner, Scope.CHAT_WRITE)
    async with await place.world.client(authorization=f"Bearer {token}", origin="https://elsewhere.example") as program:
        assert (await program.post(path, json=sent)).status_code == 200


async def test_no_page_of_another_origin_reads_our_answers(place: Place) -> None:
    """There is no CORS: nothing ever allows an origin."""
    async with await place.world.client(**place.cookie, origin="https://evil.example") as http:
        for method, path in place.closed:
            if method == "get":
                answer = await http.get(place.address(path))
                assert "access-control-allow-origin" not in answer.headers, path
        asked = await http.options(
            place.address("/api/v1/workspaces/{ws}/chat/rooms"), headers={"access-control-request-method": "POST"}
        )
        assert not [name for name in asked.headers if name.startswith("access-control")]


async def test_a_token_without_the_scope_does_nothing_in_a_workspace(place: Place) -> None:
    """Its owner may do all of this; the token was made for something else."""
    world = place.world
    sari = await world.found()
    budi = await world.member(sari)
    objects = await make_objects(world, sari, budi)
    token = await world.token(sari, Scope.PROFILE)
    async with await world.client(authorization=f"Bearer {token}") as http:
        walk = Walk([], objects, http, http, objects["ws"])
        for method, path in place.closed:
            if "{ws}" in path and method in METHODS_OF_WALK:
                answer = await walk.send(http, method, path, objects["ws"])
                assert code_of(answer) == (403, "token.scope_denied"), f"{method} {path}"
