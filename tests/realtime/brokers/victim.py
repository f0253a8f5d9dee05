"""A node to be killed: `python -m tests.realtime.brokers.victim URL PREFIX TOPIC TTL`. Says its name when it has joined."""

import asyncio
import sys

import uvloop

from kanal.realtime.brokers import connect
from tests.realtime.brokers.conftest import Recorder
from tests.realtime.brokers.engines import HEARTBEAT
from tests.realtime.harness import until


async def main(url: str, prefix: str, topic: str, ttl: str) -> None:
    broker = connect(url, node="victim", prefix=prefix, heartbeat=HEARTBEAT, node_ttl=float(ttl))
    await broker.start(Recorder())
    await until(lambda: broker.connected, within=30)
    await broker.update_roster(topic, {"ayu": b"{}", "shared": b"{}"}, [], 100)
    await broker.update_census("1", ["alone", "shared", *(f"name-{number}" for number in range(1_100))], [])
    print(broker.node, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
