"""The HTTP API over real sockets, by both ways in: F-RT-04."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from kanal.realtime.apps import App
from tests.realtime.api.caller import Caller, sign
from tests.realtime.harness import APP, Client, Running, running

DISABLED = App(id="9", key="nine", secret="nine-secret", enabled=False)
SMALL = App(id="8", key="eight", secret="eight-secret", max_message_size=100, max_batch=2, max_event_channels=3)


@pytest.fixture(params=["lean", "uvicorn"])
def way(request: pytest.FixtureRequest) -> str:
    """How the call comes in."""
    return str(request.param)


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with running(APP, DISABLED, SMALL) as it:
        yield it


@pytest.fixture
async def api(server: Running, way: str) -> Caller:
    return await Caller.open(server.port, way)


class TestEvents:
    async def test_an_event_reaches_the_subscribers_of_all_its_channels(self, server: Running, api: Caller) -> None:
        async with await server.client() as ayu, await server.client() as budi:
            await ayu.subscribe("news")
            await budi.subscribe("private-sport")
            answer = await api.trigger(["news", "private-sport", "empty"], "goal", {"n": 1})
            assert (answer.status, answer.body) == (200, b"{}")
            assert answer.headers["content-type"] == "application/json"
            assert "x-kanal-delivery" not in answer.headers
            assert await ayu.event("goal", "news") == {"n": 1}
            assert await budi.event("goal", "private-sport") == {"n": 1}
            await ayu.quiet()

    async def test_the_socket_that_caused_it_is_left_out(self, server: Running, api: Caller) -> None:
        async with await server.client() as ayu, await server.client() as budi:
            await ayu.subscribe("news")
            await budi.subscribe("news")
            await api.trigger("news", "goal", 1, socket_id=ayu.socket_id)
            assert await budi.event("goal", "news") == 1
            await ayu.quiet()

    async def test_a_cache_channel_keeps_what_came_by_call(self, server: Running, api: Caller) -> None:
        await api.trigger("cache-score", "score", {"home": 1})
        async with await server.client() as late:
            await late.subscribe("cache-score")
            assert await late.event("score", "cache-score") == {"home": 1}
        answer = await api.get("/channels/cache-score", info="cache")
        assert answer.json["cache"]["data"] == '{"home": 1}'
        assert 0 < answer.json["cache"]["ttl"] <= APP.cache_ttl

    async def test_info_tells_of_each_channel(self, server: Running, api: Caller) -> None:
        async with await server.member("presence-a", "ayu"), await server.member("presence-a", "budi"):
            answer = await api.trigger(["presence-a", "news"], "e", 1, info="user_count,subscription_count")
            assert answer.json == {
                "channels": {
                    "presence-a": {"user_count": 2, "subscription_count": 2},
                    "news": {"subscription_count": 0},
                }
            }

    async def test_a_batch_is_delivered_in_order(self, server: Running, api: Caller) -> None:
        async with await server.client() as ayu:
            await ayu.subscribe("news")
            batch = [{"name": "n", "channel": "news", "data": str(n)} for n in range(10)]
            answer = await api.post("/batch_events", {"batch": batch})
            assert (answer.status, answer.body) == (200, b"{}")
            assert [await ayu.event("n", "news") for _ in range(10)] == list(range(10))

    async def test_info_in_a_batch_is_one_entry_for_each_event(self, server: Running, api: Caller) -> None:
        async with await server.client() as ayu:
            await ayu.subscribe("news")
            batch: list[dict[str, Any]] = [{"name": "n", "channel": "news", "data": "1"} for _ in range(2)]
            batch[1]["info"] = "subscription_count"
            answer = await api.post("/batch_events", {"batch": batch})
            assert answer.json == {"batch": [{}, {"subscription_count": 1}]}

    async def test_nothing_of_a_batch_is_published_when_one_of_it_is_wrong(self, server: Running, api: Caller) -> None:
        async with await server.client() as ayu:
            await ayu.subscribe("news")
            good, bad = {"name": "n", "channel": "news", "data": "1"}, {"name": "n", "channel": "a b", "data": "1"}
            assert (await api.post("/batch_events", {"batch": [good, bad]})).status == 400
            await ayu.quiet()

    async def test_limits_are_the_apps(self, server: Running, way: str) -> None:
        api = await Caller.open(server.port, way, SMALL)
        assert (await api.trigger(["a", "b", "c"], "e", "x" * 98)).status == 200
        assert (await api.trigger("a", "e", "x" * 99)).status == 413
        assert (await api.trigger(["a", "b", "c", "d"], "e", "x")).status == 400
        event = {"name": "e", "channel": "a", "data": "x"}
        assert (await api.post("/batch_events", {"batch": [event] * 2})).status == 200
        assert (await api.post("/batch_events", {"batch": [event] * 3})).status == 400
        assert (await api.post("/events", b" " * (SMALL.max_body_size + 1))).status == 413


class TestQuestions:
    async def test_occupied_channels(self, server: Running, api: Caller) -> None:
        assert (await api.get("/channels")).body == b'{"channels":{}}', "an object, never a list"
        async with await server.client() as ayu, await server.member("presence-a", "budi"):
            await ayu.subscribe("news")
            await ayu.subscribe("presence-a", {"user_id": "ayu"})
            assert (await api.get("/channels")).json == {"channels": {"news": {}, "presence-a": {}}}
            assert (await api.get("/channels", filter_by_prefix="ne")).json == {"channels": {"news": {}}}
            answer = await api.get("/channels", filter_by_prefix="presence-", info="user_count")
            assert answer.json == {"channels": {"presence-a": {"user_count": 2}}}

    @pytest.mark.parametrize("prefix", [None, "private-", "presence"])
    async def test_user_count_needs_a_presence_prefix(self, api: Caller, prefix: str | None) -> None:
        assert (await api.get("/channels", filter_by_prefix=prefix, info="user_count")).status == 400

    async def test_one_channel(self, server: Running, api: Caller) -> None:
        assert (await api.get("/channels/news")).json == {"occupied": False}
        async with await server.member("presence-a", "ayu"), await server.member("presence-a", "ayu"):
            answer = await api.get("/channels/presence-a", info="user_count,subscription_count")
            assert answer.json == {"occupied": True, "user_count": 1, "subscription_count": 2}

    async def test_what_a_channel_does_not_have_cannot_be_asked(self, api: Caller) -> None:
        for name, info in (("news", "user_count"), ("news", "cache"), ("news", "colour"), ("a%20b", None)):
            assert (await api.get(f"/channels/{name}", info=info)).status == 400, (name, info)

    async def test_an_empty_cache_is_null(self, api: Caller) -> None:
        answer = await api.get("/channels/cache-a", info="cache")
        assert answer.json == {"occupied": False, "cache": None}

    async def test_users_of_a_presence_channel(self, server: Running, api: Caller) -> None:
        assert (await api.get("/channels/presence-a/users")).json == {"users": []}
        async with await server.member("presence-a", "ayu"), await server.member("presence-a", "7"):
            assert (await api.get("/channels/presence-a/users")).json == {"users": [{"id": "7"}, {"id": "ayu"}]}
        assert (await api.get("/channels/news/users")).status == 400

    async def test_apps_do_not_see_each_other(self, server: Running, way: str) -> None:
        async with await server.client() as ayu:
            await ayu.subscribe("news")
            other = await Caller.open(server.port, way, SMALL)
            assert (await other.get("/channels")).json == {"channels": {}}
            await other.trigger("news", "e", 1)
            await ayu.quiet()


class TestTermination:
    async def test_every_connection_of_the_user_is_closed_with_4009(self, server: Running, api: Caller) -> None:
        ayu, again, budi = [await server.member("presence-a", name) for name in ("ayu", "ayu", "budi")]
        answer = await api.post("/users/ayu/terminate_connections", {})
        assert (answer.status, answer.body) == (200, b"{}")
        for client in (ayu, again):
            assert await client.closed() == 4009
        assert await budi.event("pusher_internal:member_removed", "presence-a") == {"user_id": "ayu"}
        await budi.quiet()
        for client in (ayu, again, budi):
            await client.drop()

    async def test_a_path_without_the_app_finds_it_by_the_key(self, server: Running, way: str) -> None:
        """As the Python SDK sends it."""
        ayu = await server.member("presence-a", "ayu")
        api = await Caller.open(server.port, way)
        path = "/users/ayu/terminate_connections"
        answer = await api.http.ask("POST", f"{path}?{sign('POST', path, b'{}')}", b"{}")
        assert answer.status == 200
        assert await ayu.closed() == 4009
        await ayu.drop()


class TestRefusals:
    async def test_an_app_that_is_not_there_is_404(self, server: Running, way: str) -> None:
        api = await Caller.open(server.port, way, replace(APP, id="404"))
        answer = await api.trigger("news", "e", 1)
        assert answer.status == 404
        assert answer.json == {"error": "There is no such app"}

    async def test_a_disabled_app_is_403_for_who_knows_its_secret(self, server: Running, way: str) -> None:
        api = await Caller.open(server.port, way, DISABLED)
        assert (await api.trigger("news", "e", 1)).status == 403
        stranger = await Caller.open(server.port, way, replace(DISABLED, secret="guessed"))
        assert (await stranger.trigger("news", "e", 1)).status == 401

    @pytest.mark.parametrize("path", ["", "/", "/event", "/channels/a/b", "/channels/a/users/b", "/users/a"])
    async def test_a_call_that_is_not_there_is_404(self, api: Caller, path: str) -> None:
        assert (await api.get(path)).status == 404

    async def test_the_wrong_method_is_405(self, api: Caller) -> None:
        assert (await api.get("/events")).status == 405
        assert (await api.post("/channels", {})).status == 405
        assert (await api.call("DELETE", "/channels/a")).status == 405

    async def test_who_does_not_sign_rightly_is_401_and_may_go_on(self, server: Running, api: Caller) -> None:
        async with await server.client() as ayu:
            await ayu.subscribe("news")
            body = {"name": "e", "channel": "news", "data": "1"}
            wrong: list[dict[str, str | None]] = [
                {"auth_signature": "0" * 64},
                {"auth_signature": None},
                {"auth_key": "other"},
                {"auth_timestamp": str(int(time.time()) - 700)},
                {"body_md5": "0" * 32},
                {"body_md5": None},
            ]
            for change in wrong:
                answer = await api.post("/events", body, **change)
                assert answer.status == 401, change
                assert set(answer.json) == {"error"}
                assert APP.secret not in answer.body.decode()
            await ayu.quiet()
            assert (await api.post("/events", body)).status == 200
            assert await ayu.event("e", "news") == 1

    async def test_a_call_that_was_overheard_is_good_for_ten_minutes_and_for_nothing_else(self, api: Caller) -> None:
        """Pusher's protocol has no nonce: TLS keeps calls from being overheard."""
        path, body = f"/apps/{APP.id}/events", b'{"name":"e","channel":"news","data":"1"}'
        query = sign("POST", path, body)
        assert (await api.http.ask("POST", f"{path}?{query}", body)).status == 200
        assert (await api.http.ask("POST", f"{path}?{query}", body)).status == 200
        assert (await api.http.ask("POST", f"{path}?{query}", body.replace(b"news", b"cash"))).status == 401
        old = sign("POST", path, body, at=time.time() - 601)
        assert (await api.http.ask("POST", f"{path}?{old}", body)).status == 401

    async def test_what_cannot_be_read_is_400(self, api: Caller) -> None:
        for body in (b"{", b"\xff", b'{"name":"e","channel":"news","data":"\xff"}', json.dumps([]).encode()):
            assert (await api.post("/events", body)).status == 400, body
        assert (await api.post("/users/ayu/terminate_connections", b"[")).status == 400


async def test_answers_are_counted_by_app_call_and_status(server: Running, api: Caller) -> None:
    await api.trigger("news", "e", 1)
    await api.trigger("news", "", 1)
    await api.get("/channels", auth_signature="0")
    assert server.front.api.counts == {(APP.id, "events", 200): 1, (APP.id, "events", 400): 1, ("", "", 401): 1}


async def test_a_subscriber_who_connects_while_calls_come_in(server: Running, api: Caller) -> None:
    """Calls and sockets share the port and the loop."""
    for number in range(5):
        async with await Client.open(server.port) as late:
            await late.subscribe("news")
            await api.trigger("news", "e", number)
            assert await late.event("e", "news") == number
