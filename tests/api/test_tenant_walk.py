"""Every route of the OpenAPI document, walked with another workspace's ids: 403 or 404, and none of its data. # F-AC-04

The walk is generated: a new route below ``{ws}`` fails until the tables here say what to send it.
"""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image

from kanal.entrypoints.asgi import litestar_app
from kanal.identity.access import WorkspaceAccess, access_of
from kanal.identity.actions import invitations
from kanal.identity.rules import Role
from tests.support.world import World, migrate_now, open_world

SECRET = "rahasia-perusahaan"  # in everything the other workspace holds
METHODS = {"get", "post", "put", "patch", "delete"}
WORKSPACE = "/api/v1/workspaces/{ws}"
ROOM = WORKSPACE + "/chat/rooms/{room_id}"
MESSAGE = WORKSPACE + "/chat/messages/{message_id}"

# A valid body, so that it is not the body that is refused.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("patch", WORKSPACE): {"name": "Taken over"},
    ("post", WORKSPACE + "/chat/direct"): {"user_ids": ["{user_id}"]},
    ("patch", MESSAGE): {"body": "changed"},
    ("post", WORKSPACE + "/chat/rooms"): {"name": "intruders", "member_ids": ["{user_id}"]},
    ("patch", ROOM): {"topic": "changed"},
    ("post", ROOM + "/members"): {"user_ids": ["{user_id}"]},
    ("patch", ROOM + "/membership"): {"starred": True},
    ("post", ROOM + "/messages"): {"client_id": "{client_id}", "body": "hello"},
    ("post", ROOM + "/read"): {"sequence": 1},
    ("post", WORKSPACE + "/invitations"): {"email": "spy@example.com", "role": "admin"},
    ("patch", WORKSPACE + "/members/{user_id}"): {"role": "viewer"},
}
QUERIES = {WORKSPACE + "/chat/search": {"q": SECRET}, WORKSPACE + "/events": {"after": "0"}}
FORMS = {WORKSPACE + "/files"}
# With one's own workspace these name a foreign person only: refused as unknown, which is 422.
UNKNOWN_PEOPLE = {("post", WORKSPACE + "/chat/direct"), ("post", WORKSPACE + "/chat/rooms")}


@dataclass
class Walk:
    """The document's routes, somebody's objects, and those who come for them."""

    routes: list[tuple[str, str]]
    objects: dict[str, str]
    theirs: httpx.AsyncClient
    stranger: httpx.AsyncClient
    own_workspace: str

    async def send(self, client: httpx.AsyncClient, method: str, path: str, workspace: str) -> httpx.Response:
        values = {**self.objects, "ws": workspace, "client_id": str(uuid4())}

        def fill(text: str) -> str:
            return re.sub(r"\{(\w+)\}", lambda m: values[m[1]], text)

        body = BODIES.get((method, path))
        more: dict[str, Any] = {}
        if body is not None:
            more["json"] = _filled(body, fill)
        if path in FORMS:
            more["files"] = {"file": ("a.txt", b"content")}
        return await client.request(method.upper(), fill(path), params=QUERIES.get(path), **more)


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {k: _filled(v, fill) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, fill) for v in value]
    return fill(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return migrate_now(f"sqlite:///{tmp_path_factory.mktemp('walk') / 'kanal.db'}")


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    async with open_world(url) as made:
        yield made


@pytest.fixture
async def walk(world: World) -> AsyncIterator[Walk]:
    """Two workspaces; whoever owns the second one comes with the ids of the first."""
    owner = await world.found(f"Sari {SECRET}")
    member = await world.member(owner, name=f"Budi {SECRET}")
    intruder = await world.found("Mallory")
    document = litestar_app(world.node).openapi_schema.to_schema()
    routes = [(m, p) for p, item in document["paths"].items() for m in item if m in METHODS and "{ws}" in p]
    theirs, stranger = await world.client(intruder), await world.client()
    yield Walk(routes, await _objects(world, owner, member), theirs, stranger, str(intruder.workspace_id))
    await theirs.aclose()
    await stranger.aclose()


async def _objects(world: World, owner: WorkspaceAccess, member: WorkspaceAccess) -> dict[str, str]:
    room = await world.room(owner, member, name=f"room {SECRET}")
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(picture, "PNG")
    file = await world.upload(owner, picture.getvalue(), f"{SECRET}.png")
    message = await world.say(owner, room.id, f"text {SECRET}", attachment_ids=[str(file)])
    await world.say(member, room.id, f"reply {SECRET}", parent_id=message.id)
    async with world.database.transaction(owner.workspace_id) as session:
        invited = await invitations.invite(
            session, world.node.identity, owner, email=f"{SECRET}@example.com", role=Role.AGENT
        )
    await world.work()
    return {
        "ws": str(owner.workspace_id),
        "room_id": str(room.id),
        "message_id": str(message.id),
        "emoji": "👍",
        "file_id": str(file),
        "invitation_id": str(invited.id),
        "user_id": str(member.user_id),
    }


async def test_the_walk_knows_every_route_and_its_objects(walk: Walk) -> None:
    parameters = {name for _, path in walk.routes for name in re.findall(r"\{(\w+)\}", path)}
    assert parameters <= set(walk.objects), "give an example of the new parameter"
    assert len(walk.routes) > 30
    assert set(BODIES) <= set(walk.routes), "this route is gone"


async def test_a_member_can_do_with_their_own_ids_what_the_walk_tries(world: World, walk: Walk) -> None:
    """Otherwise a 404 in the walk might only mean that the walk is wrong."""
    reads = [(m, p) for m, p in walk.routes if m == "get"]
    # A member's rights suffice for all but the admins' pages.
    member = await access_of(world.database, UUID(walk.objects["ws"]), UUID(walk.objects["user_id"]))
    client = await world.client(member)
    answers = {p: (await walk.send(client, m, p, walk.objects["ws"])).status_code for m, p in reads}
    await client.aclose()
    refused = {p for p, status in answers.items() if status != 200}
    assert refused == {WORKSPACE + "/audit", WORKSPACE + "/audit.csv", WORKSPACE + "/invitations"}


async def test_a_foreign_workspace_answers_nothing_on_any_route(walk: Walk) -> None:
    for method, path in walk.routes:
        answer = await walk.send(walk.theirs, method, path, walk.objects["ws"])
        assert answer.status_code in (403, 404), f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        assert SECRET not in answer.text


async def test_foreign_objects_are_not_there_in_ones_own_workspace(walk: Walk) -> None:
    for method, path in walk.routes:
        if not re.search(r"\{(?!ws\})", path) and (method, path) not in UNKNOWN_PEOPLE:
            continue
        answer = await walk.send(walk.theirs, method, path, walk.own_workspace)
        expected = (422,) if (method, path) in UNKNOWN_PEOPLE else (403, 404)
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        assert SECRET not in answer.text


async def test_lists_of_ones_own_workspace_hold_nothing_foreign(walk: Walk) -> None:
    for method, path in walk.routes:
        if method == "get" and not re.search(r"\{(?!ws\})", path):
            answer = await walk.send(walk.theirs, method, path, walk.own_workspace)
            assert answer.status_code == 200, f"{path}: {answer.text[:200]}"
            assert SECRET not in answer.text


async def test_a_stranger_is_asked_to_sign_in_on_every_route(walk: Walk) -> None:
    for method, path in walk.routes:
        answer = await walk.send(walk.stranger, method, path, walk.objects["ws"])
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
        assert SECRET not in answer.text
