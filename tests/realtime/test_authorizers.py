"""Who decides about which channel, and what is signed."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from kanal.realtime.apps import App, StaticApps
from kanal.realtime.authorizers import ChannelAuthorizers, ChannelGrant, sign_grant
from kanal.realtime.protocol.signatures import sign_subscription
from tests.realtime.harness import APP

Seen = list[tuple[str, Mapping[str, str]]]


@pytest.fixture
def seen() -> Seen:
    return []


@pytest.fixture
def authorizers(seen: Seen) -> ChannelAuthorizers[str]:
    found: ChannelAuthorizers[str] = ChannelAuthorizers()

    async def decide(caller: str, parameters: Mapping[str, str]) -> ChannelGrant | None:
        seen.append((caller, parameters))
        return ChannelGrant(caller) if parameters["room"] != "closed" else None

    found.add("presence-chat.{room}", decide)
    found.add("private-user.{room}.{user}", decide)
    return found


async def test_the_pattern_that_fits_decides(authorizers: ChannelAuthorizers[str], seen: Seen) -> None:
    assert await authorizers.authorize("ayu", "presence-chat.7-a") == ChannelGrant("ayu")
    assert await authorizers.authorize("ayu", "private-user.1.2") == ChannelGrant("ayu")
    assert await authorizers.authorize("ayu", "presence-chat.closed") is None
    assert seen == [("ayu", {"room": "7-a"}), ("ayu", {"room": "1", "user": "2"}), ("ayu", {"room": "closed"})]


@pytest.mark.parametrize(
    "channel",
    ["presence-chat.", "presence-chat.1.2", "presence-chatX1", "xpresence-chat.1", "private-user.1", "other", ""],
)
async def test_what_no_pattern_fits_is_denied(authorizers: ChannelAuthorizers[str], channel: str) -> None:
    assert await authorizers.authorize("ayu", channel) is None


def test_a_pattern_is_given_out_once(authorizers: ChannelAuthorizers[str]) -> None:
    async def nobody(_caller: str, _parameters: Mapping[str, str]) -> ChannelGrant | None:
        return None

    with pytest.raises(ValueError, match="twice"):
        authorizers.add("presence-chat.{room}", nobody)


def test_a_grant_is_signed_with_its_time_and_scopes() -> None:
    answer = sign_grant(APP, "1.2", "presence-a", ChannelGrant("7", {"name": "Ayu"}, ("session:1",)))
    data = json.loads(answer["channel_data"])
    assert abs(data.pop("issued_at") - time.time() * 1000) < 5_000
    assert data == {"user_id": "7", "user_info": {"name": "Ayu"}, "scopes": ["session:1"]}
    assert answer["auth"] == sign_subscription(APP.key, APP.secret, "1.2", "presence-a", answer["channel_data"])
    assert "shared_secret" not in answer


def test_encrypted_channels_get_a_secret_of_their_own() -> None:
    first, second = (sign_grant(APP, "1.2", f"private-encrypted-{name}", ChannelGrant()) for name in "ab")
    assert len(base64.b64decode(first["shared_secret"])) == 32
    assert first["shared_secret"] != second["shared_secret"]


def test_grants_that_cannot_work_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="user_id"):
        sign_grant(APP, "1.2", "presence-a", ChannelGrant())
    with pytest.raises(ValueError, match="master key"):
        sign_grant(App(id="1", key="k", secret="s"), "1.2", "private-encrypted-a", ChannelGrant())


def test_ids_and_keys_of_apps_are_unique() -> None:  # F-RT-07
    first = App(id="1", key="a", secret="s")
    apps = StaticApps([first, App(id="2", key="b", secret="s")])
    assert apps.by_key("a") is first
    assert apps.by_id("1") is first
    assert apps.by_key("1") is None
    for again in (App(id="1", key="c", secret="s"), App(id="3", key="a", secret="s")):
        with pytest.raises(ValueError, match="twice"):
            StaticApps([first, again])


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": "a:b"},
        {"id": "#1"},
        {"key": ""},
        {"key": "a/b"},
        {"secret": ""},
        {"activity_timeout": 0},
        {"encryption_master_key": b"short"},
    ],
)
def test_an_app_that_cannot_work_is_refused_at_once(wrong: dict[str, Any]) -> None:  # F-RT-07
    with pytest.raises(ValueError, match="app"):
        App(**({"id": "1", "key": "k", "secret": "s"} | wrong))


def test_secrets_are_not_shown() -> None:
    assert "test-secret" not in repr(APP)
    assert "0123456789abcdef" not in repr(APP)
