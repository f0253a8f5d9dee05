"""The figures of this node."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from kanal import __version__
from kanal.realtime.console.figures import NodeFigures, Traffic
from kanal.realtime.hub import Hub

MAX_APPS = 1_000  # in one answer; a quarter of a megabyte for the page, each second

_STATM = Path("/proc/self/statm")
_PAGE = resource.getpagesize()


class ApiCounts(Protocol):
    """The signed HTTP API, as the console sees it."""

    @property
    def counts(self) -> Mapping[tuple[str, str, int], int]:
        """Answers by app id, call and status."""


class WebhookCounts(Protocol):
    """The webhooks of one app, as the console sees them."""

    @property
    def waiting(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def failed(self) -> int: ...


class Gauge:
    def __init__(self, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._clock = clock
        self._started = clock()
        self._api: ApiCounts | None = None
        self._webhooks: Callable[[], Mapping[str, WebhookCounts]] = dict
        self._draining: Callable[[], bool] = lambda: False

    def watch(
        self,
        *,
        api: ApiCounts | None = None,
        webhooks: Callable[[], Mapping[str, WebhookCounts]] | None = None,
        draining: Callable[[], bool] | None = None,
    ) -> None:
        """Count these too, from now on. ``webhooks`` answers counts by app id."""
        self._api = api or self._api
        self._webhooks = webhooks or self._webhooks
        self._draining = draining or self._draining

    def read(self) -> NodeFigures:
        stats = self._hub.stats()
        apps = self._apps()
        total = Traffic()
        for traffic in apps.values():
            total.add(traffic)
        apps.pop("", None)  # calls that named no app
        shown = sorted(apps, key=lambda app: (-apps[app].connections, -apps[app].messages_out, app))[:MAX_APPS]
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return NodeFigures(
            node=self._hub.broker.node,
            version=__version__,
            uptime=round(self._clock() - self._started, 6),
            cpu=round(used.ru_utime + used.ru_stime, 6),
            memory=_resident(),
            descriptors=None if limit == resource.RLIM_INFINITY else limit,
            engine=type(self._hub.broker).__name__.removesuffix("Broker").lower(),
            broker_connected=stats.broker_connected,
            draining=self._draining(),
            refused=stats.refused,
            total=total,
            apps={app: apps[app] for app in shown},
            apps_left_out=len(apps) - len(shown),
        )

    def _apps(self) -> dict[str, Traffic]:
        apps = {
            app_id: Traffic(
                connections=each.connections,
                channels=each.channels,
                opened=each.opened,
                slow_closed=each.slow_closed,
                messages_in=each.messages_in,
                messages_out=each.messages_out,
                bytes_in=each.bytes_in,
                bytes_out=each.bytes_out,
            )
            for app_id, each in self._hub.stats().apps.items()
        }
        for (app_id, _, status), count in self._api.counts.items() if self._api is not None else ():
            traffic = apps.setdefault(app_id, Traffic())
            traffic.api_calls += count
            traffic.api_refused += count if status >= 400 else 0
        for app_id, counts in self._webhooks().items():
            traffic = apps.setdefault(app_id, Traffic())
            traffic.webhooks_waiting += counts.waiting
            traffic.webhooks_sent += counts.sent
            traffic.webhooks_dropped += counts.dropped
            traffic.webhooks_failed += counts.failed
        return apps


def _resident() -> int | None:
    """Linux tells what is in memory now; others only the most there ever was, which would not be the same figure."""
    if sys.platform != "linux":
        return None
    return int(_STATM.read_text().split()[1]) * _PAGE
