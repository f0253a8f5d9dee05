"""pysher, the Python client, as released, against a running node over both brokers."""

import json
import logging
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import pysher
import pytest

from tests.realtime.harness import APP
from tests.realtime.node_control import Node

WAIT = 30.0  # seconds; only a failure takes as long


@pytest.fixture(scope="module", params=["memory, one node", "redis, one node", "redis, two nodes"])
def nodes(request: pytest.FixtureRequest) -> Iterator[tuple[Node, Node]]:
    """The node for ayu, where events are published too, and the one for budi."""
    settings = {} if "memory" in request.param else {"broker": request.getfixturevalue("redis_url")}
    made = [Node(**settings, node=name) for name in ("one", "two")[: 2 if "two" in request.param else 1]]
    yield made[0], made[-1]
    for each in made:
        each.stop()


class Noting(pysher.Pusher):  # type: ignore[misc]
    """Keeps every channel event from the first on; a bind comes after the subscription was sent, and may be late."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.noted: queue.Queue[tuple[str, Any]] = queue.Queue()
        super().__init__(*args, **settings)

    def _connection_handler(self, event_name: str, data: Any, channel_name: str) -> None:
        super()._connection_handler(event_name, data, channel_name)
        self.noted.put((event_name, data))


class Client:
    def __init__(self, node: Node, user: str) -> None:
        self.pusher = Noting(
            APP.key,
            secret=APP.secret,
            user_data={"user_id": user, "user_info": {"name": user}},
            secure=False,
            custom_host="127.0.0.1",
            port=node.port,
            log_level=logging.CRITICAL,
        )
        connected: queue.Queue[str] = queue.Queue()
        self.pusher.connection.bind("pusher:connection_established", connected.put)
        self.pusher.connect()
        connected.get(timeout=WAIT)

    def subscribe(self, channel: str) -> Any:
        self.pusher.subscribe(channel)
        return self.next("pusher_internal:subscription_succeeded")

    def next(self, event: str) -> Any:
        name, data = self.pusher.noted.get(timeout=WAIT)
        assert name == event, (name, data)
        return json.loads(data) if isinstance(data, str) else data


@pytest.fixture
def client(nodes: tuple[Node, Node]) -> Iterator[Callable[[str], Client]]:
    made: list[Client] = []

    def make(user: str) -> Client:
        made.append(Client(nodes[user == "budi"], user))
        return made[-1]

    yield make
    for each in made:
        each.pusher.disconnect(timeout=0.5)


@pytest.mark.parametrize("channel", ["news", "private-news"])
def test_events_arrive(nodes: tuple[Node, Node], client: Callable[[str], Client], channel: str) -> None:  # F-RT-01
    both = client("ayu"), client("budi")
    for each in both:
        each.subscribe(channel)
    nodes[0].publish(channel, "message.sent", '{"id":1}')
    for each in both:
        assert each.next("message.sent") == {"id": 1}


def test_presence(client: Callable[[str], Client]) -> None:  # F-RT-02
    added, removed = "pusher_internal:member_added", "pusher_internal:member_removed"
    ayu, budi = client("ayu"), client("budi")
    assert ayu.subscribe("presence-room")["presence"]["ids"] == ["ayu"]
    assert set(budi.subscribe("presence-room")["presence"]["ids"]) == {"ayu", "budi"}
    assert ayu.next(added) == {"user_id": "budi", "user_info": {"name": "budi"}}
    budi.pusher.unsubscribe("presence-room")
    assert ayu.next(removed) == {"user_id": "budi"}


def test_client_events(client: Callable[[str], Client]) -> None:  # F-RT-03
    ayu, budi = client("ayu"), client("budi")
    ayu.subscribe("private-w")
    budi.subscribe("private-w")
    ayu.pusher.channel("private-w").trigger("client-typing", {"on": True})
    assert budi.next("client-typing") == {"on": True}
    time.sleep(0.2)
    assert ayu.pusher.noted.empty()
