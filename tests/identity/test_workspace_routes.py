"""Workspaces, members, the audit log and the operator's page over HTTP. F-AC-02, F-AC-03, F-AC-04, F-AC-06."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from kanal.identity.actions import workspaces
from kanal.identity.audit import SYSTEM, Somebody, Target, record
from kanal.identity.models import User
from kanal.identity.rules import Status
from kanal.kit.ids import new_id
from tests.identity.world import Browser, World, error_of

Open = Callable[..., Browser]


async def team(browser: Open) -> tuple[Browser, Browser, str, str]:
    """An owner, an agent, the workspace's id and the agent's."""
    owner, agent = browser(), browser()
    place = (await owner.register("Owner", workspace_name="Toko"))["workspaces"][0]["id"]
    user = (await agent.register("Agent"))["user"]
    link = (await owner.post(f"/workspaces/{place}/invitations", {"email": user["email"], "role": "agent"})).json()[
        "link"
    ]
    await agent.post(f"/invitations/{link.rpartition('/')[2]}/accept")
    return owner, agent, place, user["id"]


async def test_a_workspace_as_its_members_see_it(browser: Open) -> None:
    owner, agent, place, _ = await team(browser)
    mine, theirs = (await owner.get(f"/workspaces/{place}")).json(), (await agent.get(f"/workspaces/{place}")).json()
    assert (mine.pop("role"), theirs.pop("role")) == ("owner", "agent")
    assert mine == theirs
    assert mine["limits"] == {"max_members": 10, "max_sessions": 1, "max_rooms": 50, "max_file_bytes": 26214400}
    assert mine["settings"] == {"default_locale": "en", "timezone": "UTC"}
    assert mine["created_at"].endswith("Z")
    assert len(mine["created_at"]) == 24


async def test_a_workspace_changes_by_admins_only_and_by_known_keys(browser: Open) -> None:
    owner, agent, place, _ = await team(browser)
    path = f"/workspaces/{place}"
    changed = await owner.call("PATCH", path, {"name": "Toko Baru", "settings": {"timezone": "Asia/Jakarta"}})
    assert (changed.json()["name"], changed.json()["settings"]["timezone"]) == ("Toko Baru", "Asia/Jakarta")
    assert changed.json()["version"] == 2
    assert error_of(await agent.call("PATCH", path, {"name": "X"})) == (403, "permission.denied")
    for body, status in (
        ({"plan": "enterprise"}, 400),
        ({"settings": {"unknown": 1}}, 400),
        ({"settings": {"timezone": "Mars/Olympus"}}, 422),
        ({"name": "\u200b"}, 422),
        ([], 400),
    ):
        assert (await owner.call("PATCH", path, body)).status_code == status
    assert (await owner.get(path)).json()["version"] == 2


async def test_the_directory_keeps_who_left(browser: Open) -> None:
    owner, agent, place, agent_id = await team(browser)
    assert (await agent.post(f"/workspaces/{place}/leave")).status_code == 204
    people = (await owner.get(f"/workspaces/{place}/members")).json()["items"]
    assert {(p["name"], p["role"], p["status"]) for p in people} == {
        ("Owner", "owner", "active"),
        ("Agent", "agent", "removed"),
    }
    assert error_of(await agent.get(f"/workspaces/{place}/members")) == (404, "workspace.not_found")
    assert error_of(await owner.post(f"/workspaces/{place}/leave")) == (409, "member.last_owner")
    assert error_of(await owner.call("DELETE", f"/workspaces/{place}/members/{agent_id}")) == (404, "member.not_found")


async def test_a_role_is_one_of_four(browser: Open) -> None:
    owner, agent, place, agent_id = await team(browser)
    path = f"/workspaces/{place}/members/{agent_id}"
    assert (await owner.call("PATCH", path, {"role": "viewer"})).json()["role"] == "viewer"
    assert (await agent.get(f"/workspaces/{place}")).json()["role"] == "viewer"
    bad = await owner.call("PATCH", path, {"role": "king"})
    assert (bad.status_code, list(bad.json()["error"]["fields"])) == (400, ["role"])


async def test_a_suspended_workspace_answers_403_everywhere(browser: Open, home: World) -> None:
    """F-AC-02: and is still in the list, so that the page can say so."""
    owner, _, place, agent_id = await team(browser)
    async with home.database.transaction(UUID(place)) as session:
        await workspaces.set_status(session, SYSTEM, Status.SUSPENDED)
    for method, path, body in paths(place, agent_id, str(new_id())):
        answer = await owner.call(method, path, body)
        assert error_of(answer) == (403, "workspace.suspended"), (method, path)
    assert [w["status"] for w in (await owner.get("/workspaces")).json()["items"]] == ["suspended"]
    assert [w["status"] for w in (await owner.get("/auth/user")).json()["workspaces"]] == ["suspended"]


def paths(place: str, user: str, thing: str) -> list[tuple[str, str, Any]]:
    """Every route below a workspace."""
    base = f"/workspaces/{place}"
    return [
        ("GET", base, None),
        ("PATCH", base, {"name": "X"}),
        ("GET", f"{base}/members", None),
        ("PATCH", f"{base}/members/{user}", {"role": "viewer"}),
        ("DELETE", f"{base}/members/{user}", None),
        ("POST", f"{base}/leave", None),
        ("GET", f"{base}/invitations", None),
        ("POST", f"{base}/invitations", {"email": "x@example.com", "role": "agent"}),
        ("DELETE", f"{base}/invitations/{thing}", None),
        ("POST", f"{base}/invitations/{thing}/resend", None),
        ("GET", f"{base}/audit", None),
        ("GET", f"{base}/audit.csv", None),
    ]


async def test_another_workspaces_ids_lead_nowhere(browser: Open) -> None:
    """F-AC-04."""
    owner, _, place, agent_id = await team(browser)
    stranger = browser()
    own = (await stranger.register("Stranger", workspace_name="Mine"))["workspaces"][0]["id"]
    invited = await owner.post(f"/workspaces/{place}/invitations", {"email": "x@example.com", "role": "agent"})
    thing = invited.json()["id"]
    for method, path, body in paths(place, agent_id, thing):
        assert error_of(await stranger.call(method, path, body)) == (404, "workspace.not_found"), (method, path)
    for method, path, body in paths(own, agent_id, thing):
        if agent_id in path or thing in path:
            assert (await stranger.call(method, path, body)).status_code == 404, (method, path)
    assert error_of(await stranger.get("/workspaces/not-an-id")) == (404, "not_found")


async def test_the_audit_log_tells_who_did_what(browser: Open) -> None:
    """F-AC-06."""
    owner, agent, place, agent_id = await team(browser)
    await owner.call("PATCH", f"/workspaces/{place}/members/{agent_id}", {"role": "viewer"})
    page = (await owner.get(f"/workspaces/{place}/audit")).json()
    assert [item["action"] for item in page["items"]] == [
        "member.role_changed",
        "member.joined",
        "invitation.accepted",
        "invitation.created",
        "member.joined",
        "workspace.created",
    ]
    newest = page["items"][0]
    assert (newest["actor_name"], newest["target_type"], newest["target_id"], newest["target_label"]) == (
        "Owner",
        "user",
        agent_id,
        "Agent",
    )
    assert (newest["details"], newest["ip"]) == ({"before": "agent", "after": "viewer"}, "127.0.0.1")
    assert error_of(await agent.get(f"/workspaces/{place}/audit")) == (403, "permission.denied")
    assert error_of(await agent.get(f"/workspaces/{place}/audit.csv")) == (403, "permission.denied")


async def test_the_audit_log_is_filtered_and_paged(browser: Open) -> None:
    """F-AC-06."""
    owner, _, place, agent_id = await team(browser)
    path = f"/workspaces/{place}/audit"

    async def actions(**query: str) -> list[str]:
        answer = await owner.http.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return [item["action"] for item in answer.json()["items"]]

    assert await actions(action="member.joined") == ["member.joined", "member.joined"]
    assert await actions(action="invitation.") == ["invitation.accepted", "invitation.created"]
    assert await actions(actor=agent_id) == ["member.joined", "invitation.accepted"]
    assert await actions(q="AGENT") == ["member.joined", "invitation.accepted", "invitation.created"]
    assert await actions(q="100%_\\") == []
    assert await actions(q="\x00") != []
    everything = await actions()
    assert await actions(**{"from": "2020-01-01T00:00:00Z"}) == everything
    assert await actions(to="2020-01-01T00:00:00") == []
    assert await actions(**{"from": "9999-12-31T00:00:00Z"}) == []
    seen, cursor = [], ""
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await owner.http.get(f"/api/v1{path}", params=query)).json()
        seen += [item["action"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == everything
    for bad in (
        {"limit": "0"},
        {"limit": "x"},
        {"cursor": "x"},
        {"from": "yesterday"},
        {"action": "X Y"},
        {"actor": "me"},
    ):
        answer = await owner.http.get(f"/api/v1{path}", params=bad)
        assert error_of(answer) == (400, "request.invalid"), bad


async def test_the_export_starts_no_formula(browser: Open, home: World) -> None:
    """F-AC-06: names are chosen by strangers, spreadsheets run what begins with an equals sign."""
    owner, _, place, _ = await team(browser)
    async with home.database.transaction(UUID(place)) as session:
        for label in ('=HYPERLINK("http://evil")', "+1", "-1", "@x", " =1", "\tx", 'plain "quoted", 日本'):
            await record(session, Somebody("=Evil"), "test.done", Target("thing", None, label), key=label)
    answer = await owner.get(f"/workspaces/{place}/audit.csv?action=test.done")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="audit.csv"' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["at", "actor_id", "actor", "action", "target_type", "target_id", "target", "ip", "details"]
    assert [row[6] for row in reversed(rows[1:])] == [
        '\'=HYPERLINK("http://evil")',
        "'+1",
        "'-1",
        "'@x",
        "' =1",
        "'\tx",
        'plain "quoted", 日本',
    ]
    assert {row[2] for row in rows[1:]} == {"'=Evil"}


async def test_outgoing_mail_is_for_operators(browser: Open, home: World) -> None:
    """With the link as long as the letter did not leave the house."""
    owner, agent, place, _ = await team(browser)
    await owner.post(f"/workspaces/{place}/invitations", {"email": "only.here@example.com", "role": "agent"})
    assert error_of(await agent.get("/admin/mail")) == (403, "permission.denied")
    async with home.database.transaction(None) as session:
        me = (await owner.get("/auth/user")).json()["user"]["id"]
        await session.execute(sa.update(User).where(User.id == UUID(me)).values(is_operator=True))
    queued = (await owner.get("/admin/mail?limit=1")).json()
    assert (queued["items"][0]["to"], queued["items"][0]["state"]) == ("only.here@example.com", "queued")
    assert queued["next_cursor"]
    await home.worker.drain()
    logged = (await owner.get("/admin/mail?limit=1")).json()["items"][0]
    assert (logged["state"], logged["kind"]) == ("logged", "invitation")
    assert logged["link"].startswith("http://testserver/invitations/")
    older = await owner.get(f"/admin/mail?cursor={queued['next_cursor']}")
    assert older.status_code == 200
    assert "only.here@example.com" not in [item["to"] for item in older.json()["items"]]


@pytest.mark.parametrize("path", ["/auth/user", "/workspaces", "/auth/sessions", "/admin/mail"])
async def test_without_signing_in_there_is_nothing(browser: Open, path: str) -> None:
    nobody = browser()
    assert error_of(await nobody.get(path)) == (401, "auth.required")
    nobody.http.cookies.set("kanal_session", "made up")
    assert error_of(await nobody.get(path)) == (401, "auth.session_expired")
