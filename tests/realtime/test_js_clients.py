"""pusher-js and laravel-echo, as released, against running nodes over both brokers."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kanal.realtime.protocol.signatures import shared_secret
from tests.realtime.balancer import Balancer
from tests.realtime.harness import APP
from tests.realtime.node_control import Node
from tests.realtime.node_process import COUNTED
from tests.support.node import start_node

WAIT = 30.0  # seconds; only a failure takes as long


class Agent:
    """Node with the client libraries; ``heard`` waits for what one of its clients tells."""

    def __init__(self, folder: Path, port: int) -> None:
        self.process: subprocess.Popen[str] = start_node(folder / "agent.js", [APP.key, str(port)])
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._backlog: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.heard(None, "ready")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def do(self, what: str, **arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")

    def heard(self, client: str | None, what: str, **matching: Any) -> dict[str, Any]:
        """The first such message; earlier ones of other kinds stay for later questions."""

        def fits(message: dict[str, Any]) -> bool:
            wanted = {"client": client, "what": what, **matching}
            return all(message.get(key) == value for key, value in wanted.items())

        deadline = time.monotonic() + WAIT
        for index, message in enumerate(self._backlog):
            if fits(message):
                return self._backlog.pop(index)
        while True:
            try:
                message = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{client} never told {what} {matching}; it told {self._backlog}") from None
            if fits(message):
                return message
            self._backlog.append(message)

    def never(self, client: str, what: str, *, within: float = 0.3, **matching: Any) -> None:
        time.sleep(within)
        while not self._lines.empty():
            self._backlog.append(self._lines.get())
        wanted = {"client": client, "what": what, **matching}
        assert [m for m in self._backlog if all(m.get(key) == value for key, value in wanted.items())] == []

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="module", params=["memory", "redis, one node", "redis, two nodes"])
def nodes(request: pytest.FixtureRequest) -> Iterator[tuple[Node, Node]]:
    """The node for ayu and the one for budi."""
    settings = {} if request.param == "memory" else {"broker": request.getfixturevalue("redis_url")}
    made = [Node(**settings, node=name) for name in ("one", "two")[: 2 if "two" in request.param else 1]]
    yield made[0], made[-1]
    for node in made:
        node.stop()


@pytest.fixture
def agent(nodes: tuple[Node, Node], node_clients: Path) -> Iterator[Agent]:
    it = Agent(node_clients, nodes[0].port)
    yield it
    it.stop()


@pytest.fixture
def pushers(agent: Agent, nodes: tuple[Node, Node]) -> Agent:
    for name, node in zip(("ayu", "budi"), nodes, strict=True):
        agent.do("pusher", name=name, user=name, port=node.port)
        agent.heard(name, "connected")
    return agent


def _subscribe(agent: Agent, name: str, channel: str) -> Any:
    agent.do("subscribe", name=name, channel=channel)
    return agent.heard(name, "event", channel=channel, event="pusher:subscription_succeeded")["data"]


class TestPusherJs:
    @pytest.mark.parametrize("channel", ["news", "private-news", "presence-news"])
    def test_events_arrive_on_every_kind_of_channel(  # F-RT-01
        self, pushers: Agent, nodes: tuple[Node, Node], channel: str
    ) -> None:
        for name in ("ayu", "budi"):
            _subscribe(pushers, name, channel)
        assert nodes[0].publish(channel, "message.sent", '{"text":"halo 東京"}') == "cluster"
        for name in ("ayu", "budi"):
            assert pushers.heard(name, "event", event="message.sent")["data"] == {"text": "halo 東京"}

    def test_presence_knows_who_is_here_joins_and_leaves(self, pushers: Agent) -> None:  # F-RT-02
        channel = "presence-room"
        assert _subscribe(pushers, "ayu", channel) == {"members": {"ayu": {"name": "Ayu"}}, "count": 1}
        assert _subscribe(pushers, "budi", channel)["count"] == 2
        added = pushers.heard("ayu", "event", event="pusher:member_added")["data"]
        assert added == {"id": "budi", "info": {"name": "Budi"}}
        pushers.do("members", name="ayu", channel=channel)
        members = pushers.heard("ayu", "members")
        assert members["members"] == {"ayu": {"name": "Ayu"}, "budi": {"name": "Budi"}}
        assert members["me"] == {"id": "ayu", "info": {"name": "Ayu"}}
        pushers.do("unsubscribe", name="budi", channel=channel)
        assert pushers.heard("ayu", "event", event="pusher:member_removed")["data"]["id"] == "budi"
        _subscribe(pushers, "budi", channel)
        pushers.heard("ayu", "event", event="pusher:member_added")
        pushers.do("disconnect", name="budi")
        assert pushers.heard("ayu", "event", event="pusher:member_removed")["data"]["id"] == "budi"

    @pytest.mark.parametrize("channel", ["private-w", "presence-w"])
    def test_client_events_reach_the_other_and_not_the_sender(self, pushers: Agent, channel: str) -> None:  # F-RT-03
        for name in ("ayu", "budi"):
            _subscribe(pushers, name, channel)
        pushers.do("trigger", name="ayu", channel=channel, event="client-typing", data={"on": True})
        assert pushers.heard("budi", "event", event="client-typing")["data"] == {"on": True}
        pushers.never("ayu", "event", event="client-typing")

    def test_the_eleventh_client_event_in_a_second_is_error_4301(self, pushers: Agent) -> None:  # F-RT-03
        _subscribe(pushers, "ayu", "private-w")
        for number in range(60):  # more than refill the bucket of ten while a slow machine sends them
            pushers.do("trigger", name="ayu", channel="private-w", event="client-n", data=number)
        assert pushers.heard("ayu", "error")["error"]["code"] == 4301
        _subscribe(pushers, "ayu", "news")  # still connected

    def test_encrypted_events_are_decrypted_by_the_client_alone(  # F-RT-01
        self, pushers: Agent, nodes: tuple[Node, Node]
    ) -> None:
        channel = "private-encrypted-secret"
        assert APP.encryption_master_key is not None
        _subscribe(pushers, "budi", channel)
        pushers.do("encrypt", secret=shared_secret(APP.encryption_master_key, channel), text='{"pin":1234}')
        sealed = pushers.heard(None, "encrypted")
        data = json.dumps({"nonce": sealed["nonce"], "ciphertext": sealed["ciphertext"]})
        nodes[0].publish(channel, "pin", data)
        assert pushers.heard("budi", "event", event="pin")["data"] == {"pin": 1234}

    @pytest.mark.parametrize("channel", ["cache-{}", "private-cache-{}", "presence-cache-{}"])
    def test_cache_channels_give_the_last_event_or_a_miss(  # F-RT-01
        self, pushers: Agent, nodes: tuple[Node, Node], channel: str
    ) -> None:
        channel = channel.format(time.monotonic_ns())
        _subscribe(pushers, "ayu", channel)
        pushers.heard("ayu", "event", channel=channel, event="pusher:cache_miss")
        nodes[0].publish(channel, "price", "41")
        nodes[0].publish(channel, "price", "42")
        _subscribe(pushers, "budi", channel)
        assert pushers.heard("budi", "event", channel=channel, event="price")["data"] == 42

    def test_a_signed_in_user_hears_what_is_sent_to_the_user(self, pushers: Agent, nodes: tuple[Node, Node]) -> None:
        for name in ("ayu", "budi"):
            pushers.do("signin", name=name, events=["invited"])
            signed_in = pushers.heard(name, "signed in")["user"]
            assert (signed_in["id"], signed_in["user_info"]) == (name, {"name": name.title()})
            pushers.heard(name, "listening", channel=f"#server-to-user-{name}")
        assert nodes[0].publish("#server-to-user-budi", "invited", '{"to":"tea"}') == "cluster"
        assert pushers.heard("budi", "user event")["data"] == {"to": "tea"}
        pushers.never("ayu", "user event")

    def test_a_watchlist_tells_who_is_online(self, agent: Agent, nodes: tuple[Node, Node]) -> None:
        agent.do("pusher", name="ayu", user="ayu", port=nodes[0].port, watchlist="budi,citra")
        agent.do("signin", name="ayu")
        assert sorted(agent.heard("ayu", "offline")["users"]) == ["budi", "citra"]
        agent.do("pusher", name="budi", user="budi", port=nodes[1].port)
        agent.do("signin", name="budi")
        assert agent.heard("ayu", "online")["users"] == ["budi"]
        agent.do("disconnect", name="budi")
        assert agent.heard("ayu", "offline")["users"] == ["budi"]

    def test_the_subscription_count_is_kept(self, agent: Agent, nodes: tuple[Node, Node]) -> None:
        channel = f"news-{time.monotonic_ns()}"
        for number, node in enumerate(nodes, 1):
            agent.do("pusher", name=str(number), user="x", port=node.port, key=COUNTED.key)
            agent.do("subscribe", name=str(number), channel=channel)
            agent.heard("1", "event", event="pusher:subscription_count", data={"subscription_count": number})
        agent.do("count", name="1", channel=channel)
        assert agent.heard("1", "count")["count"] == len(nodes)

    def test_a_refused_channel_is_told_and_the_connection_stays(self, agent: Agent, nodes: tuple[Node, Node]) -> None:
        agent.do("pusher", name="x", user="nobody", port=nodes[0].port)
        agent.heard("x", "connected")
        agent.do("subscribe", name="x", channel="private-news")
        agent.heard("x", "event", channel="private-news", event="pusher:subscription_error")
        _subscribe(agent, "x", "news")

    def test_an_unknown_app_stops_the_client_for_good(self, agent: Agent, nodes: tuple[Node, Node]) -> None:
        agent.do("pusher", name="x", user="x", key="unknown", port=nodes[0].port)
        assert agent.heard("x", "error")["error"]["code"] == 4001
        agent.heard("x", "state", state="disconnected")


@pytest.mark.parametrize("broadcaster", ["reverb", "pusher"])
class TestLaravelEcho:
    @pytest.fixture
    def echoes(self, agent: Agent, nodes: tuple[Node, Node], broadcaster: str) -> Agent:
        for name, node in zip(("ayu", "budi"), nodes, strict=True):
            agent.do("echo", name=name, user=name, broadcaster=broadcaster, port=node.port)
            agent.heard(name, "connected")
        return agent

    def test_here_joining_leaving_and_whispers(self, echoes: Agent) -> None:  # F-RT-01 F-RT-02 F-RT-03
        echoes.do("channel", name="ayu", channel="room", kind="join", whisper=["typing"])
        assert echoes.heard("ayu", "here")["data"] == [{"name": "Ayu"}]
        echoes.do("channel", name="budi", channel="room", kind="join", whisper=["typing"])
        assert sorted(member["name"] for member in echoes.heard("budi", "here")["data"]) == ["Ayu", "Budi"]
        assert echoes.heard("ayu", "joining")["data"] == {"name": "Budi"}
        echoes.do("whisper", name="budi", channel="room", event="typing", data={"on": True})
        assert echoes.heard("ayu", "whisper typing")["data"] == {"on": True}
        echoes.never("budi", "whisper typing")
        echoes.do("leave", name="budi", channel="room")
        assert echoes.heard("ayu", "leaving")["data"] == {"name": "Budi"}

    @pytest.mark.parametrize(("kind", "prefix"), [("channel", ""), ("private", "private-")])
    def test_public_and_private_channels_listen(
        self, echoes: Agent, nodes: tuple[Node, Node], kind: str, prefix: str
    ) -> None:
        echoes.do("channel", name="budi", channel="orders", kind=kind, listen=[".order.shipped"])
        echoes.heard("budi", "subscribed", channel="orders")
        nodes[0].publish(f"{prefix}orders", "order.shipped", '{"id":7}')
        assert echoes.heard("budi", ".order.shipped")["data"] == {"id": 7}


def test_a_client_goes_to_another_node_by_itself_when_its_own_stops(  # F-RT-09
    redis_url: str, node_clients: Path, request: pytest.FixtureRequest
) -> None:
    one, two = (Node(broker=redis_url, node=name) for name in ("one", "two"))
    request.addfinalizer(two.stop)
    request.addfinalizer(one.stop)
    balancer = Balancer(one.port)
    request.addfinalizer(balancer.stop)
    agent = Agent(node_clients, balancer.port)
    request.addfinalizer(agent.stop)
    for name, port in (("ayu", balancer.port), ("budi", two.port)):
        agent.do("pusher", name=name, user=name, port=port)
        agent.heard(name, "connected")
        _subscribe(agent, name, "presence-room")
    balancer.target = two.port
    one.stop()
    assert agent.heard("ayu", "error")["error"]["code"] == 4200
    agent.heard("ayu", "connected")
    agent.heard("ayu", "event", channel="presence-room", event="pusher:subscription_succeeded")
    two.publish("presence-room", "back", "1")
    assert agent.heard("ayu", "event", event="back")["data"] == 1
