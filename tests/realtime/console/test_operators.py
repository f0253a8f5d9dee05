"""The console in Kanal: for operators, and whoever looks on leaves a trace where those looked at can find it. F-RT-11."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest
import sqlalchemy as sa

from kanal.identity.access import WorkspaceAccess
from kanal.identity.models import AuditEntry, User
from kanal.identity.rules import Role
from kanal.identity.web import COOKIE
from kanal.kit.ids import NIL, new_id
from kanal.kit.tenancy import across_tenants
from kanal.realtime.console import routes
from kanal.realtime.console.service import Console
from tests.support.world import World, migrate_now, open_world

STATE, CHANNELS, TAIL = (f"/api/v1/admin/realtime/{name}" for name in ("state", "channels", "tail"))
APP = "1"  # Kanal's own


@pytest.fixture(scope="module")
def url(sqlite_url: str) -> str:
    return migrate_now(sqlite_url)


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    async with open_world(url) as world:
        yield world


async def _browser(world: World, who: WorkspaceAccess | User) -> httpx.AsyncClient:
    return await world.client(None, cookie=f"{COOKIE}={await world.cookie(who)}")


async def _operator(world: World) -> User:
    person = await world.person("Dewi")
    await _set_operator(world, person, True)
    return person


async def _set_operator(world: World, person: User, is_operator: bool) -> None:
    async with world.database.transaction(None) as session:
        (await session.get_one(User, person.id)).is_operator = is_operator


async def _trail(world: World) -> list[tuple[object, str, str | None]]:
    """Workspace, actor and channel of each look."""
    query = sa.select(AuditEntry).where(AuditEntry.action == routes.TAILED).order_by(AuditEntry.id)
    async with world.database.reading(None) as session:
        entries = await session.scalars(query, execution_options=across_tenants("the log is looked at as it is"))
    return [(entry.workspace_id, entry.actor_name, entry.target_label) for entry in entries.all()]


async def test_operators_see_it_and_nobody_else(world: World) -> None:
    operator = await _operator(world)  # the first account of all is one by itself
    owner = await world.found()
    questions = [(STATE, {}), (CHANNELS, {"app": APP}), (TAIL, {"app": APP, "channel": "presence-x"})]
    world.node.console.close()  # so that the tail is an answer that ends
    before, others = await _trail(world), [owner, await world.member(owner, Role.ADMIN)]
    async with await _browser(world, operator) as browser:
        for path, asked in questions:
            answer = await browser.get(path, params=asked)
            assert answer.status_code == 200, answer.text
            assert answer.headers["cache-control"] == "no-store"
    for other in others:
        async with await _browser(world, other) as browser:
            for path, asked in questions:
                answer = await browser.get(path, params=asked)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission.denied")
    async with await world.client(operator) as program:
        for path, asked in questions:
            answer = await program.get(path, params=asked)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "auth.session_required")
    assert len(await _trail(world)) == len(before) + 1


async def test_what_it_answers(world: World) -> None:
    before = await _trail(world)
    async with await _browser(world, await _operator(world)) as browser:
        state = (await browser.get(STATE)).json()
        assert [node["node"] for node in state["nodes"]] == [world.node.hub.broker.node]
        assert (await browser.get(CHANNELS, params={"app": APP})).json()["items"] == []
        for path, asked, status, code in (
            (CHANNELS, {"app": "nobody"}, 404, "console.app_not_found"),
            (CHANNELS, {"app": APP, "sort": "colour"}, 400, "request.invalid"),
            (CHANNELS, {"app": APP, "limit": "1000"}, 400, "request.invalid"),
            (CHANNELS, {}, 400, "request.invalid"),
            (TAIL, {"app": APP, "channel": "a b"}, 400, "console.channel_invalid"),
            (TAIL, {"app": "nobody", "channel": "a"}, 404, "console.app_not_found"),
        ):
            answer = await browser.get(path, params=asked)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (path, asked)
    assert await _trail(world) == before, "nobody looked on at anything"


async def test_looking_on_is_told_to_the_workspace_whose_channel_it_is(world: World) -> None:
    owner = await world.found()
    room = await world.room(owner)
    world.node.console.close()
    channels = {
        f"presence-chat.{room.id}": owner.workspace_id,
        f"presence-workspace.{owner.workspace_id}": owner.workspace_id,
        f"private-user.{owner.workspace_id}.{owner.user_id}": owner.workspace_id,
        f"presence-chat.{new_id()}": NIL,
        "presence-chat.nonsense": NIL,
        "somewhere": NIL,
    }
    before = await _trail(world)
    async with await _browser(world, await _operator(world)) as browser:
        for channel in channels:
            assert (await browser.get(TAIL, params={"app": APP, "channel": channel})).status_code == 200
    assert (await _trail(world))[len(before) :] == [(owner, "Dewi", channel) for channel, owner in channels.items()]
    async with await world.client(owner) as http:
        path = f"/api/v1/workspaces/{owner.workspace_id}/audit"
        told = (await http.get(path, params={"action": routes.TAILED})).json()["items"]
    assert len(told) == 3


async def test_who_is_no_operator_any_more_listens_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "RECHECK", -1.0)
    asked: list[bool] = [True, False]

    async def may_go_on() -> bool:
        return asked.pop(0)

    chunks = [chunk async for chunk in routes._stream(_Endless(), APP, "news", may_go_on)]
    assert chunks == [b"0"]


class _Endless(Console):
    def __init__(self) -> None:
        """It needs no hub."""

    async def tail(self, _app_id: str, _channel: str) -> AsyncGenerator[bytes]:
        number = 0
        while True:
            yield str(number).encode()
            number += 1


async def test_being_an_operator_is_read_anew(world: World) -> None:
    person = await _operator(world)
    async with await _browser(world, person) as browser:
        assert (await browser.get(STATE)).status_code == 200
        await _set_operator(world, person, False)
        assert (await browser.get(STATE)).status_code == 403
