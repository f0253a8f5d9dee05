"""What happened between two states of the cluster, per second.

Each node's counters are compared by that node's own clock, and only then added up: nodes answer at different moments, come
and go. The page does the same (``web/src/features/realtime/rates.ts``); ``tests/realtime/console/rates.json`` holds both to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kanal.realtime.console.figures import ClusterFigures, NodeFigures, Traffic

RATED = ("opened", "messages_in", "messages_out", "bytes_in", "bytes_out", "api_calls")

Rates = dict[str, float]
"""Per second, by the names in ``RATED``; a node's also has ``cpu``, in processors."""


@dataclass(frozen=True, slots=True)
class ClusterRates:
    total: Rates | None
    """``None`` when no node can be compared."""
    nodes: dict[str, Rates] = field(default_factory=dict)
    """Those that are in both states."""
    apps: dict[str, Rates] = field(default_factory=dict)


def between(before: ClusterFigures, after: ClusterFigures) -> ClusterRates:
    earlier = {node.node: node for node in before.nodes}
    nodes: dict[str, Rates] = {}
    apps: dict[str, Rates] = {}
    for now in after.nodes:
        then = earlier.get(now.node)
        if then is None or now.uptime <= then.uptime:
            continue
        seconds = now.uptime - then.uptime
        nodes[now.node] = _differences(then.total, now.total, seconds) | {"cpu": (now.cpu - then.cpu) / seconds}
        for app_id, traffic in now.apps.items():
            known = _earlier(then, app_id)
            if known is not None:
                rates = _differences(known, traffic, seconds)
                apps[app_id] = _sum([apps[app_id], rates]) if app_id in apps else rates
    total = _sum(nodes.values()) if nodes else None
    return ClusterRates(total, nodes, apps)


def _earlier(node: NodeFigures, app_id: str) -> Traffic | None:
    """An app that was not there had done nothing, unless the list was cut."""
    return node.apps.get(app_id) or (None if node.apps_left_out else Traffic())


def _differences(before: Traffic, after: Traffic, seconds: float) -> Rates:
    return {name: (getattr(after, name) - getattr(before, name)) / seconds for name in RATED}


def _sum(all_: Iterable[Rates]) -> Rates:
    summed = dict.fromkeys(RATED, 0.0)
    for rates in all_:
        for name in RATED:
            summed[name] += rates[name]
    return summed
