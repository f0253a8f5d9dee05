"""The rules of the connection machine, one by one."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from kanal.realtime.apps import App
from kanal.realtime.protocol import errors
from kanal.realtime.protocol.connection import PING_SLACK, Machine
from kanal.realtime.protocol.effects import Broadcast, Close, Effect, Join, Leave, Ping, Recover, Send
from kanal.realtime.protocol.signatures import sign_subscription

APP = App(id="1", key="key", secret="secret")
SOCKET = "12.34"
WALL = 1_700_000_000.0


def machine(app: App = APP) -> Machine:
    return Machine(app, SOCKET, now=0.0, wall=WALL)


def message(event: str, data: Any = None, channel: str | None = None) -> str:
    return json.dumps({"event": event, "data": data} | ({"channel": channel} if channel else {}))


def subscription(channel: str, content: Any = None, *, app: App = APP) -> str:
    data: dict[str, Any] = {"channel": channel}
    if channel.startswith(("private-", "presence-")):
        text = None if content is None else content if isinstance(content, str) else json.dumps(content)
        data["auth"] = sign_subscription(app.key, app.secret, SOCKET, channel, text)
        if text is not None:
            data["channel_data"] = text
    return message("pusher:subscribe", data)


def sent(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    assert all(isinstance(effect, Send) for effect in effects), effects
    return [json.loads(effect.text) for effect in effects if isinstance(effect, Send)]


def error(effects: Sequence[Effect]) -> dict[str, Any]:
    (only,) = sent(effects)
    assert only["event"] == "pusher:error"
    data: dict[str, Any] = only["data"]
    return data


def refusal(effects: Sequence[Effect]) -> dict[str, Any]:
    told, on_channel = sent(effects)
    assert told["event"] == "pusher:error"
    assert on_channel["event"] == "pusher:subscription_error"
    data: dict[str, Any] = json.loads(on_channel["data"])
    return data | {"code": told["data"]["code"], "channel": on_channel["channel"]}


def subscribed(channel: str, content: Any = None, app: App = APP) -> Machine:
    it = machine(app)
    (join,) = it.receive(subscription(channel, content, app=app), 0.0)
    assert isinstance(join, Join)
    it.joined(channel)
    return it


def test_the_first_message_names_the_socket_and_the_timeout() -> None:  # F-RT-01
    (first,) = sent(machine().open())
    assert first["event"] == "pusher:connection_established"
    assert json.loads(first["data"]) == {"socket_id": SOCKET, "activity_timeout": 120}


def test_a_ping_is_answered() -> None:
    assert sent(machine().receive(message("pusher:ping", {}), 0.0)) == [{"event": "pusher:pong", "data": "{}"}]


class TestSubscribing:
    def test_a_public_channel_is_joined_and_then_confirmed(self) -> None:  # F-RT-01
        it = machine()
        (join,) = it.receive(subscription("news"), 0.0)
        assert isinstance(join, Join)
        assert (join.channel.text, join.member, join.scopes) == ("news", None, ())
        assert sent(it.joined("news")) == [
            {"event": "pusher_internal:subscription_succeeded", "channel": "news", "data": "{}"}
        ]

    def test_data_may_be_a_string_that_contains_the_object(self) -> None:
        (join,) = machine().receive(message("pusher:subscribe", '{"channel":"news"}'), 0.0)
        assert isinstance(join, Join)

    @pytest.mark.parametrize("channel", ["private-a", "private-encrypted-a", "private-cache-a", "presence-a"])
    def test_a_wrong_signature_is_refused_with_4009_and_a_channel_error(self, channel: str) -> None:
        wrong = message("pusher:subscribe", {"channel": channel, "auth": "key:00", "channel_data": '{"user_id":"1"}'})
        it = machine()
        assert refusal(it.receive(wrong, 0.0)) == {
            "type": "AuthError",
            "status": 401,
            "error": "Connection is unauthorized: the signature does not fit",
            "code": 4009,
            "channel": channel,
        }
        assert it.subscriptions == {}
        assert not it.closed

    def test_channel_data_is_covered_by_the_signature_on_private_channels_too(self) -> None:
        data = {"channel": "private-a", "auth": sign_subscription("key", "secret", SOCKET, "private-a")}
        assert isinstance(machine().receive(message("pusher:subscribe", data), 0.0)[0], Join)
        data["channel_data"] = '{"user_id":"1"}'
        assert refusal(machine().receive(message("pusher:subscribe", data), 0.0))["status"] == 401

    def test_an_unsigned_private_channel_is_refused(self) -> None:
        assert refusal(machine().receive(message("pusher:subscribe", {"channel": "private-a"}), 0.0))["code"] == 4009

    def test_a_signature_for_another_socket_does_not_fit(self) -> None:
        auth = sign_subscription("key", "secret", "99.99", "private-a")
        it = machine()
        assert refusal(it.receive(message("pusher:subscribe", {"channel": "private-a", "auth": auth}), 0.0))

    def test_twice_is_an_error_and_changes_nothing(self) -> None:
        it = subscribed("news")
        assert error(it.receive(subscription("news"), 0.0)) == {
            "message": "Existing subscription to channel news",
            "code": None,
        }
        assert list(it.subscriptions) == ["news"]

    def test_unsubscribing_leaves_without_an_answer(self) -> None:
        it = subscribed("news")
        (leave,) = it.receive(message("pusher:unsubscribe", {"channel": "news"}), 0.0)
        assert isinstance(leave, Leave)
        assert it.receive(message("pusher:unsubscribe", {"channel": "news"}), 0.0) == ()

    def test_leaving_while_pending_is_not_confirmed_later(self) -> None:
        it = machine()
        it.receive(subscription("news"), 0.0)
        it.receive(message("pusher:unsubscribe", {"channel": "news"}), 0.0)
        assert it.joined("news") == ()

    def test_there_is_a_limit_of_channels_per_connection(self) -> None:
        it = machine(App(id="1", key="key", secret="secret", max_channels_per_connection=2))
        it.receive(subscription("a"), 0.0)
        it.receive(subscription("b"), 0.0)
        assert refusal(it.receive(subscription("c"), 0.0))["type"] == "LimitReached"

    def test_an_invalid_name_is_an_error(self) -> None:
        assert "Invalid channel name" in error(machine().receive(subscription("no spaces"), 0.0))["message"]


class TestRecovery:
    KEPT = App(id="1", key="key", secret="secret", history_events=1)

    @pytest.mark.parametrize(
        ("asked", "understood"),
        [
            ({}, None),
            ({"recover": False}, None),
            ({"recover": True}, Recover(None)),
            ({"last_event_id": "a-1"}, Recover("a-1")),
            ({"recover": True, "last_event_id": ""}, Recover(None)),
        ],
    )
    def test_a_client_begins_or_says_where_it_was(self, asked: dict[str, Any], understood: Recover | None) -> None:
        it = machine(self.KEPT)
        it.receive(message("pusher:subscribe", {"channel": "news", **asked}), 0.0)
        assert it.subscriptions["news"].recover == understood

    def test_without_history_it_is_ignored(self) -> None:
        it = machine()
        it.receive(message("pusher:subscribe", {"channel": "news", "recover": True, "last_event_id": "a-1"}), 0.0)
        assert it.subscriptions["news"].recover is None

    @pytest.mark.parametrize("asked", [{"recover": 1}, {"last_event_id": 7}])
    def test_other_shapes_are_errors(self, asked: dict[str, Any]) -> None:
        assert error(machine().receive(message("pusher:subscribe", {"channel": "news", **asked}), 0.0))["code"] is None


class TestPresenceData:
    def test_numeric_ids_become_strings(self) -> None:  # F-RT-02
        (join,) = machine().receive(subscription("presence-a", {"user_id": 10, "user_info": {"name": "Ayu"}}), 0.0)
        assert isinstance(join, Join)
        assert join.member is not None
        assert join.member.user_id == "10"
        assert json.loads(join.member.info) == {"name": "Ayu"}

    @pytest.mark.parametrize(
        "content",
        [
            None,
            "",
            "[]",
            "{}",
            '{"user_id":""}',
            '{"user_id":null}',
            '{"user_id":true}',
            '{"user_id":"a\\u0000b"}',
            json.dumps({"user_id": "a" * 129}),
            json.dumps({"user_id": "1", "user_info": "x" * 1_024}),
        ],
    )
    def test_what_is_no_member_is_refused(self, content: str | None) -> None:
        assert refusal(machine().receive(subscription("presence-a", content), 0.0))["type"] == "InvalidChannelData"

    def test_a_member_without_info_has_an_empty_one(self) -> None:
        (join,) = machine().receive(subscription("presence-a", {"user_id": "1"}), 0.0)
        assert isinstance(join, Join)
        assert join.member is not None
        assert join.member.info == b"{}"


class TestGrants:
    def test_scopes_come_with_the_signature_and_the_user_is_one(self) -> None:
        content = {"user_id": "7", "scopes": ["session:1", "workspace:2"]}
        for channel in ("private-a", "presence-a"):
            (join,) = machine().receive(subscription(channel, content), 0.0)
            assert isinstance(join, Join)
            assert join.scopes == ("session:1", "workspace:2", "user:7")

    @pytest.mark.parametrize(("age", "accepted"), [(0, True), (119, True), (121, False), (-119, True), (-121, False)])
    def test_a_grant_that_says_its_time_is_good_for_two_minutes(self, age: int, accepted: bool) -> None:
        content = {"user_id": "7", "issued_at": int((WALL - age) * 1000)}
        effects = machine().receive(subscription("private-a", content), 0.0)
        assert isinstance(effects[0], Join) is accepted

    def test_a_grant_ages_while_the_connection_is_open(self) -> None:
        content = {"issued_at": int(WALL * 1000)}
        assert refusal(machine().receive(subscription("private-a", content), 500.0))["status"] == 401

    def test_private_channels_may_carry_any_signed_text(self) -> None:
        (join,) = machine().receive(subscription("private-a", "not json"), 0.0)
        assert isinstance(join, Join)
        assert join.member is None


class TestClientEvents:
    def test_it_goes_to_the_channel_with_string_data(self) -> None:  # F-RT-03
        it = subscribed("private-a")
        (broadcast,) = it.receive(message("client-typing", {"on": True}, "private-a"), 0.0)
        assert isinstance(broadcast, Broadcast)
        assert json.loads(broadcast.text) == {
            "event": "client-typing",
            "channel": "private-a",
            "data": '{"on": true}',
        }

    def test_a_string_is_passed_on_as_it_came(self) -> None:
        it = subscribed("private-a")
        (broadcast,) = it.receive('{"event":"client-a","channel":"private-a","data":"caf\\u00e9"}', 0.0)
        assert isinstance(broadcast, Broadcast)
        assert b'"data":"caf\\u00e9"' in broadcast.text

    def test_the_user_is_added_on_presence_channels_only(self) -> None:
        for channel, expected in (("presence-a", "7"), ("private-a", None)):
            it = subscribed(channel, {"user_id": "7"})
            (broadcast,) = it.receive(message("client-a", {}, channel), 0.0)
            assert isinstance(broadcast, Broadcast)
            assert json.loads(broadcast.text).get("user_id") == expected

    @pytest.mark.parametrize("channel", ["news", "cache-news", "private-encrypted-a", "private-encrypted-cache-a"])
    def test_other_kinds_of_channel_refuse_it(self, channel: str) -> None:
        assert error(subscribed(channel).receive(message("client-a", {}, channel), 0.0))["code"] == 4301

    def test_the_sender_must_be_subscribed(self) -> None:
        for channel in ("private-a", None):
            assert error(machine().receive(message("client-a", {}, channel), 0.0))["code"] == 4301

    def test_a_pending_subscription_is_not_enough(self) -> None:
        it = machine()
        it.receive(subscription("private-a"), 0.0)
        assert error(it.receive(message("client-a", {}, "private-a"), 0.0))["code"] == 4301

    def test_an_app_can_switch_them_off(self) -> None:
        it = subscribed("private-a", app=App(id="1", key="key", secret="secret", client_events=False))
        assert error(it.receive(message("client-a", {}, "private-a"), 0.0))["code"] == 4301

    def test_the_eleventh_within_a_second_is_4301_and_the_connection_stays(self) -> None:  # F-RT-03
        it = subscribed("private-a")
        results = [it.receive(message("client-a", {}, "private-a"), 1.0 + number / 100) for number in range(11)]
        assert all(isinstance(result[0], Broadcast) for result in results[:10])
        assert error(results[10])["code"] == 4301
        assert not it.closed
        assert isinstance(it.receive(message("client-a", {}, "private-a"), 2.2)[0], Broadcast)

    def test_data_up_to_the_limit_passes_and_beyond_it_is_4301(self) -> None:
        it = subscribed("private-a")
        assert isinstance(it.receive(message("client-a", "x" * 10_240, "private-a"), 0.0)[0], Broadcast)
        assert error(it.receive(message("client-a", "x" * 10_241, "private-a"), 0.0))["code"] == 4301
        assert error(it.receive(message("client-a", ["x" * 10_240], "private-a"), 0.0))["code"] == 4301

    def test_the_limit_counts_what_the_subscriber_sees_not_the_escapes(self) -> None:
        it = subscribed("private-a")
        assert isinstance(it.receive(message("client-a", '"' * 10_240, "private-a"), 0.0)[0], Broadcast)

    def test_a_long_name_is_4301(self) -> None:
        it = subscribed("private-a")
        assert error(it.receive(message("client-" + "a" * 194, {}, "private-a"), 0.0))["code"] == 4301


class TestBadInput:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "null",
            "[]",
            "1",
            "{}",
            '{"event":1}',
            '{"event":null}',
            '{"data":{}}',
            '{"event":"pusher:subscribe"}',
            '{"event":"pusher:subscribe","data":1}',
            '{"event":"pusher:subscribe","data":"{"}',
            '{"event":"pusher:subscribe","data":{"channel":1}}',
            '{"event":"pusher:unsubscribe","data":[]}',
            '{"event":"my-event","data":{}}',
            '{"event":"pusher:signin","data":{}}',
            '{"event":"pusher_internal:subscription_succeeded","channel":"a","data":{}}',
            '{"event":"\\ud800"}',
            "[" * 100_000,
            '{"event":"a","data":' + "[" * 100_000,
            '{"event":"a","data":' + "[" * 50_000 + "]" * 50_000 + "}",
        ],
    )
    def test_it_is_answered_with_an_error_and_changes_nothing(self, text: str) -> None:
        it = subscribed("news")
        assert error(it.receive(text, 0.0))["code"] is None
        assert list(it.subscriptions) == ["news"]
        assert not it.closed

    def test_lone_surrogates_are_not_passed_on(self) -> None:
        it = subscribed("private-a")
        assert error(it.receive('{"event":"client-a","channel":"private-a","data":"\\ud800"}', 0.0))["code"] is None

    def test_text_that_is_not_utf8_closes_with_1007(self) -> None:
        it = subscribed("news")
        close, leave = it.receive(b'{"event":"\xff"}', 0.0)
        assert isinstance(close, Close)
        assert close.code == 1007
        assert isinstance(leave, Leave)

    def test_a_binary_message_closes_with_1003(self) -> None:
        (close,) = machine().receive_binary()
        assert isinstance(close, Close)
        assert close.code == 1003

    def test_nothing_is_answered_after_the_end(self) -> None:
        it = machine()
        it.end(1000, "")
        assert it.receive(message("pusher:ping"), 0.0) == ()
        assert it.tick(1e9) == ()
        assert it.end(1000, "") == ()
        assert it.fail(errors.OverCapacity("")) == ()


class TestLiveness:
    def test_silence_is_answered_by_a_ping_and_then_4201(self) -> None:
        it = machine()
        due = APP.activity_timeout + PING_SLACK
        assert it.tick(due - 0.1) == ()
        ping, control = it.tick(due)
        assert isinstance(ping, Send)
        assert json.loads(ping.text) == {"event": "pusher:ping", "data": "{}"}
        assert isinstance(control, Ping)
        assert it.tick(due + APP.pong_timeout - 0.1) == ()
        told, close = it.tick(due + APP.pong_timeout)
        assert isinstance(told, Send)
        assert json.loads(told.text)["data"]["code"] == 4201
        assert isinstance(close, Close)
        assert close.code == 4201

    @pytest.mark.parametrize("sign", ["pusher:pong", "pusher:ping", "anything", None])
    def test_any_sign_of_life_resets_the_timer(self, sign: str | None) -> None:
        it = machine()
        due = APP.activity_timeout + PING_SLACK
        it.tick(due)
        if sign is None:
            it.heard(due + 1)
        else:
            it.receive(message(sign), due + 1)
        assert it.tick(due + APP.pong_timeout + 1) == ()
        assert it.tick(due + 1 + due) != ()

    def test_who_never_subscribed_is_closed_after_a_day_with_4202(self) -> None:
        for it, closes in ((machine(), True), (subscribed("news"), False)):
            it.heard(86_400.0)
            effects = it.tick(86_400.0)
            assert any(isinstance(effect, Close) and effect.code == 4202 for effect in effects) is closes


def test_the_end_leaves_every_channel() -> None:
    it = subscribed("news")
    it.receive(subscription("presence-a", {"user_id": "1"}), 0.0)
    effects = it.fail(errors.Terminated(4009, "gone"))
    assert [type(effect) for effect in effects] == [Send, Close, Leave, Leave]
    assert it.subscriptions == {}


def test_a_join_that_failed_is_told_and_forgotten() -> None:
    it = machine()
    it.receive(subscription("news"), 0.0)
    assert refusal(it.refuse("news", errors.LimitReached("full")))["type"] == "LimitReached"
    assert it.refuse("news", errors.LimitReached("full")) == ()
    assert isinstance(it.receive(subscription("news"), 0.0)[0], Join)
