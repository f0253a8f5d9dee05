"""Figures of the real-time server for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kanal.realtime.api.core import Api
from kanal.realtime.hub import Hub
from kanal.realtime.webhooks.observer import Webhooks

_COUNTERS = (
    ("opened", "Sockets opened"),
    ("messages_in", "Frames received from clients"),
    ("messages_out", "Frames sent to clients"),
    ("bytes_in", "Bytes received from clients"),
    ("bytes_out", "Bytes sent to clients"),
    ("slow_closed", "Sockets closed because they read too slowly"),
)

_OF_WEBHOOKS = (
    ("sent", "Events that receivers have taken"),
    ("dropped", "Events given up"),
    ("requests", "POSTs made"),
    ("failed", "POSTs without a 2xx"),
    ("retried", "POSTs of what was sent before"),
)


class HubMetrics(Collector):
    """Of this node; what has the label ``app`` is by app id."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterable[Metric]:
        stats = self._hub.stats()
        yield GaugeMetricFamily("kanal_sockets", "Open sockets on this node", value=stats.connections)
        yield GaugeMetricFamily("kanal_channels", "Channels with members on this node", value=stats.channels)
        yield GaugeMetricFamily("kanal_broker_up", "Whether the broker is reachable", value=int(stats.broker_connected))
        yield CounterMetricFamily("kanal_sockets_refused", "Handshakes turned away", value=stats.refused)
        sockets = GaugeMetricFamily("kanal_app_sockets", "Open sockets of an app on this node", labels=["app"])
        channels = GaugeMetricFamily("kanal_app_channels", "Channels of an app on this node", labels=["app"])
        for app_id, app in stats.apps.items():
            sockets.add_metric([app_id], app.connections)
            channels.add_metric([app_id], app.channels)
        yield sockets
        yield channels
        for name, text in _COUNTERS:
            family = CounterMetricFamily(f"kanal_socket_{name}", text, labels=["app"])
            for app_id, app in stats.apps.items():
                family.add_metric([app_id], getattr(app, name))
            yield family


class ApiMetrics(Collector):
    """Of the signed HTTP API. Calls of nobody's (no such app, not signed) have empty labels."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily("kanal_api_calls", "Calls answered", labels=["app", "call", "status"])
        for (app_id, call, status), count in self._api.counts.items():
            family.add_metric([app_id, call, str(status)], count)
        yield family


class WebhookMetrics(Collector):
    """Of this node, by app id; apps that nothing was told of yet are not there."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def collect(self) -> Iterable[Metric]:
        stats = self._webhooks.stats()
        waiting = GaugeMetricFamily("kanal_webhook_waiting", "Events that wait for receivers", labels=["app"])
        for app_id, app in stats.items():
            waiting.add_metric([app_id], app.waiting)
        yield waiting
        for name, text in _OF_WEBHOOKS:
            family = CounterMetricFamily(f"kanal_webhook_{name}", text, labels=["app"])
            for app_id, app in stats.items():
                family.add_metric([app_id], getattr(app, name))
            yield family
