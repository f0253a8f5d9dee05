"""The console in a terminal: ``kanal realtime top`` and ``kanal realtime tail``."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kanal.realtime.console.figures import ClusterFigures, NodeFigures, TailedEvent, Traffic
from kanal.realtime.console.rates import ClusterRates, Rates, between
from kanal.realtime.console.reader import CannotRead, Reader

TopSort = Literal["out", "in", "connections", "channels", "app"]
SORTS: tuple[TopSort, ...] = ("out", "in", "connections", "channels", "app")
UNKNOWN = "–"
AGAIN = 1.0  # seconds before a lost tail is taken up again


def top(reader: Reader, *, interval: float, sort: TopSort, console: Console | None = None) -> None:
    """Until q or Ctrl-C. Raises ``CannotRead`` when the first answer or a final refusal is all there is."""
    before, rates = reader.state(), ClusterRates(None)
    failure: CannotRead | None = None
    with (
        _keys() as pressed,
        Live(screen(before, rates, sort), console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            key = pressed(interval)
            if key in ("q", "\x03"):
                return
            if key == "s":
                sort = SORTS[(SORTS.index(sort) + 1) % len(SORTS)]
            try:
                after, failure = reader.state(), None
                rates, before = (between(before, after), after) if _moved(before, after) else (rates, before)
            except CannotRead as error:
                if error.final:
                    raise
                failure = error
            live.update(screen(before, rates, sort, failure), refresh=True)


def tail(reader: Reader, app: str, channel: str, *, as_json: bool, say: Callable[[str], None]) -> None:
    """Until Ctrl-C; a connection that is lost is made again. Raises ``CannotRead`` when there is no use in that."""
    app = app or _only_app(reader)
    first = True
    while True:
        dropped = 0
        try:
            for batch in reader.tail(app, channel):
                first = False
                for event in batch.events:
                    say(msgspec.json.encode(event).decode() if as_json else event_line(event))
                if batch.dropped > dropped and not as_json:
                    say(f"… {batch.dropped - dropped} more events, not shown")
                dropped = batch.dropped
        except CannotRead as error:
            if error.final or first:
                raise
        time.sleep(AGAIN)


def _only_app(reader: Reader) -> str:
    """Raises ``CannotRead``."""
    known = sorted(summed_apps(reader.state().nodes))
    if len(known) != 1:
        listed = ", ".join(known) or "none has been used yet"
        raise CannotRead(f"say which app with --app: {listed}", final=True)
    return known[0]


def screen(
    state: ClusterFigures, rates: ClusterRates, sort: TopSort, failure: CannotRead | None = None
) -> RenderableType:
    """One picture."""
    total = Traffic()
    for node in state.nodes:
        total.add(node.total)
    parts: list[RenderableType] = [_headline(total, rates.total)]
    if failure is not None:
        parts.append(Text(f"{failure}; trying again", style="bold red"))
    if state.alone:
        parts.append(Text("The broker is away: only this node is seen.", style="yellow"))
    parts += [_nodes(state, rates), _apps(state, rates, sort)]
    parts.append(Text(f"sorted by {sort} (s changes it) · q ends", style="dim"))
    return Group(*parts)


def _headline(total: Traffic, rates: Rates | None) -> Text:
    text = Text()
    for number, name in (
        (count(total.connections), "connections"),
        (count(total.channels), "channels"),
        (_rate(rates, "messages_out"), "delivered/s"),
        (_rate(rates, "messages_in"), "received/s"),
        (size(rates["bytes_out"]) if rates else UNKNOWN, "sent/s"),
        (_rate(rates, "api_calls"), "API calls/s"),
    ):
        text.append(f"{number} ", style="bold").append(f"{name}   ", style="dim")
    return text


def _nodes(state: ClusterFigures, rates: ClusterRates) -> Table:
    table = _table("NODE", "broker", "conn", "chan", "out/s", "in/s", "API/s", "cpu", "memory", "up")
    for node in state.nodes:
        mine = rates.nodes.get(node.node)
        table.add_row(
            Text(node.node, style="yellow" if node.draining else ""),
            Text(node.engine, style="" if node.broker_connected else "red"),
            count(node.total.connections),
            count(node.total.channels),
            _rate(mine, "messages_out"),
            _rate(mine, "messages_in"),
            _rate(mine, "api_calls"),
            f"{mine['cpu']:.0%}" if mine else UNKNOWN,
            UNKNOWN if node.memory is None else size(node.memory),
            duration(node.uptime),
        )
    for name in state.silent:
        table.add_row(Text(name, style="red"), Text("silent", style="red"))
    return table


def _apps(state: ClusterFigures, rates: ClusterRates, sort: TopSort) -> Table:
    apps = summed_apps(state.nodes)
    table = _table("APP", "", "conn", "chan", "out/s", "in/s", "API/s", "slow", "opened", "hooks")
    for app_id in sorted(apps, key=lambda app_id: _rank(app_id, apps[app_id], rates.apps.get(app_id), sort)):
        traffic, mine = apps[app_id], rates.apps.get(app_id)
        table.add_row(
            app_id,
            "",
            count(traffic.connections),
            count(traffic.channels),
            _rate(mine, "messages_out"),
            _rate(mine, "messages_in"),
            _rate(mine, "api_calls"),
            count(traffic.slow_closed),
            count(traffic.opened),
            count(traffic.webhooks_waiting),
        )
    return table


def summed_apps(nodes: list[NodeFigures]) -> dict[str, Traffic]:
    """Every app over all nodes."""
    apps: dict[str, Traffic] = {}
    for node in nodes:
        for app_id, traffic in node.apps.items():
            apps.setdefault(app_id, Traffic()).add(traffic)
    return apps


def _rank(app_id: str, traffic: Traffic, rates: Rates | None, sort: TopSort) -> tuple[float, str]:
    figure = {
        "out": rates["messages_out"] if rates else 0.0,
        "in": rates["messages_in"] if rates else 0.0,
        "connections": float(traffic.connections),
        "channels": float(traffic.channels),
        "app": 0.0,
    }
    return -figure[sort], app_id


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column(first, no_wrap=True, ratio=1, overflow="ellipsis")
    for index, name in enumerate(others):
        table.add_column(name, no_wrap=True, justify="left" if index == 0 else "right")
    return table


def event_line(event: TailedEvent) -> str:
    """``12:03:04.120 event data``; the data on one line, as it came."""
    moment = time.strftime("%H:%M:%S", time.localtime(event.at / 1000))
    cut = f" … ({event.size} characters)" if event.cut else ""
    return f"{moment}.{event.at % 1000:03} {event.event} {event.data}{cut}"


def count(number: float) -> str:
    return f"{number:,.0f}"


def size(number: float) -> str:
    """In steps of 1,024."""
    for unit in ("B", "kB", "MB"):
        if number < 1_024:
            return f"{number:.0f} {unit}"
        number /= 1_024
    return f"{number:.1f} GB"


def duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        return f"{days}d {hours % 24}h"
    if hours:
        return f"{hours}h {minutes % 60}m"
    return f"{minutes}m {int(seconds % 60)}s"


def _rate(rates: Rates | None, name: str) -> str:
    if rates is None:
        return UNKNOWN
    return count(rates[name]) if rates[name] >= 10 or not rates[name] else f"{rates[name]:.1f}"


def _moved(before: ClusterFigures, after: ClusterFigures) -> bool:
    """Two questions within half a second get the same answer."""
    clocks = {node.node: node.uptime for node in before.nodes}
    return [node for node in after.nodes if clocks.get(node.node) == node.uptime] == []


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits so many seconds for a key and answers it, or nothing. Without a terminal it only waits."""
    if not sys.stdin.isatty():
        yield _only_wait
        return
    descriptor = sys.stdin.fileno()
    normal = termios.tcgetattr(descriptor)

    def wait(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return os.read(descriptor, 1).decode(errors="replace") if ready else ""

    try:
        tty.setcbreak(descriptor)
        yield wait
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, normal)


def _only_wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""
