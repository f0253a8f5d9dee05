"""Whatever comes in, the machine stays whole."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kanal.realtime.apps import App
from kanal.realtime.protocol import errors
from kanal.realtime.protocol.connection import Machine
from kanal.realtime.protocol.effects import Broadcast, Close, Effect, Join, Leave, Send, SignIn
from kanal.realtime.protocol.signatures import sign_subscription, sign_user

APP = App(id="1", key="k", secret="s", max_channels_per_connection=4)
CHANNELS = ["a", "cache-a", "private-a", "presence-a", "private-encrypted-a", "#server-to-user-1", "bad name", ""]
EVENTS = ["pusher:subscribe", "pusher:unsubscribe", "pusher:ping", "client-a", "pusher:signin", "x"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(EVENTS) | json_values,
        "channel": st.sampled_from(CHANNELS) | json_values,
        "data": json_values
        | st.fixed_dictionaries(
            {"channel": st.sampled_from(CHANNELS)},
            optional={"auth": json_values, "channel_data": json_values},
        ),
    },
)


@given(st.lists(st.binary() | st.text(st.characters(codec="utf-8"))))
def test_no_bytes_or_text_raise(payloads: list[bytes | str]) -> None:
    machine = Machine(APP, "1.1", 0.0, 0.0)
    for number, payload in enumerate(payloads):
        for effect in machine.receive(payload, float(number)):
            if isinstance(effect, Send):
                json.loads(effect.text)


@given(st.lists(messages, max_size=20))
def test_no_message_raises_and_what_is_sent_is_json_with_string_data(contents: list[Any]) -> None:
    machine = Machine(APP, "1.1", 0.0, 0.0)
    for number, content in enumerate(contents):
        for effect in machine.receive(json.dumps(content), float(number)):
            if isinstance(effect, Send):
                message = json.loads(effect.text)
                assert isinstance(message["data"], dict if message["event"] == "pusher:error" else str)


class Lifetime(RuleBasedStateMachine):
    """A carrier that does what it is asked, in any order, with a client that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = Machine(APP, "1.1", 0.0, 0.0)
        self.joined: set[str] = set()  # channels the carrier was asked to join and not to leave
        self.closes = 0
        self.user: str | None = None

    def carry(self, effects: Any) -> None:
        said: int | None = None
        for effect in effects:
            assert isinstance(effect, Effect)
            if isinstance(effect, Send) and b"pusher:error" in effect.text:
                said = json.loads(effect.text)["data"]["code"]
            elif isinstance(effect, Close) and effect.code >= 4000:
                assert effect.code == said, "pusher:error comes before the close frame"
                assert effect.code < 4300, "pusher-js would stop for good"
            if isinstance(effect, Join):
                assert effect.channel.text not in self.joined
                self.joined.add(effect.channel.text)
            elif isinstance(effect, Leave):
                self.joined.remove(effect.channel.text)
            elif isinstance(effect, Broadcast):
                assert effect.channel in self.joined
                assert self.machine.subscriptions[effect.channel].active
            elif isinstance(effect, SignIn):
                assert self.user is None
                self.user = effect.user.user_id
                self.carry(self.machine.signed_in(effect))
            elif isinstance(effect, Close):
                self.closes += 1

    @rule(channel=st.sampled_from(CHANNELS), user=st.sampled_from(["1", 2, "", None]), signed=st.booleans())
    def subscribe(self, channel: str, user: Any, signed: bool) -> None:
        data = json.dumps({"user_id": user})
        auth = sign_subscription("k", "s", "1.1", channel, data) if signed else "k:0"
        content = {"channel": channel, "auth": auth, "channel_data": data}
        self.carry(self.machine.receive(json.dumps({"event": "pusher:subscribe", "data": content}), self.now))

    @rule(user=st.sampled_from(["1", "2", "", 3]), signed=st.booleans())
    def sign_in(self, user: Any, signed: bool) -> None:
        data = json.dumps({"id": user, "watchlist": ["2"]})
        content = {"auth": sign_user("k", "s", "1.1", data) if signed else "k:0", "user_data": data}
        self.carry(self.machine.receive(json.dumps({"event": "pusher:signin", "data": content}), self.now))

    @rule(failure=st.sampled_from([errors.OverCapacity("full"), errors.Terminated(4009, "gone")]))
    def fail(self, failure: errors.ConnectionClosed) -> None:
        self.carry(self.machine.fail(failure))

    @rule(channel=st.sampled_from(CHANNELS))
    def unsubscribe(self, channel: str) -> None:
        text = json.dumps({"event": "pusher:unsubscribe", "data": {"channel": channel}})
        self.carry(self.machine.receive(text, self.now))

    @rule(channel=st.sampled_from(CHANNELS), data=json_values)
    def whisper(self, channel: str, data: Any) -> None:
        text = json.dumps({"event": "client-a", "channel": channel, "data": data})
        self.carry(self.machine.receive(text, self.now))

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        self.carry(self.machine.joined(data.draw(st.sampled_from(sorted(self.joined)))))

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        channel = data.draw(st.sampled_from(sorted(self.joined)))
        self.carry(self.machine.refuse(channel, errors.LimitReached("full")))
        self.joined.discard(channel)

    @rule(seconds=st.floats(0, 200))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry(self.machine.tick(self.now))

    @rule(payload=st.binary(max_size=20))
    def garbage(self, payload: bytes) -> None:
        self.carry(self.machine.receive(payload, self.now))

    @rule()
    def binary(self) -> None:
        self.carry(self.machine.receive_binary())

    @invariant()
    def the_carrier_is_in_exactly_the_subscribed_channels(self) -> None:
        assert set(self.machine.subscriptions) == self.joined
        assert len(self.joined) <= APP.max_channels_per_connection

    @invariant()
    def it_belongs_to_one_user_for_ever(self) -> None:
        assert self.user == (self.machine.user and self.machine.user.user_id)
        assert "#server-to-user-1" not in self.joined or self.user == "1"

    @invariant()
    def it_closes_once_and_leaves_everything_then(self) -> None:
        assert self.closes == int(self.machine.closed)
        if self.machine.closed:
            assert not self.joined


TestLifetime = Lifetime.TestCase
