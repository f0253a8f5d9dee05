"""Both loops and both brokers."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from kanal.realtime.brokers.base import Broker
from kanal.realtime.brokers.memory import MemoryBroker, MemoryBus
from kanal.realtime.brokers.redis import RedisBroker
from tests.realtime.harness import Running, running

BrokerFactory = Callable[[str], Broker]


BOTH_LOOPS = {"test_sockets.py", "test_slow_readers.py"}  # what touches transports; Kanal runs on uvloop


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that each test runs on."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name in BOTH_LOOPS:
        factories["asyncio"] = asyncio.new_event_loop
    return factories


@pytest.fixture(params=["memory", "redis"])
def new_broker(request: pytest.FixtureRequest) -> BrokerFactory:
    """Makes brokers of nodes that form one cluster."""
    if request.param == "memory":
        bus = MemoryBus()
        return lambda node: MemoryBroker(node, bus)
    url = request.getfixturevalue("redis_url")
    prefix = f"test-{request.node.name}"
    return lambda node: RedisBroker(url, node=node, prefix=prefix, heartbeat=0.5, node_ttl=15.0)


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with running() as it:
        yield it


@pytest.fixture
async def two_nodes(new_broker: BrokerFactory) -> AsyncIterator[tuple[Running, Running]]:
    async with running(broker=new_broker("one")) as one, running(broker=new_broker("two")) as two:
        yield one, two
