"""pusher-js as browsers load it, and laravel-echo, in Chromium against `kanal realtime`: F-RT-01 to F-RT-04, F-RT-09.

What is published goes through Pusher's Python SDK, to another node than the reader's where there are two.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import PATIENCE
from tests.e2e.shop import APP, APPS, Shop, sdk
from tests.e2e.waiting import comes_to
from tests.realtime.balancer import Balancer
from tests.support.kanal_process import KanalProcess

PLAIN, ENCRYPTING = "pusher.js", "pusher-with-encryption.js"


class Visitor:
    """A page of the shop. What it was told and nobody has asked for yet stays in line."""

    def __init__(self, page: Page, shop: Shop, user: str, library: str, watch: Sequence[str]) -> None:
        self.page = page
        watched = "".join(f"&watch={each}" for each in watch)
        page.goto(f"{shop.url}/?library={library}&user={user}{watched}")

    def call(self, function: str, *arguments: Any) -> None:
        """A function of the page (`shop.html`)."""
        self.page.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")

    def hears(self, what: str) -> Any:
        """Takes the first such thing out of the line and returns its data."""
        found = f"told.findIndex((each) => each.what === {json.dumps(what)})"
        try:
            self.page.wait_for_function(f"{found} >= 0", timeout=PATIENCE)
        except Exception as error:
            raise AssertionError(f"never told {what!r}, only {self.page.evaluate('told')}") from error
        return self.page.evaluate(f"told.splice({found}, 1)[0].data")

    def told(self) -> list[str]:
        names: list[str] = self.page.evaluate("told.map((each) => each.what)")
        return names

    def connects(self, port: int, key: str = APP.key) -> Visitor:
        self.call("connect", key, port)
        self.hears("connected")
        return self

    def subscribes(self, channel: str) -> Any:
        self.call("subscribe", channel)
        return self.hears(f"{channel} pusher:subscription_succeeded")

    def asks(self, expression: str) -> Any:
        return self.page.evaluate(expression)


Open = Callable[..., Visitor]
Nodes = tuple[KanalProcess, KanalProcess]


@pytest.fixture(scope="module")
def shop(node_clients: Path) -> Iterator[Shop]:
    shop = Shop(node_clients / "node_modules")
    yield shop
    shop.close()


def _node(folder: Path, name: str, redis: str = "") -> KanalProcess:
    return KanalProcess(
        folder / name,
        "realtime",
        KANAL_NODE_ID=name,
        KANAL_REALTIME_APPS=APPS,
        KANAL_REALTIME_BROKER_URL=redis,
        KANAL_REALTIME_PREFIX=folder.name,
        KANAL_REALTIME_DRAIN_WINDOW="0.5",
        KANAL_SECRET_KEYS="",
    )


@pytest.fixture(scope="module", params=["memory, one node", "redis, one node", "redis, two nodes"])
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The node for ayu and the one for budi."""
    redis = request.getfixturevalue("redis_url") if "redis" in request.param else ""
    folder = tmp_path_factory.mktemp("nodes")
    made = [_node(folder, name, redis) for name in ("one", "two")[: 2 if "two" in request.param else 1]]
    for node in made:
        node.start()
    yield made[0], made[-1]
    for node in made:
        node.stop()


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Open]:
    opened: list[Page] = []

    def visit(user: str, library: str = PLAIN, *, watch: Sequence[str] = (), still: bool = False) -> Visitor:
        """``still``: time passes in this page as the test says."""
        page = browser.new_page()
        opened.append(page)
        if still:
            page.clock.install()
        return Visitor(page, shop, user, library, watch)

    yield visit
    for page in opened:
        page.close()


@pytest.fixture
def ayu(visit: Open, nodes: Nodes) -> Visitor:
    return visit("ayu", ENCRYPTING).connects(nodes[0].port)


@pytest.fixture
def budi(visit: Open, nodes: Nodes) -> Visitor:
    return visit("budi").connects(nodes[1].port)


class TestPusherJs:
    @pytest.mark.parametrize("channel", ["news", "private-news", "presence-news"])
    def test_events_of_the_http_api_arrive(self, ayu: Visitor, budi: Visitor, nodes: Nodes, channel: str) -> None:
        for visitor in (ayu, budi):
            visitor.subscribes(channel)
        assert sdk(nodes[0].port).trigger(channel, "sale", {"text": "diskon 東京 🎉"}) == {}
        for visitor in (ayu, budi):
            assert visitor.hears(f"{channel} sale") == {"text": "diskon 東京 🎉"}

    def test_the_socket_that_caused_an_event_is_left_out(self, ayu: Visitor, budi: Visitor, nodes: Nodes) -> None:
        for visitor in (ayu, budi):
            visitor.subscribes("news")
        library = sdk(nodes[1].port)
        library.trigger("news", "mine", 1, ayu.asks("pusher.connection.socket_id"))
        library.trigger("news", "everybody's", 2)
        assert (budi.hears("news mine"), budi.hears("news everybody's")) == (1, 2)
        ayu.hears("news everybody's")
        assert "news mine" not in ayu.told()

    def test_presence_knows_who_is_here_joins_and_leaves(self, ayu: Visitor, budi: Visitor) -> None:
        room = "presence-room"
        assert ayu.subscribes(room) == {"members": {"ayu": {"name": "Ayu"}}, "count": 1}
        assert budi.subscribes(room)["count"] == 2
        assert ayu.hears(f"{room} pusher:member_added") == {"id": "budi", "info": {"name": "Budi"}}
        assert ayu.asks(f"pusher.channel('{room}').members.count") == 2
        assert ayu.asks(f"pusher.channel('{room}').members.me") == {"id": "ayu", "info": {"name": "Ayu"}}
        budi.page.close()  # as people leave
        assert ayu.hears(f"{room} pusher:member_removed")["id"] == "budi"
        assert ayu.asks(f"pusher.channel('{room}').members.count") == 1

    def test_client_events_reach_the_other_and_not_the_sender(self, ayu: Visitor, budi: Visitor) -> None:
        channel = "private-desk"
        for visitor in (ayu, budi):
            visitor.subscribes(channel)
        ayu.asks(f"pusher.channel('{channel}').trigger('client-typing', {{ on: true }})")
        assert budi.hears(f"{channel} client-typing") == {"on": True}
        budi.asks(f"pusher.channel('{channel}').trigger('client-seen', 'yes')")
        assert ayu.hears(f"{channel} client-seen") == "yes"
        assert f"{channel} client-typing" not in ayu.told()

    def test_too_many_client_events_are_error_4301_and_the_connection_stays(self, ayu: Visitor) -> None:
        ayu.subscribes("private-desk")
        ayu.asks("for (let n = 0; n < 60; n++) pusher.channel('private-desk').trigger('client-n', n)")
        assert ayu.hears("error")["code"] == 4301
        ayu.subscribes("news")
        assert "disconnected" not in ayu.told()

    def test_encrypted_events_are_read_by_who_has_the_key(self, ayu: Visitor, nodes: Nodes) -> None:
        channel = "private-encrypted-orders"
        ayu.subscribes(channel)
        sdk(nodes[1].port).trigger(channel, "paid", {"card": "4242"})
        assert ayu.hears(f"{channel} paid") == {"card": "4242"}

    @pytest.mark.parametrize("kind", ["cache-", "private-cache-", "presence-cache-", "private-encrypted-cache-"])
    def test_cache_channels_give_the_last_event_or_a_miss(
        self, ayu: Visitor, visit: Open, nodes: Nodes, kind: str
    ) -> None:
        channel = f"{kind}price"
        ayu.subscribes(channel)
        ayu.hears(f"{channel} pusher:cache_miss")
        for price in (41, 42):
            sdk(nodes[0].port).trigger(channel, "price", price)
        late = visit("citra", ENCRYPTING).connects(nodes[1].port)
        late.subscribes(channel)
        assert late.hears(f"{channel} price") == 42
        assert f"{channel} pusher:cache_miss" not in late.told()

    def test_who_signs_in_is_reached_by_name_and_seen_by_who_watches(self, visit: Open, nodes: Nodes) -> None:
        ayu = visit("ayu", watch=["budi"]).connects(nodes[0].port)
        ayu.asks("pusher.signin()")
        assert ayu.hears("offline") == ["budi"]
        budi = visit("budi").connects(nodes[1].port)
        budi.asks("pusher.signin()")
        assert ayu.hears("online") == ["budi"]
        comes_to(lambda: budi.asks("pusher.user.user_data?.id ?? null"), "budi")
        budi.page.wait_for_function("pusher.user.serverToUserChannel?.subscribed")
        library = sdk(nodes[0].port)
        library.send_to_user("budi", "invoice", {"total": 7})
        assert budi.hears("user invoice") == {"total": 7}
        library.terminate_user_connections("budi")
        assert budi.hears("error")["code"] == 4009
        budi.hears("disconnected")
        assert ayu.hears("offline") == ["budi"]

    def test_subscribers_are_counted_over_all_nodes(self, ayu: Visitor, budi: Visitor) -> None:
        told = "counted pusher:subscription_count"
        ayu.subscribes("counted")
        assert ayu.hears(told) == {"subscription_count": 1}
        budi.subscribes("counted")
        for visitor in (ayu, budi):
            comes_to(partial(visitor.asks, "pusher.channel('counted').subscriptionCount"), 2)
        assert ayu.hears(told) == {"subscription_count": 2}
        budi.asks("pusher.unsubscribe('counted')")
        assert ayu.hears(told) == {"subscription_count": 1}

    def test_a_refused_channel_is_told_and_the_connection_stays(self, visit: Open, nodes: Nodes) -> None:
        nobody = visit("nobody").connects(nodes[0].port)
        nobody.call("subscribe", "private-news")
        assert nobody.hears("private-news pusher:subscription_error")["status"] == 403
        nobody.subscribes("news")

    @pytest.mark.parametrize(("key", "code"), [("unknown", 4001), ("closed-key", 4003)])
    def test_an_app_that_is_not_there_is_not_asked_for_again(
        self, visit: Open, nodes: Nodes, request: pytest.FixtureRequest, key: str, code: int
    ) -> None:
        door = Balancer(nodes[0].port)
        request.addfinalizer(door.stop)
        visitor = visit("ayu", still=True)
        visitor.call("connect", key, door.port)
        assert visitor.hears("error")["code"] == code
        visitor.hears("disconnected")
        visitor.page.clock.run_for("10:00")
        assert visitor.asks("pusher.connection.state") == "disconnected"
        assert door.accepted == 1


@pytest.mark.parametrize("broadcaster", ["reverb", "pusher"])
class TestLaravelEcho:
    @pytest.fixture
    def echoes(self, visit: Open, nodes: Nodes, broadcaster: str) -> tuple[Visitor, Visitor]:
        ayu, budi = visit("ayu"), visit("budi")
        for visitor, node in ((ayu, nodes[0]), (budi, nodes[1])):
            visitor.call("connectEcho", broadcaster, APP.key, node.port)
            visitor.hears("connected")
        return ayu, budi

    def test_here_joining_whispers_events_and_leaving(self, echoes: tuple[Visitor, Visitor], nodes: Nodes) -> None:
        ayu, budi = echoes
        ayu.call("join", "desk")
        assert ayu.hears("here") == [{"name": "Ayu"}]
        budi.call("join", "desk")
        assert sorted(member["name"] for member in budi.hears("here")) == ["Ayu", "Budi"]
        assert ayu.hears("joining") == {"name": "Budi"}
        budi.asks("echo.join('desk').whisper('typing', { on: true })")
        assert ayu.hears("whisper") == {"on": True}
        sdk(nodes[0].port).trigger("presence-desk", "order", {"id": 7})
        assert (ayu.hears("order"), budi.hears("order")) == ({"id": 7}, {"id": 7})
        assert "whisper" not in budi.told()
        budi.asks("echo.leave('desk')")
        assert ayu.hears("leaving") == {"name": "Budi"}

    @pytest.mark.parametrize(("kind", "prefix"), [("channel", ""), ("private", "private-")])
    def test_public_and_private_channels(
        self, echoes: tuple[Visitor, Visitor], nodes: Nodes, kind: str, prefix: str
    ) -> None:
        _, budi = echoes
        budi.call("listen", kind, "orders")
        budi.hears("subscribed")
        sdk(nodes[0].port).trigger(f"{prefix}orders", "order", {"id": 8})
        assert budi.hears("order") == {"id": 8}


def test_a_page_goes_to_another_node_by_itself_when_its_own_ends(
    visit: Open, redis_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    one, two = (_node(tmp_path, name, redis_url) for name in ("one", "two"))
    for node in (one, two):
        request.addfinalizer(node.kill)
        node.start()
    door = Balancer(one.port)
    request.addfinalizer(door.stop)
    ayu, budi = visit("ayu").connects(door.port), visit("budi").connects(two.port)
    for visitor in (ayu, budi):
        visitor.subscribes("presence-room")
    first = ayu.asks("pusher.connection.socket_id")
    door.target = two.port
    one.signal(signal.SIGTERM)
    assert ayu.hears("error")["code"] == 4200
    ayu.hears("connected")
    assert ayu.hears("presence-room pusher:subscription_succeeded")["count"] == 2
    assert ayu.asks("pusher.connection.socket_id") != first
    assert one.wait() == 0
    sdk(two.port).trigger("presence-room", "back", 1)
    assert (ayu.hears("presence-room back"), budi.hears("presence-room back")) == (1, 1)
    assert door.accepted == 2
