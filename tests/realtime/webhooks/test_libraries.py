"""Webhooks as Pusher's own server libraries read them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pusher import Pusher

from kanal.realtime.apps import App
from tests.realtime.webhooks.conftest import sending
from tests.realtime.webhooks.receiver import Receiver, Taken
from tests.support.node import run_node

ROOM = "presence-room"


@pytest.fixture
async def taken(app: App, receiver: Receiver) -> list[Taken]:
    """Requests with every kind of event in them, and text beyond ASCII."""
    async with sending(app) as node:
        member = await node.member_of(app, ROOM, "Zoë ☕")
        member.send("client-typing", {"text": 'ここ \ud83d\ude00 \\ " </script>'}, ROOM)
        other = await node.subscriber(app, "private-cache-news")
        await member.bye()
        await other.bye()
        await receiver.hears(lambda events: len({event["name"] for event in events}) == 7)
    return receiver.requests


def by_names(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in events}


async def test_python(app: App, taken: list[Taken]) -> None:
    library = Pusher(app_id=app.id, key=app.key, secret=app.secret, cluster="mt1")
    events: list[dict[str, Any]] = []
    for request in taken:
        key, signature = request.headers["x-pusher-key"], request.headers["x-pusher-signature"]
        read = library.validate_webhook(key, signature, request.body.decode())
        assert read is not None
        assert abs(read["time_ms"] / 1000 - time.time()) < 60
        events += read["events"]
        assert library.validate_webhook(key, signature, request.body.decode().replace("news", "olds") + " ") is None
    assert by_names(events)["member_added"]["user_id"] == "Zoë ☕"
    assert json.loads(by_names(events)["client_event"]["data"])["text"] == 'ここ 😀 \\ " </script>'


async def test_node(app: App, taken: list[Taken], node_clients: Path) -> None:
    requests = [{"headers": request.headers, "body": request.body.decode()} for request in taken]
    requests.append({"headers": taken[0].headers, "body": taken[0].body.decode() + " "})
    asked = json.dumps({"key": app.key, "secret": app.secret, "requests": requests})
    *read, forged = json.loads(run_node(node_clients / "webhook.js", text=asked))
    assert forged is None
    assert all(abs(each["time"] / 1000 - time.time()) < 60 for each in read)
    assert [event for each in read for event in each["events"]] == [event for each in taken for event in each.events]
