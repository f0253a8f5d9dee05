"""One connection of protocol 7 as a state machine: text and time in, effects out.

Rules
- A message is JSON text with a string ``event``. What cannot be read is answered by ``pusher:error`` and changes nothing;
  text that is not UTF-8 closes with 1007, a binary message with 1003, as RFC 6455 asks. No input raises.
- Any message, pong or ping from the client counts as life. After ``activity_timeout`` of silence and a little more (the
  client is due to ping first) the server pings; ``pong_timeout`` later it closes with 4201. This holds for connections
  that never subscribed as well. Those are closed with 4202 after ``idle_timeout``.
- A channel is subscribed once. It is pending from ``pusher:subscribe`` to ``joined``; in between it can be left but
  client events are refused.
- Private, encrypted and presence channels need a signature over ``socket_id:channel[:channel_data]``; ``channel_data`` is
  covered whenever it is there, whatever the channel.
- A client event needs: the app's permission, the ``client-`` prefix, a private or presence channel that is subscribed,
  data within ``max_message_size``, and a token from the bucket. Every refusal is error 4301; none closes.
- ``pusher:signin`` needs a signature over ``socket_id::user::user_data``. A connection belongs to one user for its whole
  life: the same user may sign in again, another may not. A watchlist that is too long is error 4302 and is dropped.
- A signed-in user joins ``#server-to-user-{id}`` without a signature, and presence channels without ``channel_data``.
- On an app with history a subscription may ask for recovery (``recover``, ``last_event_id``); on others that is ignored.
- After ``Close`` the machine answers everything with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kanal.realtime.apps import App
from kanal.realtime.protocol import errors, frames
from kanal.realtime.protocol.effects import (
    Broadcast,
    ClientEvent,
    Close,
    Effect,
    Join,
    Leave,
    Member,
    Ping,
    Recover,
    Send,
    SignIn,
    User,
)
from kanal.realtime.protocol.grants import read_grant, read_sign_in
from kanal.realtime.protocol.names import CLIENT_EVENT_PREFIX, MAX_EVENT_NAME, ChannelName, parse_channel_name
from kanal.realtime.protocol.rate import Bucket

PING_SLACK = 10.0  # seconds after activity_timeout in which the client's own ping may still arrive

_NOTHING: tuple[Effect, ...] = ()


@dataclass(slots=True)
class Subscription:
    channel: ChannelName
    member: Member | None
    recover: Recover | None = None
    active: bool = False


class Machine:
    """Times are seconds on one monotonic clock; ``wall`` is the epoch time that belongs to ``now``."""

    __slots__ = (
        "_bucket",
        "_heard",
        "_opened",
        "_pinged",
        "_wall",
        "app",
        "closed",
        "socket_id",
        "subscriptions",
        "user",
    )

    def __init__(self, app: App, socket_id: str, now: float, wall: float) -> None:
        self.app = app
        self.socket_id = socket_id
        self.subscriptions: dict[str, Subscription] = {}
        self.user: User | None = None
        self.closed = False
        self._bucket: Bucket | None = None
        self._heard = now
        self._pinged: float | None = None
        self._opened: float | None = now  # None once anything was subscribed
        self._wall = wall - now

    def open(self) -> Sequence[Send]:
        return (Send(frames.connection_established(self.socket_id, self.app.activity_timeout)),)

    # From the client

    def receive(self, payload: bytes | str, now: float) -> Sequence[Effect]:
        """One whole text message."""
        if self.closed:
            return _NOTHING
        self.heard(now)
        try:
            text = payload if isinstance(payload, str) else payload.decode()
        except UnicodeDecodeError:
            return self.end(errors.CLOSE_INVALID_UTF8, "text is not UTF-8")
        try:
            message = frames.decode(text)
            if message.event.startswith(CLIENT_EVENT_PREFIX):
                return self._client_event(message, now)
            handler = _HANDLERS.get(message.event)
            if handler is None:
                raise errors.UnknownEvent(
                    f"Unknown event {message.event[:MAX_EVENT_NAME]!r}; client events must start with client-"
                )
            return handler(self, message, now)
        except errors.PusherError as failure:
            return (Send(frames.error(failure)),)

    def receive_binary(self) -> Sequence[Effect]:
        return self.end(errors.CLOSE_UNSUPPORTED_DATA, "text messages only")

    def heard(self, now: float) -> None:
        """The client gave a sign of life outside of messages: a WebSocket ping or pong."""
        self._heard = now
        self._pinged = None

    # From the carrier

    def tick(self, now: float) -> Sequence[Effect]:
        """Call every few seconds."""
        if self.closed:
            return _NOTHING
        if self._pinged is not None:
            if now - self._pinged >= self.app.pong_timeout:
                return self.fail(errors.NoPong("Pong reply not received in time"))
            return _NOTHING
        if self._opened is not None and now - self._opened >= self.app.idle_timeout:
            return self.fail(errors.Inactive("Closed after inactivity"))
        if now - self._heard >= self.app.activity_timeout + PING_SLACK:
            self._pinged = now
            return (Send(frames.PING), Ping())
        return _NOTHING

    def app_changed(self, app: App) -> None:
        """Its limits hold from now on; what was granted before stays."""
        if app.client_event_rate != self.app.client_event_rate:
            self._bucket = None
        self.app = app

    def joined(self, channel: str, data: bytes = frames.EMPTY) -> Sequence[Effect]:
        """The join asked for has happened; ``data`` is the presence data of the answer."""
        subscription = self.subscriptions.get(channel)
        if self.closed or subscription is None or subscription.active:
            return _NOTHING
        subscription.active = True
        return (Send(frames.subscription_succeeded(channel, data)),)

    def refuse(self, channel: str, failure: errors.SubscriptionRefused) -> Sequence[Effect]:
        """The carrier could not bring about a join, or takes a subscription back. No ``Leave`` follows."""
        if self.closed or self.subscriptions.pop(channel, None) is None:
            return _NOTHING
        return self._refusal(channel, failure)

    def signed_in(self, sign_in: SignIn) -> Sequence[Effect]:
        """The sign-in asked for holds."""
        if self.closed:
            return _NOTHING
        success = Send(frames.signin_success(sign_in.user_data))
        return (success,) if sign_in.complaint is None else (success, Send(frames.error(sign_in.complaint)))

    def refuse_sign_in(self, failure: errors.SignInRefused) -> Sequence[Effect]:
        """The carrier knows better than the signature."""
        self.user = None
        return _NOTHING if self.closed else (Send(frames.error(failure)),)

    def fail(self, failure: errors.ConnectionClosed) -> Sequence[Effect]:
        """Ends the connection with ``pusher:error`` and a close frame of the same code."""
        if self.closed:
            return _NOTHING
        return (Send(frames.error(failure)), *self.end(failure.code, failure.message))

    def end(self, code: int, reason: str) -> Sequence[Effect]:
        """The connection is over, by close frame or by loss: whatever was subscribed is left."""
        if self.closed:
            return _NOTHING
        self.closed = True
        leaves = [Leave(each.channel, each.member) for each in self.subscriptions.values()]
        self.subscriptions.clear()
        return (Close(code, reason), *leaves)

    # Handlers

    def _ping(self, _message: frames.Incoming, _now: float) -> Sequence[Effect]:
        return (Send(frames.PONG),)

    def _pong(self, _message: frames.Incoming, _now: float) -> Sequence[Effect]:
        return _NOTHING

    def _sign_in(self, message: frames.Incoming, now: float) -> Sequence[Effect]:
        sign_in = read_sign_in(self.app, self.socket_id, frames.decode_sign_in(message.data), now + self._wall)
        if self.user is None:
            self.user = sign_in.user
            return (sign_in,)
        if self.user.user_id != sign_in.user.user_id:
            raise errors.SignInRefused("Connection is signed in as another user already")
        return (Send(frames.signin_success(sign_in.user_data)),)

    def _subscribe(self, message: frames.Incoming, now: float) -> Sequence[Effect]:
        data = frames.decode_subscribe(message.data)
        channel = parse_channel_name(data.channel)
        if channel.text in self.subscriptions:
            raise errors.AlreadySubscribed(channel.text)
        try:
            if len(self.subscriptions) >= self.app.max_channels_per_connection:
                raise errors.LimitReached("Too many channels on one connection")
            grant = read_grant(self.app, self.socket_id, self.user, channel, data, now + self._wall)
        except errors.SubscriptionRefused as failure:
            return self._refusal(channel.text, failure)
        recover = None
        if self.app.history_events and (data.recover or data.last_event_id):
            recover = Recover(data.last_event_id or None)
        self.subscriptions[channel.text] = Subscription(channel, grant.member, recover)
        self._opened = None
        return (Join(channel, grant.member, grant.scopes, grant.issued_at),)

    def _unsubscribe(self, message: frames.Incoming, _now: float) -> Sequence[Effect]:
        subscription = self.subscriptions.pop(frames.decode_unsubscribe(message.data).channel, None)
        return _NOTHING if subscription is None else (Leave(subscription.channel, subscription.member),)

    def _client_event(self, message: frames.Incoming, now: float) -> Sequence[Effect]:
        if not self.app.client_events:
            raise errors.ClientEventRefused("Client events are not enabled for this app")
        if self._bucket is None:
            self._bucket = Bucket(self.app.client_event_rate, now)
        if not self._bucket.take(now):
            raise errors.ClientEventRefused("Client event rejected: rate limit exceeded")
        if len(message.event) > MAX_EVENT_NAME:
            raise errors.ClientEventRefused("Client event rejected: event name too long")
        subscription = self.subscriptions.get(message.channel or "")
        if subscription is None or not subscription.active:
            raise errors.ClientEventRefused("Client event rejected: not subscribed to the channel")
        if not subscription.channel.allows_client_events:
            raise errors.ClientEventRefused("Client event rejected: only private and presence channels carry them")
        data, size = frames.client_data(message.data)
        if size > self.app.max_message_size:
            raise errors.ClientEventRefused(f"Client event rejected: data over {self.app.max_message_size} bytes")
        channel = subscription.channel.text
        user_id = subscription.member.user_id if subscription.channel.is_presence and subscription.member else None
        broadcast = Broadcast(channel, frames.event(message.event, channel, data, user_id))
        if not self.app.webhooks:
            return (broadcast,)
        return (broadcast, ClientEvent(channel, message.event, data, user_id))

    def _refusal(self, channel: str, failure: errors.SubscriptionRefused) -> Sequence[Effect]:
        return (Send(frames.error(failure)), Send(frames.subscription_error(channel, failure)))


_HANDLERS: dict[str, Callable[[Machine, frames.Incoming, float], Sequence[Effect]]] = {
    "pusher:ping": Machine._ping,
    "pusher:pong": Machine._pong,
    "pusher:signin": Machine._sign_in,
    "pusher:subscribe": Machine._subscribe,
    "pusher:unsubscribe": Machine._unsubscribe,
}
