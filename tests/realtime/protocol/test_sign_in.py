"""Signing in, and what a signed-in user may leave out."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from kanal.realtime.apps import App
from kanal.realtime.protocol.connection import Machine
from kanal.realtime.protocol.effects import Effect, Join, Member, SignIn
from kanal.realtime.protocol.errors import SignInRefused
from kanal.realtime.protocol.signatures import sign_subscription, sign_user
from tests.realtime.protocol.test_connection import APP, SOCKET, WALL, error, machine, message, refusal, sent

AYU = {"id": "ayu", "user_info": {"name": "Ayu"}}


def signin(user: Any = AYU, *, app: App = APP, socket: str = SOCKET) -> str:
    text = user if isinstance(user, str) else json.dumps(user)
    return message("pusher:signin", {"auth": sign_user(app.key, app.secret, socket, text), "user_data": text})


def carried(it: Machine, effects: Sequence[Effect]) -> list[dict[str, Any]]:
    """What the client hears once its carrier has done as it was asked."""
    (sign_in,) = effects
    assert isinstance(sign_in, SignIn)
    return sent(it.signed_in(sign_in))


def signed_in(user: Any = AYU, app: App = APP) -> Machine:
    it = machine(app)
    carried(it, it.receive(signin(user, app=app), 0.0))
    return it


def test_the_user_data_comes_back_as_it_was_signed() -> None:
    text = '{ "id": "ayu",  "more": 1}'
    it = machine()
    (success,) = carried(it, it.receive(signin(text), 0.0))
    assert success["event"] == "pusher:signin_success"
    assert json.loads(success["data"]) == {"user_data": text}
    assert it.user is not None
    assert (it.user.user_id, it.user.info, it.user.watchlist) == ("ayu", b"{}", ())


def test_the_user_is_a_scope_beside_those_that_were_signed() -> None:
    (sign_in,) = machine().receive(signin({"id": "ayu", "scopes": ["session:1", ""]}), 0.0)
    assert isinstance(sign_in, SignIn)
    assert sign_in.scopes == ("session:1", "user:ayu")


@pytest.mark.parametrize(
    "data",
    [
        {"auth": "key:00", "user_data": json.dumps(AYU)},
        {"user_data": json.dumps(AYU)},
        {"auth": sign_user("key", "secret", "99.99", json.dumps(AYU)), "user_data": json.dumps(AYU)},
        {"auth": sign_user("key", "secret", SOCKET, '{"id":"budi"}'), "user_data": json.dumps(AYU)},
        {"auth": sign_subscription("key", "secret", SOCKET, "private-a"), "user_data": json.dumps(AYU)},
    ],
)
def test_a_signature_that_does_not_fit_is_4009_and_the_connection_stays(data: dict[str, str]) -> None:
    it = machine()
    assert error(it.receive(message("pusher:signin", data), 0.0))["code"] == 4009
    assert it.user is None
    assert not it.closed


@pytest.mark.parametrize(
    "user",
    [
        "not json",
        "[]",
        {},
        {"id": ""},
        {"id": 7},
        {"id": None},
        {"id": "a" * 129},
        {"id": "a\n"},
        {"id": "ayu", "user_info": "x" * 1_024},
        {"id": "ayu", "watchlist": "budi"},
        {"id": "ayu", "watchlist": [7]},
        {"id": "ayu", "watchlist": [""]},
    ],
)
def test_user_data_that_names_nobody_is_4009(user: Any) -> None:
    it = machine()
    assert error(it.receive(signin(user), 0.0))["code"] == 4009
    assert it.user is None


def test_user_data_that_is_missing_is_an_error() -> None:
    assert error(machine().receive(message("pusher:signin", {"auth": "key:00"}), 0.0))["code"] is None


def test_an_app_can_switch_it_off() -> None:
    app = App(id="1", key="key", secret="secret", user_authentication=False)
    assert error(machine(app).receive(signin(app=app), 0.0))["code"] == 4009


@pytest.mark.parametrize(("age", "accepted"), [(0, True), (119, True), (121, False)])
def test_user_data_that_says_its_time_is_good_for_two_minutes(age: int, accepted: bool) -> None:
    (effect,) = machine().receive(signin({"id": "ayu", "issued_at": int((WALL - age) * 1000)}), 0.0)
    assert isinstance(effect, SignIn) is accepted


def test_the_same_user_may_sign_in_again_and_another_may_not() -> None:
    it = signed_in()
    (again,) = sent(it.receive(signin(), 0.0))
    assert again["event"] == "pusher:signin_success"
    assert error(it.receive(signin({"id": "budi"}), 0.0))["code"] == 4009
    assert it.user is not None
    assert it.user.user_id == "ayu"


def test_the_carrier_may_refuse_and_another_attempt_is_open() -> None:
    it = machine()
    it.receive(signin(), 0.0)
    assert error(it.refuse_sign_in(SignInRefused("taken back")))["code"] == 4009
    assert it.user is None
    (sign_in,) = it.receive(signin({"id": "budi"}), 0.0)
    assert isinstance(sign_in, SignIn)


class TestWatchlist:
    def test_each_user_counts_once(self) -> None:
        it = signed_in({"id": "ayu", "watchlist": ["budi", "citra", "budi"]})
        assert it.user is not None
        assert it.user.watchlist == ("budi", "citra")

    def test_more_than_the_app_allows_is_4302_after_the_success(self) -> None:
        it = machine()
        users = [str(number) for number in range(101)]
        success, failure = carried(it, it.receive(signin({"id": "ayu", "watchlist": users}), 0.0))
        assert success["event"] == "pusher:signin_success"
        assert (failure["event"], failure["data"]["code"]) == ("pusher:error", 4302)
        assert it.user is not None
        assert it.user.watchlist == ()
        assert not it.closed

    def test_a_hundred_are_fine(self) -> None:
        it = signed_in({"id": "ayu", "watchlist": [str(number) for number in range(100)]})
        assert it.user is not None
        assert len(it.user.watchlist) == 100


class TestServerToUser:
    CHANNEL = "#server-to-user-ayu"

    @pytest.mark.parametrize("auth", [{}, {"auth": ""}])
    def test_the_user_joins_the_own_channel_without_a_signature(self, auth: dict[str, str]) -> None:
        (join,) = signed_in().receive(message("pusher:subscribe", {"channel": self.CHANNEL, **auth}), 0.0)
        assert isinstance(join, Join)
        assert (join.channel.text, join.member) == (self.CHANNEL, None)

    def test_nobody_else_does(self) -> None:
        signed = {"channel": self.CHANNEL, "auth": sign_subscription("key", "secret", SOCKET, self.CHANNEL)}
        for it in (machine(), signed_in({"id": "budi"}), signed_in({"id": "ay"})):
            told = refusal(it.receive(message("pusher:subscribe", signed), 0.0))
            assert (told["code"], told["type"], told["status"]) == (4009, "AuthError", 401)

    def test_client_events_are_not_for_it(self) -> None:
        it = signed_in()
        it.receive(message("pusher:subscribe", {"channel": self.CHANNEL}), 0.0)
        it.joined(self.CHANNEL)
        assert error(it.receive(message("client-a", {}, self.CHANNEL), 0.0))["code"] == 4301


class TestPresence:
    def ask(self, it: Machine, content: Any = None) -> Sequence[Effect]:
        text = None if content is None else json.dumps(content)
        data = {"channel": "presence-a", "auth": sign_subscription("key", "secret", SOCKET, "presence-a", text)}
        return it.receive(message("pusher:subscribe", data | ({"channel_data": text} if text else {})), 0.0)

    def test_channel_data_may_be_left_out(self) -> None:
        (join,) = self.ask(signed_in())
        assert isinstance(join, Join)
        assert join.member == Member("ayu", b'{"name": "Ayu"}')
        assert join.scopes == ("user:ayu",)

    def test_a_signature_is_needed_all_the_same(self) -> None:
        told = refusal(signed_in().receive(message("pusher:subscribe", {"channel": "presence-a"}), 0.0))
        assert told["status"] == 401

    def test_without_a_user_it_is_needed(self) -> None:
        assert refusal(self.ask(machine()))["type"] == "InvalidChannelData"

    def test_channel_data_that_is_there_counts(self) -> None:
        (join,) = self.ask(signed_in(), {"user_id": "7"})
        assert isinstance(join, Join)
        assert join.member == Member("7", b"{}")
