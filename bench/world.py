"""A Kanal under measurement: the process, somebody signed in, a room to talk in."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.kanal_process import KanalProcess


@dataclass
class World:
    """A running server and what a client needs to talk to it."""

    process: KanalProcess
    token: str
    workspace: str
    user: str
    realtime_key: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.process.port

    @property
    def chat(self) -> str:
        """Path that room requests begin with."""
        return f"/api/v1/workspaces/{self.workspace}/chat"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One JSON request; raises unless it succeeds."""
        answer = httpx.request(
            method,
            f"{self.process.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def make_room(self, name: str) -> str:
        """A new public room's id."""
        room: str = self.call("POST", f"{self.chat}/rooms", {"name": name, "visibility": "public"})["id"]
        return room

    def message(self) -> bytes:
        """A message to post, different every time."""
        return json.dumps(
            {"client_id": str(uuid.uuid4()), "body": "Besok jam sembilan kita mulai. See you there, 宜しく 👋"},
            ensure_ascii=False,
        ).encode()


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[World]:
    """`kanal serve` in this folder with one user, one workspace and a token."""
    with KanalProcess(folder, "serve", port=None, **settings) as process:
        yield _sign_up(process)


def _sign_up(process: KanalProcess) -> World:
    with httpx.Client(base_url=process.url, timeout=60) as browser:
        session = browser.post(
            "/api/v1/auth/register",
            json={
                "name": "Bench",
                "email": f"bench-{uuid.uuid4().hex[:8]}@example.com",
                "password": uuid.uuid4().hex,
                "workspace_name": "Bench",
            },
        )
        session.raise_for_status()
        known = session.json()
        token = browser.post(
            "/api/v1/auth/tokens",
            json={
                "name": "bench",
                "scopes": ["profile", "workspace:read", "workspace:write", "chat:read", "chat:write"],
            },
            headers={"X-CSRF-Token": known["csrf_token"]},
        )
        token.raise_for_status()
    return World(
        process, token.json()["secret"], known["workspaces"][0]["id"], known["user"]["id"], known["realtime"]["key"]
    )
