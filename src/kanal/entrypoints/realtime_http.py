"""What the standalone real-time server answers beside sockets and calls: health and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from kanal import __version__
from kanal.realtime.api.core import Api
from kanal.realtime.hub import Hub
from kanal.realtime.webhooks.observer import Webhooks

Answer = tuple[int, bytes, bytes]
"""Status, content type, body."""

_JSON = b"application/json"


@dataclass
class Health:
    """``draining`` is set when the node begins to stop."""

    node: str
    hub: Hub
    draining: bool = False

    def live(self) -> Answer:
        return self._answer("ok")

    def ready(self) -> Answer:
        """503 while draining. A broker that is away does not make a node unready: it goes on serving its own clients."""
        return self._answer("draining" if self.draining else "ok")

    def _answer(self, status: str) -> Answer:
        broker = "ok" if self.hub.broker.connected else "unreachable"
        body = {"status": status, "node": self.node, "version": __version__, "broker": broker}
        return 200 if status == "ok" else 503, _JSON, msgspec.json.encode(body)


class RealtimeHttp:
    """An ASGI application."""

    def __init__(self, health: Health, api: Api, webhooks: Webhooks, *, metrics: bool) -> None:
        self._answers: dict[str, Callable[[], Answer]] = {"/health/live": health.live, "/health/ready": health.ready}
        if metrics:
            self._answers["/metrics"] = _metrics(health.hub, api, webhooks)

    async def __call__(self, scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        known = self._answers.get(scope["path"])
        if known is None:
            status, kind, body = 404, _JSON, b'{"error":"There is nothing here"}'
        elif scope["method"] not in {"GET", "HEAD"}:
            status, kind, body = 405, _JSON, b'{"error":"Only GET and HEAD are answered here"}'
        else:
            status, kind, body = known()
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _metrics(hub: Hub, api: Api, webhooks: Webhooks) -> Callable[[], Answer]:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.process_collector import ProcessCollector

    from kanal.entrypoints.realtime_metrics import ApiMetrics, HubMetrics, WebhookMetrics

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(HubMetrics(hub))
    registry.register(ApiMetrics(api))
    registry.register(WebhookMetrics(webhooks))
    return lambda: (200, b"text/plain; version=0.0.4", generate_latest(registry))
