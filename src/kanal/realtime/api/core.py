"""Answers calls. Knows nothing of how they came in."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from kanal.realtime.api.answers import EMPTY, EMPTY_LOCAL, Answer, Refused, answer
from kanal.realtime.api.bodies import Event, check_channel, check_object, read_batch, read_event
from kanal.realtime.api.queries import Queries
from kanal.realtime.api.signature import Parameters, Signer, check, check_body, check_ordinary, parse_query
from kanal.realtime.apps import App
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.hub import Hub
from kanal.realtime.publisher import Delivery, Publication
from kanal.realtime.survey import Survey

_METHODS = {
    "events": "POST",
    "batch_events": "POST",
    "channels": "GET",
    "channel": "GET",
    "users": "GET",
    "terminate_connections": "POST",
}
_KNOWN = 1_000  # paths that are remembered; most calls come by the same few
_TOP = frozenset({"events", "batch_events", "channels"})


class Call(msgspec.Struct):
    """A call whose signature fits."""

    name: str
    """A key of ``_METHODS``."""
    app: App
    subject: str
    """The channel or the user, as named in the path."""
    parameters: Parameters


class Route(NamedTuple):
    name: str
    app_id: str
    """Empty when the path does not say; then the key does."""
    subject: str = ""


class Api:
    """``open`` a call, then ``carry_out`` with its body; ``handle`` does both. ``counts`` are answers since the start."""

    def __init__(self, hub: Hub, survey: Survey, *, now: Callable[[], float] = time.time) -> None:
        self.counts: dict[tuple[str, str, int], int] = {}
        """By app id, call and status; the first two are empty for a call that got nowhere."""
        self._hub = hub
        self._queries = Queries(hub, survey)
        self._now = now
        self._handlers: dict[str, Callable[[Call, bytes], Answer | Coroutine[Any, Any, Answer]]] = {
            "events": self._event,
            "batch_events": self._batch,
            "channels": self._channels,
            "channel": self._channel,
            "users": self._users,
            "terminate_connections": self._terminate,
        }
        self._signers: dict[str, Signer] = {}
        self._known: dict[bytes, tuple[Route, bytes]] = {}
        # Publishing in one process never waits, and a task for each call would be half of what a call costs.
        self._waits = not isinstance(hub.broker, MemoryBroker)

    def open(self, method: str, path: str, query: str) -> Call:
        """``path`` and ``query`` as sent. Raises ``Refused``: 400, 401, 403, 404, 405."""
        route = find_route(method, path)
        parameters = parse_query(query)
        apps = self._hub.apps
        app = apps.by_id(route.app_id) if route.app_id else apps.by_key(parameters.get("auth_key", ""))
        if app is None:
            raise Refused(404, "There is no such app")
        check(self._signer(app), method, path, parameters, self._now())
        if not app.enabled:
            raise Refused(403, "The app is disabled")
        if route.app_id:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[f"{method} {path}".encode()] = (route, f"{method}\n{path}\n".encode())
        return Call(route.name, app, route.subject, parameters)

    def open_ordinary(self, first: bytes, query: bytes) -> Call | None:
        """What ``open`` would answer for an ordinary call of a kind that was made before; ``None``: ask ``open``.

        ``first`` is method and path as they stand in the first line of a request, ``POST /apps/1001/events``.
        """
        known = self._known.get(first)
        app = None if known is None else self._hub.apps.by_id(known[0].app_id)
        if known is None or app is None or not app.enabled:
            return None
        route, beginning = known
        parameters = check_ordinary(self._signer(app), beginning, query, self._now())
        return None if parameters is None else Call(route.name, app, route.subject, parameters)

    def carry_out(self, call: Call, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        """The answer, or what has to be awaited for it. Both this and the coroutine raise ``Refused``."""
        check_body(call.parameters, body)
        return self._handlers[call.name](call, body)

    async def handle(self, method: str, path: str, query: str, body: bytes) -> Answer:
        try:
            call = self.open(method, path, query)
        except Refused as refusal:
            return self.count(None, refusal.answer)
        try:
            done = self.carry_out(call, body)
            return self.count(call, done if isinstance(done, Answer) else await done)
        except Refused as refusal:
            return self.count(call, refusal.answer)

    def count(self, call: Call | None, given: Answer) -> Answer:
        key = ("", "", given.status) if call is None else (call.app.id, call.name, given.status)
        self.counts[key] = self.counts.get(key, 0) + 1
        return given

    def _signer(self, app: App) -> Signer:
        known = self._signers.get(app.id)
        if known is None or known.secret != app.secret or known.key != app.key:
            known = self._signers[app.id] = Signer(app.key, app.secret)
        return known

    def _event(self, call: Call, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        event = read_event(call.app, body)
        if self._waits or event.info:
            return self._publish([event], batch=False)
        return self._publish_at_once(event.publications)

    def _batch(self, call: Call, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        events = read_batch(call.app, body)
        if self._waits or any(event.info for event in events):
            return self._publish(events, batch=True)
        return self._publish_at_once([each for event in events for each in event.publications])

    def _publish_at_once(self, publications: Sequence[Publication]) -> Answer:
        return EMPTY if _run(self._hub.publish(publications)) is Delivery.CLUSTER else EMPTY_LOCAL

    async def _publish(self, events: Sequence[Event], *, batch: bool) -> Answer:
        publications = [each for event in events for each in event.publications]
        local_only = await self._hub.publish(publications) is not Delivery.CLUSTER
        if not any(event.info for event in events):
            return EMPTY_LOCAL if local_only else EMPTY
        app_id = publications[0].app_id
        looked = [await self._queries.attributes(app_id, event.publications, event.info) for event in events]
        if batch:
            # One entry for each event, in their order; each event of a batch has one channel.
            return answer({"batch": [next(iter(each.values()), {}) for each in looked]}, local_only=local_only)
        return answer({"channels": looked[0]}, local_only=local_only)

    def _channels(self, call: Call, _body: bytes) -> Coroutine[Any, Any, Answer]:
        return self._queries.channels(call.app, call.parameters)

    def _channel(self, call: Call, _body: bytes) -> Coroutine[Any, Any, Answer]:
        return self._queries.channel(call.app, check_channel(call.subject), call.parameters)

    def _users(self, call: Call, _body: bytes) -> Coroutine[Any, Any, Answer]:
        return self._queries.users(call.app, check_channel(call.subject))

    async def _terminate(self, call: Call, body: bytes) -> Answer:
        check_object(body)
        done = await self._hub.terminate(call.app.id, f"user:{call.subject}")
        return EMPTY if done is Delivery.CLUSTER else EMPTY_LOCAL


def is_call(path: str) -> bool:
    """Whether a path is the API's, so that nobody else is asked about it."""
    return path.startswith("/apps/") or (path.startswith("/users/") and path.endswith("/terminate_connections"))


def find_route(method: str, path: str) -> Route:
    """Raises ``Refused``: 404 or 405."""
    match path.split("/"):
        case ["", "apps", app_id, name] if name in _TOP:
            route = Route(name, app_id)
        case ["", "apps", app_id, "channels", channel]:
            route = Route("channel", app_id, channel)
        case ["", "apps", app_id, "channels", channel, "users"]:
            route = Route("users", app_id, channel)
        case ["", "apps", app_id, "users", user, "terminate_connections"]:
            route = Route("terminate_connections", app_id, user)
        case ["", "users", user, "terminate_connections"]:  # the Python SDK (3.3) leaves the app out
            route = Route("terminate_connections", "", user)
        case _:
            raise Refused(404, "There is no such call")
    if method != _METHODS[route.name]:
        raise Refused(405, f"This call is made with {_METHODS[route.name]}")
    if "%" in path:
        return Route(route.name, unquote(route.app_id), unquote(route.subject))
    return route


def _run(work: Coroutine[Any, Any, Delivery]) -> Delivery:
    """The result of a coroutine that never waits, without a task. Raises ``RuntimeError`` when it does wait."""
    try:
        work.send(None)
    except StopIteration as done:
        delivery: Delivery = done.value
        return delivery
    work.close()
    raise RuntimeError("publishing in one process waited for something")
