"""`kill -9` of the one process during a thousand sends: nothing acknowledged is lost, nothing is there twice. # F-OP-04"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.kanal_process import KanalProcess

SENDS = 1_000
SENDERS = 24
KILL_AFTER = 350  # answers; the rest is sent to a dead server, and again to its successor

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@dataclass
class Room:
    """A room on a running server, and what became of each message sent into it."""

    url: str
    headers: dict[str, str]
    workspace: str
    id: str
    acknowledged: dict[str, str] = field(default_factory=dict)  # client id → message id
    unanswered: set[str] = field(default_factory=set)

    @property
    def messages(self) -> str:
        return f"/api/v1/workspaces/{self.workspace}/chat/rooms/{self.id}/messages"

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=60)

    async def send(self, http: httpx.AsyncClient, client_id: str) -> None:
        try:
            answer = await http.post(self.messages, json={"client_id": client_id, "body": f"message {client_id}"})
        except httpx.TransportError:
            self.unanswered.add(client_id)
            return
        assert answer.status_code in (200, 201), answer.text
        self.unanswered.discard(client_id)
        self.acknowledged[client_id] = answer.json()["id"]

    async def send_all(self, client_ids: list[str], *, after: Callable[[], None] | None = None) -> None:
        waiting = iter(client_ids)

        async def sender(http: httpx.AsyncClient) -> None:
            for client_id in waiting:
                await self.send(http, client_id)
                if after is not None:
                    after()

        async with self.client() as http:
            await asyncio.gather(*(sender(http) for _ in range(SENDERS)))

    async def read_all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with self.client() as http:
            after, more = 0, True
            while more:
                page = (await http.get(self.messages, params={"after": after, "limit": 100})).raise_for_status().json()
                found += page["items"]
                after, more = found[-1]["sequence"] if found else 0, page["has_after"]
        return found

    async def catch_up(self, cursor: int) -> list[dict[str, Any]]:
        """What a client that was connected up to ``cursor`` gets when it comes back."""
        found: list[dict[str, Any]] = []
        async with self.client() as http:
            more = True
            while more:
                path = f"/api/v1/workspaces/{self.workspace}/events"
                page = (await http.get(path, params={"after": cursor})).raise_for_status().json()
                found += page["events"]
                cursor, more = page["cursor"], page["more"]
        return found

    async def cursor(self) -> int:
        async with self.client() as http:
            rooms = (await http.get(f"/api/v1/workspaces/{self.workspace}/chat/rooms")).raise_for_status().json()
        return int(rooms["cursor"])


def _open_room(process: KanalProcess) -> Room:
    with httpx.Client(base_url=process.url, timeout=30) as browser:
        account = {"name": "Sari", "email": "sari@example.com", "password": uuid4().hex, "workspace_name": "Toko"}
        session = browser.post("/api/v1/auth/register", json=account).raise_for_status().json()
        csrf = {"X-CSRF-Token": session["csrf_token"]}
        scopes = ["workspace:read", "chat:read", "chat:write"]
        token = browser.post("/api/v1/auth/tokens", json={"name": "t", "scopes": scopes}, headers=csrf).json()["secret"]
        headers = {"authorization": f"Bearer {token}"}
        workspace = session["workspaces"][0]["id"]
        made = browser.post(f"/api/v1/workspaces/{workspace}/chat/rooms", json={"name": "umum"}, headers=csrf)
        return Room(process.url, headers, workspace, made.raise_for_status().json()["id"])


async def _survives(process: KanalProcess) -> None:
    room = _open_room(process.start())
    before = await room.cursor()
    client_ids = [str(uuid4()) for _ in range(SENDS)]
    killed = False

    def kill_in_the_middle() -> None:
        nonlocal killed
        if not killed and len(room.acknowledged) >= KILL_AFTER:
            killed = True
            process.kill()

    await room.send_all(client_ids, after=kill_in_the_middle)
    assert killed
    assert room.unanswered, "the kill came too late to mean anything"
    first_answers = dict(room.acknowledged)

    process.start()
    stored = Counter(m["client_id"] for m in await room.read_all() if m["kind"] == "text")
    assert all(stored[client_id] == 1 for client_id in first_answers), "an acknowledged message is gone"

    await room.send_all([c for c in client_ids if c not in first_answers])
    assert not room.unanswered
    messages = [m for m in await room.read_all() if m["kind"] == "text"]
    assert Counter(m["client_id"] for m in messages) == Counter(client_ids), "each message is there exactly once"
    assert {m["client_id"]: m["id"] for m in messages} == room.acknowledged
    sequences = [m["sequence"] for m in messages]
    assert sequences == sorted(set(sequences))

    events = [e for e in await room.catch_up(before) if e["name"] == "message.sent"]
    announced = {e["data"]["message"]["id"] for e in events if e["data"]["message"]["kind"] == "text"}
    assert announced == set(room.acknowledged.values()), "the client that comes back gets every event"


async def test_nothing_acknowledged_is_lost_on_sqlite(kanal_process: Callable[..., KanalProcess]) -> None:
    await _survives(kanal_process("serve"))


async def test_nothing_acknowledged_is_lost_on_mariadb(
    kanal_process: Callable[..., KanalProcess], mariadb_url: str
) -> None:
    await _survives(kanal_process("serve", KANAL_DATABASE_URL=mariadb_url))


async def test_nothing_acknowledged_is_lost_on_postgresql(
    kanal_process: Callable[..., KanalProcess], postgres_url: str
) -> None:
    await _survives(kanal_process("serve", KANAL_DATABASE_URL=postgres_url))


def test_events_that_a_killed_process_did_not_publish_are_swept_by_the_next(  # F-OP-04
    kanal_process: Callable[..., KanalProcess], tmp_path: Path
) -> None:
    folder = tmp_path / "swept"
    process = kanal_process("serve", folder=folder)
    room = _open_room(process.start())
    process.kill()
    with contextlib.closing(sqlite3.connect(folder / "data/kanal.db")) as database:
        database.execute("UPDATE events SET published = 0")
        database.commit()
    process.start()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.closing(sqlite3.connect(folder / "data/kanal.db")) as database:
            if database.execute("SELECT COUNT(*) FROM events WHERE published = 0").fetchone() == (0,):
                break
        time.sleep(0.2)
    else:
        pytest.fail("the relay left events behind")
    assert room.id
