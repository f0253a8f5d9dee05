"""`python -m bench realtime --soak 10 --presence --many-channels`: each on a server of its own."""

import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench import figures
from bench.figures import Figure
from bench.realtime import endurance
from bench.realtime.targets import CLIENT_CORE, Target, kanal, on_core

CHURN_SECONDS = 20.0

Measure = Callable[[Target], Awaitable[list[Figure]]]


def run(soak_minutes: float, *, presence: bool, many_channels: bool) -> int:
    """Measures what is asked for, prints, keeps. 1 when a goal was missed."""
    found: list[Figure] = []
    if many_channels:
        found += _measure(endurance.many_channels)
    if presence:
        found += _measure(lambda target: endurance.presence_churn(target, CHURN_SECONDS))
    if soak_minutes:
        found += _measure(lambda target: endurance.soak(target, soak_minutes * 60))
    print(figures.table(found))
    print(f"\nkept in {figures.save(found)}")
    return 1 if any(figure.met is False for figure in found) else 0


def _measure(measure: Measure) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="kanal-bench-") as folder,
        kanal(presence_max_members=10_000).running(Path(folder)) as target,
        on_core(CLIENT_CORE),
    ):
        print(f"load average {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        found = uvloop.run(_awaited(measure, target))
        print(f"load average {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        return found


async def _awaited(measure: Measure, target: Target) -> list[Figure]:
    return await measure(target)
