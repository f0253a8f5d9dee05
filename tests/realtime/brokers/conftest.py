"""Every engine in turn; and nodes that only write down what they hear."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from kanal.realtime.brokers.base import Broker, RosterChange
from tests.conftest import or_skip
from tests.realtime.brokers.engines import Engine, make_engine
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import until
from tests.support.services import SharedServices

SERVERS = ["redis", "sentinel", "cluster", "nats"]


class Recorder:
    """A node that only writes down what it hears."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.positions: list[str | None] = []
        self.changes: list[tuple[str, RosterChange]] = []
        self.gone: list[str] = []
        self.left: list[tuple[str, str]] = []
        self.restorations = 0
        self.losses = 0

    def deliver(self, topic: str, payload: bytes, position: str | None) -> None:
        self.messages.append((topic, payload))
        self.positions.append(position)

    def node_gone(self, node: str) -> None:
        self.gone.append(node)

    def census_left(self, app_id: str, names: Sequence[str]) -> None:
        self.left += [(app_id, name) for name in names]

    def roster_changed(self, topic: str, change: RosterChange) -> None:
        self.changes.append((topic, change))

    def restored(self) -> None:
        self.restorations += 1

    def lost(self) -> None:
        self.losses += 1

    def users(self) -> list[tuple[str, bytes | None]]:
        return [(change.user_id, change.info) for _, change in self.changes]


@asynccontextmanager
async def node(broker: Broker) -> AsyncIterator[tuple[Broker, Recorder]]:
    recorder = Recorder()
    await broker.start(recorder)
    await until(lambda: broker.connected, within=30)
    try:
        yield broker, recorder
    finally:
        await broker.stop()


async def subscribed(broker: Broker, topic: str) -> None:
    confirmed = broker.subscribe(topic)
    if confirmed is not None:
        await confirmed


Cluster = tuple[Broker, Recorder, Broker, Recorder]


def _engine(kind: str, shared: SharedServices, name: str) -> Iterator[Engine]:
    with or_skip():
        engine = make_engine(kind, shared, f"{kind}-{name}")
        yield engine
        engine.stop()


@pytest.fixture(scope="module", params=["memory", *SERVERS])
def any_engine(
    request: pytest.FixtureRequest, shared_services: SharedServices, database_name: Callable[[], str]
) -> Iterator[Engine]:
    yield from _engine(request.param, shared_services, database_name())


@pytest.fixture(scope="module", params=SERVERS)
def engine(
    request: pytest.FixtureRequest, shared_services: SharedServices, database_name: Callable[[], str]
) -> Iterator[Engine]:
    """What can go away."""
    yield from _engine(request.param, shared_services, database_name())


@pytest.fixture
def prefix(database_name: Callable[[], str]) -> str:
    """Nothing is stored under it yet."""
    return database_name()


@pytest.fixture
def new_broker(any_engine: Engine, prefix: str) -> BrokerFactory:
    """Makes brokers of nodes that form one cluster."""
    return lambda node: any_engine.broker(node, prefix)


@pytest.fixture
async def cluster(new_broker: BrokerFactory) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        one, heard_one = await stack.enter_async_context(node(new_broker("one")))
        two, heard_two = await stack.enter_async_context(node(new_broker("two")))
        yield one, heard_one, two, heard_two
