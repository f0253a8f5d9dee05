"""The smallest client that keeps up: applies events in any order and any number of times, wherever they stand in the log.

Objects are replaced by a higher version only, and I am in a room while my membership's version is above my last leave's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kanal.rooms import rules

Json = dict[str, Any]
FIELDS = ("id", "kind", "name", "topic", "visibility", "archived", "created_by", "created_at", "member_ids")


@dataclass
class Client:
    """Everything that one person knows of the rooms of a workspace."""

    me: str
    rooms: dict[str, Json] = field(default_factory=dict)
    latest: dict[str, Json] = field(default_factory=dict)
    """The room with the highest ``last_sequence``, then version: its last line may be younger than its fields."""
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    memberships: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)
    roles: dict[str, dict[str, tuple[int, str | None]]] = field(default_factory=dict)
    """By room and person, with the room's version; ``None`` for who is out."""
    markers: dict[str, dict[str, int]] = field(default_factory=dict)

    def load(self, rooms: list[Json]) -> None:
        """The list of my rooms."""
        for room in rooms:
            self._enter(room)

    def load_members(self, room: str, items: list[Json]) -> None:
        version = self.rooms[room]["version"]
        for item in items:
            self.roles.setdefault(room, {})[item["user_id"]] = (version, item["role"])
            self._mark(room, item["user_id"], item["read_sequence"])

    def load_messages(self, items: list[Json]) -> None:
        for message in items:
            self._message(message)

    def apply(self, event: Json) -> None:
        data = event["data"]
        match event["name"]:
            case "message.sent" | "message.updated":
                self._message(data["message"])
            case "room.joined":
                self._enter(data["room"])
            case "room.updated":
                self._room(data["room"])
            case "room.left":
                self.left[data["room_id"]] = max(self.left.get(data["room_id"], 0), data["room_version"])
            case "room.member_joined" | "room.member_updated" | "room.member_left":
                room, version = data["room_id"], data["room_version"]
                self._count(room, version, data["member_count"])
                known = self.roles.setdefault(room, {}).get(data["user_id"], (0, None))
                if version > known[0]:
                    self.roles[room][data["user_id"]] = (version, data.get("role"))
            case "room.read":
                self._mark(data["room_id"], data["user_id"], data["read_sequence"])
            case "membership.updated":
                self._membership(data["room_id"], data["membership"])

    def _enter(self, room: Json) -> None:
        self._room(room)
        self._membership(room["id"], room["membership"])

    def _room(self, room: Json) -> None:
        id_ = room["id"]
        if id_ not in self.rooms or room["version"] > self.rooms[id_]["version"]:
            self.rooms[id_] = room | {"member_ids": room["member_ids"] or self.rooms.get(id_, room)["member_ids"]}
        known = self.latest.setdefault(id_, room)
        if (room["last_sequence"], room["version"]) > (known["last_sequence"], known["version"]):
            self.latest[id_] = room
        self._count(id_, room["version"], room["member_count"])

    def _count(self, room: str, version: int, count: int) -> None:
        if version > self.counts.get(room, (0, 0))[0]:
            self.counts[room] = (version, count)

    def _membership(self, room: str, membership: Json) -> None:
        if membership["version"] > self.memberships.get(room, {"version": -1})["version"]:
            self.memberships[room] = membership

    def _message(self, message: Json) -> None:
        known = self.messages.get(message["id"])
        if known is None or message["version"] > known["version"]:
            self.messages[message["id"]] = message

    def _mark(self, room: str, user: str, sequence: int) -> None:
        markers = self.markers.setdefault(room, {})
        markers[user] = max(sequence, markers.get(user, 0))

    def shown(self) -> dict[str, Json]:
        """My rooms as a list shows them."""
        return {
            room: self._shown(room) for room, m in self.memberships.items() if m["version"] > self.left.get(room, 0)
        }

    def people(self, room: str) -> dict[str, str]:
        """Who is in it, and as what."""
        return {user: role for user, (_, role) in self.roles.get(room, {}).items() if role}

    def _shown(self, room: str) -> Json:
        mine = self.memberships[room]
        lines = sorted((m for m in self.messages.values() if m["room_id"] == room), key=lambda m: m["sequence"])
        latest = self.latest[room]
        newer = [m for m in lines if m["sequence"] > latest["last_sequence"]]
        newest = next((m for m in reversed(newer) if m["parent_id"] is None), None)
        unread = [m for m in lines if m["sequence"] > mine["read_sequence"] and self._counts(m)]
        return {
            **{name: self.rooms[room][name] for name in FIELDS},
            "member_count": self.counts[room][1],
            "last_sequence": newer[-1]["sequence"] if newer else latest["last_sequence"],
            "last_activity_at": newer[-1]["created_at"] if newer else latest["last_activity_at"],
            "last_message": last_line(newest) if newest else latest["last_message"],
            "membership": mine
            | {
                "unread": sum(m["parent_id"] is None for m in unread),
                "mentions": sum(bool({self.me, "all"} & set(m["mentions"])) for m in unread),
            },
        }

    def _counts(self, message: Json) -> bool:
        return message["kind"] == "text" and message["user_id"] != self.me and message["deleted_at"] is None


def last_line(message: Json) -> Json:
    return {
        "id": message["id"],
        "user_id": message["user_id"],
        "kind": "deleted" if message["deleted_at"] else message["kind"],
        "preview": rules.preview(message["body"]),
        "attachments": len(message["attachments"]),
        "system": message["system"],
        "created_at": message["created_at"],
    }


def listed(room: Json) -> Json:
    """A room of a fresh list in the form of `Client.shown`."""
    return {name: value for name, value in room.items() if name != "version"}
