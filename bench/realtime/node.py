"""A Kanal node for the benchmark: `python -m bench.realtime.node PORT [REDIS_URL]`. Client events are not limited."""

import sys

import uvloop

from bench.realtime.targets import Credentials
from kanal.realtime.apps import App, StaticApps
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.hub import Hub
from kanal.realtime.server import serve


async def main(port: int) -> None:
    """Until SIGTERM."""
    known = Credentials()
    app = App(id=known.app_id, key=known.key, secret=known.secret, client_event_rate=10**9)
    await serve(Hub(StaticApps([app]), MemoryBroker()), port=port)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
