"""What the terminal shows."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from kanal.realtime.console import terminal
from kanal.realtime.console.figures import ClusterFigures, NodeFigures, TailBatch, TailedEvent, Traffic
from kanal.realtime.console.rates import ClusterRates, between
from kanal.realtime.console.reader import CannotRead, Reader


def _node(name: str, uptime: float, **apps: Traffic) -> NodeFigures:
    total = Traffic()
    for each in apps.values():
        total.add(each)
    return NodeFigures(
        node=name,
        version="1",
        uptime=uptime,
        cpu=uptime / 2,
        memory=85_000_000,
        descriptors=None,
        engine="redis",
        broker_connected=True,
        draining=False,
        refused=0,
        total=total,
        apps=apps,
    )


def _state(*nodes: NodeFigures, silent: tuple[str, ...] = (), alone: bool = False) -> ClusterFigures:
    return ClusterFigures(at=0, node="one", alone=alone, nodes=list(nodes), silent=list(silent), apps=[])


def _text(state: ClusterFigures, rates: ClusterRates, sort: terminal.TopSort = "out") -> str:
    console = Console(width=140, color_system=None, record=True, file=io.StringIO())
    console.print(terminal.screen(state, rates, sort))
    return console.export_text()


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


BEFORE = _state(
    _node("one", 100.0, shop=Traffic(connections=7, channels=2), blog=Traffic(connections=9, channels=1)),
    _node("two", 50.0, shop=Traffic(connections=3, channels=2)),
)
AFTER = _state(
    _node(
        "one", 102.0, shop=Traffic(connections=7, channels=2, messages_out=400), blog=Traffic(connections=9, channels=1)
    ),
    _node("two", 51.0, shop=Traffic(connections=3, channels=2, messages_out=1_500)),
)


def test_nodes_and_apps_with_their_rates() -> None:
    lines = _lines(_text(AFTER, between(BEFORE, AFTER)))
    assert lines[0][:2] == ["19", "connections"]
    assert ["one", "redis", "16", "3", "200", "0", "0", "50%", "81", "MB", "1m", "42s"] in lines
    assert ["two", "redis", "3", "2", "1,500", "0", "0", "50%", "81", "MB", "0m", "51s"] in lines
    assert ["shop", "10", "4", "1,700", "0", "0", "0", "0", "0"] in lines


def test_one_look_has_no_rates_yet() -> None:
    assert ["one", "redis", "16", "3", "–", "–", "–", "–", "81", "MB", "1m", "42s"] in _lines(
        _text(AFTER, ClusterRates(None))
    )


@pytest.mark.parametrize(
    ("sort", "first"), [("out", "shop"), ("connections", "shop"), ("app", "blog"), ("channels", "shop")]
)
def test_apps_in_the_order_asked_for(sort: terminal.TopSort, first: str) -> None:
    names = [
        line[0] for line in _lines(_text(AFTER, between(BEFORE, AFTER), sort)) if line and line[0] in {"shop", "blog"}
    ]
    assert names[0] == first


def test_what_is_wrong_is_said() -> None:
    assert ["gone", "silent"] in _lines(_text(_state(*AFTER.nodes, silent=("gone",)), ClusterRates(None)))
    assert "The broker is away" in _text(_state(AFTER.nodes[0], alone=True), ClusterRates(None))
    screen = terminal.screen(AFTER, ClusterRates(None), "out", CannotRead("no answer from http://x"))
    console = Console(width=100, color_system=None, record=True, file=io.StringIO())
    console.print(screen)
    assert "no answer from http://x; trying again" in console.export_text()


def test_an_event_is_one_line() -> None:
    event = TailedEvent(at=1_700_000_000_007, event="said", data='{"a":1}', size=7, cut=False)
    assert terminal.event_line(event).split(" ", 1)[1] == 'said {"a":1}'
    assert terminal.event_line(event).split(" ")[0].endswith(".007")
    cut = TailedEvent(at=0, event="said", data="xx", size=900, cut=True)
    assert terminal.event_line(cut).endswith("said xx … (900 characters)")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (2048, "2 kB"), (85_000_000, "81 MB"), (3 * 2**30, "3.0 GB")]
)
def test_sizes(number: int, text: str) -> None:
    assert terminal.size(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "0m 5s"), (3_700, "1h 1m"), (200_000, "2d 7h")])
def test_durations(seconds: float, text: str) -> None:
    assert terminal.duration(seconds) == text


class _Tailed(Reader):
    """Answers what it is given; then nobody is there any more."""

    def __init__(self, *batches: TailBatch) -> None:
        super().__init__("http://nowhere", "token")
        self.batches = batches
        self.asked: list[str] = []

    def state(self) -> ClusterFigures:
        return AFTER

    def tail(self, app: str, channel: str) -> Iterator[TailBatch]:
        self.asked.append(app)
        if len(self.asked) > 1:
            raise CannotRead("gone", final=True)
        yield from self.batches


def test_a_tail_says_what_it_did_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "AGAIN", 0.0)
    event = TailedEvent(at=0, event="said", data="x", size=1, cut=False)
    reader = _Tailed(TailBatch(events=[event], seen=4, dropped=3), TailBatch(events=[], seen=9, dropped=8))
    said: list[str] = []
    with pytest.raises(CannotRead, match="gone"):
        terminal.tail(reader, "shop", "news", as_json=False, say=said.append)
    assert [line.split(" ", 1)[1] for line in said] == [
        "said x",
        "3 more events, not shown",
        "5 more events, not shown",
    ]


def test_of_several_apps_one_has_to_be_named() -> None:
    with pytest.raises(CannotRead, match="--app: blog, shop"):
        terminal.tail(_Tailed(), "", "news", as_json=False, say=print)
