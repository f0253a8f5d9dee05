"""A person's API client, for what a test needs to be there and for what the server must say afterwards."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

PASSWORD = "kopi-nusantara"


def address(name: str) -> str:
    """A demo person's e-mail address."""
    return f"{name}@kopi.example"


class Api:
    """Signed in, in the first of the account's workspaces."""

    def __init__(self, url: str, email: str, password: str = PASSWORD) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", headers={"origin": url}, timeout=20)
        session = self._http.post("/auth/login", json={"email": email, "password": password}).raise_for_status().json()
        self._http.headers["X-CSRF-Token"] = session["csrf_token"]
        self.id: str = session["user"]["id"]
        self.name: str = session["user"]["name"]
        self.workspaces: list[dict[str, Any]] = session["workspaces"]
        self.workspace = self.workspaces[0]

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, json: Any = None) -> Any:
        """The answer's body. `path` is below the workspace, or below the API's root when it begins with a slash."""
        where = path if path.startswith("/") else f"/workspaces/{self.workspace['id']}/{path}"
        answer = self._http.request(method, where, json=json)
        assert answer.is_success, f"{method} {where}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def status(self, method: str, path: str) -> int:
        """How the server answers what may be refused."""
        return self._http.request(method, f"/workspaces/{self.workspace['id']}/{path}").status_code

    def room(self, name: str) -> dict[str, Any]:
        """A room of mine, by its name."""
        rooms: list[dict[str, Any]] = self.call("GET", "chat/rooms")["items"]
        return next(room for room in rooms if room["name"] == name)

    def create_room(self, name: str, *members: Api, **more: Any) -> str:
        body = {"name": name, "visibility": "public", "member_ids": [one.id for one in members], **more}
        return str(self.call("POST", "chat/rooms", body)["id"])

    def say(self, room_id: str, body: str, **more: Any) -> dict[str, Any]:
        json = {"client_id": str(uuid.uuid4()), "body": body, **more}
        said: dict[str, Any] = self.call("POST", f"chat/rooms/{room_id}/messages", json)
        return said

    def messages(self, room_id: str) -> list[dict[str, Any]]:
        """The newest hundred."""
        items: list[dict[str, Any]] = self.call("GET", f"chat/rooms/{room_id}/messages?limit=100")["items"]
        return items

    def bodies(self, room_id: str) -> list[str]:
        """What people said, oldest first."""
        return [message["body"] for message in self.messages(room_id) if message["kind"] == "text"]
