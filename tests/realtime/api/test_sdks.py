"""Official server SDKs, as released, against one node and against two, over both brokers: F-RT-04."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import nacl.secret
import pusher
import pytest

from kanal.realtime.brokers.base import Broker
from kanal.realtime.protocol.signatures import shared_secret
from tests.realtime.harness import APP, Client, Running, running
from tests.support.node import run_node

MASTER = base64.b64encode(APP.encryption_master_key or b"").decode()


class Site:
    """``asked`` is the node that the SDK calls, ``home`` the node that subscribers are connected to."""

    def __init__(self, asked: Running, home: Running) -> None:
        self.asked = asked
        self.home = home


@pytest.fixture(params=["one node", "two nodes"])
async def site(request: pytest.FixtureRequest, new_broker: Callable[[str], Broker]) -> AsyncIterator[Site]:
    async with running(broker=new_broker("one")) as one:
        if request.param == "one node":
            yield Site(one, one)
            return
        async with running(broker=new_broker("two")) as two:
            yield Site(one, two)


def webhook() -> tuple[str, str]:
    """A body as this server sends it, and its signature."""
    body = json.dumps({"time_ms": int(time.time() * 1000), "events": [{"name": "channel_occupied", "channel": "a"}]})
    return body, hmac.new(APP.secret.encode(), body.encode(), hashlib.sha256).hexdigest()


async def decrypted(client: Client, event: str, channel: str) -> Any:
    box = await client.event(event, channel)
    key = base64.b64decode(shared_secret(APP.encryption_master_key or b"", channel))
    plain = nacl.secret.SecretBox(key).decrypt(base64.b64decode(box["ciphertext"]), base64.b64decode(box["nonce"]))
    return json.loads(plain)


class TestPython:
    @pytest.fixture
    def sdk(self, site: Site) -> Any:
        return pusher.Pusher(
            app_id=APP.id,
            key=APP.key,
            secret=APP.secret,
            ssl=False,
            host="127.0.0.1",
            port=site.asked.port,
            encryption_master_key_base64=MASTER,
        )

    async def ask(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The library blocks; the servers live on this loop."""
        return await asyncio.to_thread(call, *arguments, **named)

    async def test_trigger(self, site: Site, sdk: Any) -> None:
        async with await site.home.client() as ayu, await site.home.client() as budi:
            for client in (ayu, budi):
                await client.subscribe("news")
            await budi.subscribe("private-sport")
            assert await self.ask(sdk.trigger, "news", "goal", {"text": "é 🎉"}) == {}
            assert await self.ask(sdk.trigger, ["news", "private-sport"], "goal", "plain", ayu.socket_id) == {}
            assert await ayu.event("goal", "news") == {"text": "é 🎉"}
            await ayu.quiet()
            assert await budi.event("goal", "news") == {"text": "é 🎉"}
            assert {(await budi.next())["channel"] for _ in range(2)} == {"news", "private-sport"}

    async def test_trigger_batch(self, site: Site, sdk: Any) -> None:
        async with await site.home.client() as ayu:
            await ayu.subscribe("news")
            batch = [{"channel": "news", "name": "n", "data": {"n": number}} for number in range(10)]
            assert await self.ask(sdk.trigger_batch, batch) == {}
            assert [(await ayu.event("n", "news"))["n"] for _ in range(10)] == list(range(10))
            with pytest.raises(pusher.errors.PusherBadRequest, match="at most 10"):
                await self.ask(sdk.trigger_batch, [*batch, batch[0]])

    async def test_encrypted_channels(self, site: Site, sdk: Any) -> None:
        async with await site.home.client() as ayu:
            await ayu.subscribe("private-encrypted-a")
            await self.ask(sdk.trigger, "private-encrypted-a", "e", {"secret": 1})
            assert await decrypted(ayu, "e", "private-encrypted-a") == {"secret": 1}

    async def test_questions(self, site: Site, sdk: Any) -> None:
        async with (
            await site.home.member("presence-a", "ayu"),
            await site.asked.member("presence-a", "budi"),
            await site.home.client() as client,
        ):
            await client.subscribe("news")
            assert await self.ask(sdk.channels_info) == {"channels": {"news": {}, "presence-a": {}}}
            assert await self.ask(sdk.channels_info, "presence-", ["user_count"]) == {
                "channels": {"presence-a": {"user_count": 2}}
            }
            assert await self.ask(sdk.channel_info, "presence-a", ["user_count", "subscription_count"]) == {
                "occupied": True,
                "user_count": 2,
                "subscription_count": 2,
            }
            assert await self.ask(sdk.channel_info, "empty") == {"occupied": False}
            assert await self.ask(sdk.users_info, "presence-a") == {"users": [{"id": "ayu"}, {"id": "budi"}]}
            with pytest.raises(pusher.errors.PusherBadRequest):
                await self.ask(sdk.channels_info, "news", ["user_count"])
            with pytest.raises(pusher.errors.PusherBadRequest):
                await self.ask(sdk.users_info, "news")

    async def test_users(self, site: Site, sdk: Any) -> None:
        async with await site.home.client() as ayu, await site.home.client() as budi:
            await sign_in(ayu, await self.ask(sdk.authenticate_user, ayu.socket_id, {"id": "ayu"}))
            await sign_in(budi, await self.ask(sdk.authenticate_user, budi.socket_id, {"id": "budi"}))
            assert await self.ask(sdk.send_to_user, "ayu", "paid", {"order": 7}) == {}
            assert await ayu.event("paid", "#server-to-user-ayu") == {"order": 7}
            assert await self.ask(sdk.terminate_user_connections, "ayu") == {}
            assert (await ayu.event("pusher:error"))["code"] == 4009
            assert await ayu.closed() == 4009
            await budi.quiet()

    async def test_signatures_for_clients(self, site: Site, sdk: Any) -> None:
        async with await site.home.client() as ayu:
            signed = await self.ask(
                sdk.authenticate, "presence-a", ayu.socket_id, {"user_id": 7, "user_info": {"n": 1}}
            )
            ayu.send("pusher:subscribe", {"channel": "presence-a", **signed})
            presence = (await ayu.event("pusher_internal:subscription_succeeded", "presence-a"))["presence"]
            assert presence == {"ids": ["7"], "hash": {"7": {"n": 1}}, "count": 1}

    async def test_webhooks_are_validated_by_the_library(self, sdk: Any) -> None:
        body, signature = webhook()
        assert sdk.validate_webhook(APP.key, signature, body)["events"] == [
            {"name": "channel_occupied", "channel": "a"}
        ]
        assert sdk.validate_webhook(APP.key, signature, body + " ") is None

    async def test_a_wrong_secret(self, site: Site) -> None:
        stranger = pusher.Pusher(APP.id, APP.key, "guessed", ssl=False, host="127.0.0.1", port=site.asked.port)
        with pytest.raises(pusher.errors.PusherBadAuth, match="auth_signature does not fit"):
            await self.ask(stranger.trigger, "news", "e", "x")
        nobody = pusher.Pusher("404", APP.key, APP.secret, ssl=False, host="127.0.0.1", port=site.asked.port)
        with pytest.raises(pusher.errors.PusherBadStatus, match="404"):
            await self.ask(nobody.trigger, "news", "e", "x")


async def sign_in(client: Client, signed: dict[str, str]) -> None:
    user = json.loads(signed["user_data"])["id"]
    client.send("pusher:signin", signed)
    await client.event("pusher:signin_success")
    client.send("pusher:subscribe", {"channel": f"#server-to-user-{user}", "auth": ""})
    await client.event("pusher_internal:subscription_succeeded", f"#server-to-user-{user}")


class TestNode:
    @pytest.fixture
    def sdk(self, site: Site, node_clients: Path) -> Callable[..., Any]:
        """Runs calls in order, each a list of the method's name and its parameters."""

        async def ask(*calls: list[Any], secret: str = APP.secret) -> list[dict[str, Any]]:
            options = {
                "appId": APP.id,
                "key": APP.key,
                "secret": secret,
                "host": "127.0.0.1",
                "port": str(site.asked.port),
                "useTLS": False,
                "encryptionMasterKeyBase64": MASTER,
            }
            text = json.dumps({"options": options, "calls": calls})
            answer = await asyncio.to_thread(run_node, node_clients / "server_sdk.js", text=text)
            results: list[dict[str, Any]] = json.loads(answer)
            return results

        return ask

    async def test_every_call(self, site: Site, sdk: Any) -> None:
        async with (
            await site.home.client() as ayu,
            await site.asked.member("presence-a", "budi"),
            await site.home.member("presence-a", "citra"),
        ):
            await ayu.subscribe("news")
            await ayu.subscribe("private-encrypted-a")
            results = await sdk(
                ["trigger", "news", "one", {"text": "é 🎉"}],
                ["trigger", ["news", "presence-a"], "two", "plain", {"info": "user_count,subscription_count"}],
                ["trigger", "news", "not for ayu", 1, {"socket_id": ayu.socket_id}],
                ["trigger", "private-encrypted-a", "three", {"secret": 1}],
                ["triggerBatch", [{"channel": "news", "name": "n", "data": {"n": n}} for n in range(3)]],
                ["get", {"path": "/channels", "params": {}}],
                ["get", {"path": "/channels", "params": {"filter_by_prefix": "presence-", "info": "user_count"}}],
                ["get", {"path": "/channels/news", "params": {"info": "subscription_count"}}],
                ["get", {"path": "/channels/presence-a/users", "params": {}}],
            )
            assert results == [
                {"status": 200, "body": {}},
                {
                    "status": 200,
                    "body": {
                        "channels": {
                            "news": {"subscription_count": 1},
                            "presence-a": {"user_count": 2, "subscription_count": 2},
                        }
                    },
                },
                {"status": 200, "body": {}},
                {"status": 200, "body": {}},
                {"status": 200, "body": {}},
                {"status": 200, "body": {"channels": {"news": {}, "presence-a": {}, "private-encrypted-a": {}}}},
                {"status": 200, "body": {"channels": {"presence-a": {"user_count": 2}}}},
                {"status": 200, "body": {"occupied": True, "subscription_count": 1}},
                {"status": 200, "body": {"users": [{"id": "budi"}, {"id": "citra"}]}},
            ]
            assert await ayu.event("one", "news") == {"text": "é 🎉"}
            assert (await ayu.next())["data"] == "plain"
            assert await decrypted(ayu, "three", "private-encrypted-a") == {"secret": 1}
            assert [(await ayu.event("n", "news"))["n"] for _ in range(3)] == [0, 1, 2]
            await ayu.quiet()

    async def test_users_and_webhooks(self, site: Site, sdk: Any) -> None:
        body, signature = webhook()
        headers = {"x-pusher-key": APP.key, "x-pusher-signature": signature, "content-type": "application/json"}
        async with await site.home.client() as ayu:
            signed, valid, forged = await sdk(
                ["authenticateUser", ayu.socket_id, {"id": "ayu smith"}],
                ["webhook", {"headers": headers, "rawBody": body}],
                ["webhook", {"headers": headers, "rawBody": body + " "}],
            )
            assert valid["body"] == {"valid": True, "events": [{"name": "channel_occupied", "channel": "a"}]}
            assert not forged["body"]["valid"]
            await sign_in(ayu, signed["body"])
            sent, closed = await sdk(["sendToUser", "ayu smith", "paid", 7], ["terminateUserConnections", "ayu smith"])
            assert (sent["status"], closed["status"]) == (200, 200)
            assert await ayu.event("paid", "#server-to-user-ayu smith") == 7
            assert (await ayu.event("pusher:error"))["code"] == 4009
            assert await ayu.closed() == 4009

    async def test_what_is_refused_is_told_to_the_program(self, sdk: Any) -> None:
        too_large, unknown = await sdk(["trigger", "news", "e", "x" * 10_241], ["get", {"path": "/nothing"}])
        assert (too_large["status"], unknown["status"]) == (413, 404)
        assert "10240 bytes" in json.loads(too_large["body"])["error"]
        (stranger,) = await sdk(["trigger", "news", "e", "x"], secret="guessed")
        assert stranger["status"] == 401
