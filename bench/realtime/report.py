"""Medians, spreads, ratios to the floors, goals; as a table and as JSON."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.figures import RESULTS
from bench.realtime.campaign import Campaign
from bench.realtime.measure import PLANS, Plan, Sample

PLAIN, GATHERED = "floor, plain", "floor, gathered"


@dataclass(frozen=True)
class Quantity:
    """One value of a run. `per_cpu`: the same for each second of the server's processor time, which others disturb less."""

    plan: str
    title: str
    unit: str
    value: Callable[[dict[str, float]], float]
    per_cpu: Callable[[dict[str, float]], float] | None = None


def _deliveries(key: str, title: str) -> Quantity:
    return Quantity(
        key, title, "deliveries/s", lambda v: v["deliveries"], lambda v: v["deliveries"] / max(v["server_cpu"], 1e-9)
    )


_RATES = [_deliveries(plan.key, plan.title) for plan in PLANS if not plan.hold and not plan.rate]
QUANTITIES = (
    *_RATES,
    Quantity("connect", "connections", "per s", lambda v: v["connects"], lambda v: 1e6 / max(v["cpu_us"], 1e-9)),
    Quantity("connect", "memory of an idle connection", "KB", lambda v: v["kb_per_socket"]),
    Quantity("latency", "20 events/s to 1,000 sockets, p50", "ms", lambda v: v["p50_ms"]),
    Quantity("latency", "20 events/s to 1,000 sockets, p99", "ms", lambda v: v["p99_ms"]),
)


@dataclass(frozen=True)
class Goal:
    """What Kanal has to reach: a ratio to another server of the same run, or a value."""

    quantity: str
    limit: float
    at_most: bool = False
    to: str = ""


GOALS = (
    Goal("1 channel x 1,000, client events", 0.8, to=GATHERED),
    Goal("1 channel x 1,000, client events", 15, to="soketi"),
    Goal("100 channels x 10, client events", 0.75, to=GATHERED),
    Goal("100 channels x 10, client events", 2.2, to="soketi"),
    Goal("1 channel x 1,000, HTTP API", 10, to="soketi"),
    Goal("100 channels x 10, HTTP API", 1.4, to="soketi"),
    Goal("100 channels x 10, HTTP API, batches of 10", 3, to="soketi"),
    Goal("connections", 2, to="soketi"),
    Goal("20 events/s to 1,000 sockets, p99", 1.2, at_most=True, to=PLAIN),
    Goal("memory of an idle connection", 4, at_most=True),
)


# Soketi to the plain floor in the campaign that the goals come from (Soketi 1.6.1; connections by processor time, 162 and
# 15 µs), by the floor's quantity: for runs without a Soketi of their own.
SOKETI_THEN = {
    "1 channel x 1,000, client events": ("1 channel x 1,000, client events", 199 / 406),
    "100 channels x 10, client events": ("100 channels x 10, client events", 164 / 361),
    "1 channel x 1,000, HTTP API": ("1 channel x 1,000, client events", 209 / 406),
    "100 channels x 10, HTTP API": ("100 channels x 10, client events", 104 / 361),
    "100 channels x 10, HTTP API, batches of 10": ("100 channels x 10, client events", 147 / 361),
    "connections": ("connections", 15 / 162),
}


@dataclass(frozen=True)
class Row:
    """A quantity of one server: median and spread over the rounds, and how many of them others disturbed."""

    server: str
    quantity: str
    unit: str
    median: float
    low: float
    high: float
    per_cpu: float | None
    rounds: int
    disturbed: int


def rows(campaign: Campaign, servers: Sequence[str]) -> list[Row]:
    """Of everything that was measured."""
    return list(_rows(campaign, servers))


def _rows(campaign: Campaign, servers: Sequence[str]) -> Iterator[Row]:
    for quantity in QUANTITIES:
        for server in servers:
            samples = campaign.samples[server, quantity.plan]
            if samples:
                yield _row(server, quantity, samples)


def _row(server: str, quantity: Quantity, samples: list[Sample]) -> Row:
    values = [quantity.value(each.values) for each in samples]
    per_cpu = None
    if quantity.per_cpu is not None and all(each.values.get("cpu_us", 1) for each in samples):
        per_cpu = statistics.median(quantity.per_cpu(each.values) for each in samples)
    disturbed = sum(each.noise.disturbed for each in samples)
    return Row(
        server, quantity.title, quantity.unit, statistics.median(values), min(values), max(values), per_cpu,
        len(values), disturbed,
    )  # fmt: skip


def table(found: Sequence[Row]) -> str:
    """Each quantity with its servers, and what they are to the two floors."""
    lines = []
    by_name = {(row.quantity, row.server): row for row in found}
    for quantity in dict.fromkeys(row.quantity for row in found):
        mine = [row for row in found if row.quantity == quantity]
        lines.append(f"\n{quantity} ({mine[0].unit})")
        lines.append(
            f"  {'':<18}{'median':>11}  {'spread':>21}{'/ plain':>9}{'/ gathered':>12}{'per cpu-s':>12}{'/ plain':>9}{'/ gathered':>12}"
        )
        for row in mine:
            floors = [by_name.get((quantity, name)) for name in (PLAIN, GATHERED)]
            wall = "".join(
                f"{_ratio(row.median, each.median if each else None):>{w}}"
                for each, w in zip(floors, (9, 12), strict=True)
            )
            work = "".join(
                f"{_ratio(row.per_cpu, each.per_cpu if each else None):>{w}}"
                for each, w in zip(floors, (9, 12), strict=True)
            )
            spread = f"{_number(row.low)} to {_number(row.high)}"
            note = f"  {row.disturbed} of {row.rounds} rounds disturbed" if row.disturbed else ""
            lines.append(
                f"  {row.server:<18}{_number(row.median):>11}  {spread:>21}"
                f"{wall}{'' if row.per_cpu is None else _number(row.per_cpu):>12}{work}{note}"
            )
    return "\n".join(lines)


def goals(found: Sequence[Row]) -> str:
    """Which were reached. Without a Soketi in the run, goals against it are measured by processor time and `SOKETI_THEN`."""
    by_name = {(row.quantity, row.server): row for row in found}
    lines = []
    for goal in GOALS:
        row, other = by_name.get((goal.quantity, "kanal")), by_name.get((goal.quantity, goal.to))
        if row is None:
            continue
        if not goal.to:
            value, what = row.median, row.unit
        elif other is not None:
            value, what = row.median / other.median, f"x {goal.to}"
            if other.per_cpu and row.per_cpu:
                what += f" (by processor time {row.per_cpu / other.per_cpu:.2f})"
        else:
            value, what = (
                _to_soketi_then(row, by_name),
                "x soketi as it was to the floor in the campaign, by processor time",
            )
        if value:
            met = value <= goal.limit if goal.at_most else value >= goal.limit
            sign = "≤" if goal.at_most else "≥"
            lines.append(
                f"{'met' if met else 'MISSED':<7}{goal.quantity}: {value:.2f}, goal {sign} {goal.limit:g} {what}"
            )
    return "\n".join(lines)


def _to_soketi_then(row: Row, by_name: dict[tuple[str, str], Row]) -> float:
    """0 when there is nothing to compare with."""
    quantity, ratio = SOKETI_THEN.get(row.quantity, ("", 0.0))
    floor = by_name.get((quantity, PLAIN))
    if floor is None or not floor.per_cpu or not row.per_cpu:
        return 0.0
    return row.per_cpu / (floor.per_cpu * ratio)


def save(found: Sequence[Row], campaign: Campaign, settings: dict[str, object]) -> Path:
    """Everything, also every single run."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"realtime-{time.strftime('%Y%m%d-%H%M%S')}.json"
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        **settings,
        "rows": [asdict(row) for row in found],
        "runs": [
            {"server": server, "plan": plan, "samples": [asdict(each) for each in samples]}
            for (server, plan), samples in campaign.samples.items()
        ],
        "failures": {f"{server}, {plan}": said for (server, plan), said in campaign.failures.items()},
        "absent": campaign.absent,
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False))
    return path


def find_plans(keys: Sequence[str]) -> list[Plan]:
    """Those named, in their order here; all when none is."""
    return [plan for plan in PLANS if not keys or plan.key in keys]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}" if value is not None and base else ""
