"""`/metrics` for Prometheus: requests, events, jobs, sockets, process."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from kanal.entrypoints.realtime_metrics import ApiMetrics, HubMetrics, WebhookMetrics
from kanal.kit.events.relay import Relay
from kanal.kit.jobs import Worker
from kanal.realtime.api.core import Api
from kanal.realtime.hub import Hub
from kanal.realtime.webhooks.observer import Webhooks

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)  # seconds


class Metrics:
    """One registry per application, so that several can live in one process (tests)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "kanal_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "kanal_http_seconds", "Time to answer", ["route"], buckets=BUCKETS, registry=self.registry
        )

        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Called once per request. Routes are templates, so there are few of them."""
        children = self._children.get((method, route, status))
        if children is None:
            children = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._children[method, route, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def watch(self, hub: Hub, webhooks: Webhooks, relay: Relay, worker: Worker | None) -> None:
        """Read these when asked; they keep plain numbers."""
        self.registry.register(HubMetrics(hub))
        self.registry.register(WebhookMetrics(webhooks))
        self.registry.register(_Parts(relay, worker))

    def watch_api(self, api: Api) -> None:
        self.registry.register(ApiMetrics(api))

    def render(self) -> bytes:
        return generate_latest(self.registry)


class _Parts(Collector):
    def __init__(self, relay: Relay, worker: Worker | None) -> None:
        self._relay, self._worker = relay, worker

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily("kanal_events_published", "Events published", value=self._relay.published)
        yield CounterMetricFamily(
            "kanal_events_swept", "Events published by the relay's sweep", value=self._relay.swept
        )
        if self._worker is not None:
            yield CounterMetricFamily("kanal_jobs_succeeded", "Jobs done", value=self._worker.succeeded)
            yield CounterMetricFamily("kanal_jobs_failed", "Job attempts that failed", value=self._worker.failed)
