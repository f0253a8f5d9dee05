"""Going round all connections without keeping the loop from anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from kanal.realtime.connections import Connection
from kanal.realtime.protocol.effects import Effect

SWEEP_INTERVAL = 5.0  # seconds between looks at each connection's silence
_SLICE = 1_000  # connections looked at before others get a turn


async def sweep(
    connections: Mapping[str, Connection], interval: float, apply: Callable[[Connection, Sequence[Effect]], None]
) -> None:
    """For ever: lets each connection's machine see that time has passed."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        here = list(connections.values())
        for start in range(0, len(here), _SLICE):
            now = loop.time()
            for connection in here[start : start + _SLICE]:
                effects = connection.machine.tick(now)
                if effects:
                    apply(connection, effects)
            await asyncio.sleep(0)


async def spread(connections: Sequence[Connection], window: float, act: Callable[[Connection], None]) -> None:
    """Does something to each connection, evenly over ``window`` seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for index, connection in enumerate(connections):
        delay = started + window * index / len(connections) - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        act(connection)
