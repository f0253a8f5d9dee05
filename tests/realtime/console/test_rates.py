"""What is computed from two states. The page is held to the same examples."""

import json
from pathlib import Path
from typing import Any

import pytest

from kanal.realtime.console.figures import ClusterFigures, NodeFigures, Traffic
from kanal.realtime.console.rates import between

EXAMPLES = json.loads((Path(__file__).parent / "rates.json").read_text())


def _state(nodes: list[dict[str, Any]]) -> ClusterFigures:
    made = [_node(**node) for node in nodes]
    return ClusterFigures(at=0, node="a", alone=False, nodes=made, silent=[], apps=[])


def _node(node: str, uptime: float, cpu: float, apps: dict[str, dict[str, int]], apps_left_out: int = 0) -> NodeFigures:
    traffic = {app_id: Traffic(**counters) for app_id, counters in apps.items()}
    total = Traffic()
    for each in traffic.values():
        total.add(each)
    return NodeFigures(
        node=node,
        version="1",
        uptime=uptime,
        cpu=cpu,
        memory=None,
        descriptors=1024,
        engine="memory",
        broker_connected=True,
        draining=False,
        refused=0,
        total=total,
        apps=traffic,
        apps_left_out=apps_left_out,
    )


def _part(wanted: dict[str, float], given: dict[str, float]) -> dict[str, float]:
    return {name: given[name] for name in wanted}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_rates(example: dict[str, Any]) -> None:
    rates = between(_state(example["before"]), _state(example["after"]))
    assert rates.nodes.keys() == example["nodes"].keys()
    assert rates.apps.keys() == example["apps"].keys()
    for name, wanted in example["nodes"].items():
        assert _part(wanted, rates.nodes[name]) == wanted
    for name, wanted in example["apps"].items():
        assert _part(wanted, rates.apps[name]) == wanted
    if "total" in example:
        wanted = example["total"]
        assert (rates.total is None) == (wanted is None)
        if rates.total is not None:
            assert _part(wanted, rates.total) == wanted
