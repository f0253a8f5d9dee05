"""Fixtures for all tests: servers, processes, a browser; and the rule that no test leaves this machine."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import browser, network, node
from tests.support.kanal_process import KanalProcess
from tests.support.services import MariaDB, Postgres, Redis, Server, ServiceMissing, SharedServices

IN_CI = os.environ.get("CI") == "true"
SHARED = pytest.StashKey[SharedServices]()
RUN_FOLDER = "kanal_run_folder"  # how a worker of xdist learns which run it belongs to

hypothesis.settings.register_profile("kanal", deadline=None, derandomize=IN_CI, print_blob=True)
hypothesis.settings.load_profile("kanal")


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process makes the run's folder; its workers find it."""
    network.block()
    for name in [name for name in os.environ if name.startswith("KANAL_")]:
        del os.environ[name]  # a developer's settings are not the tests'
    given = getattr(config, "workerinput", None)
    config.stash[SHARED] = SharedServices.open_run() if given is None else SharedServices(Path(given[RUN_FOLDER]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """xdist: tell a new worker where the run's servers are."""
    node.workerinput[RUN_FOLDER] = str(node.config.stash[SHARED].folder)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers when the run is over."""
    if not hasattr(config, "workerinput") and SHARED in config.stash:
        config.stash[SHARED].close_run()


@contextlib.contextmanager
def or_skip() -> Iterator[None]:
    """A missing program skips by name on a developer's machine and fails in CI."""
    try:
        yield
    except ServiceMissing as missing:
        if IN_CI:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def shared_services(pytestconfig: pytest.Config) -> SharedServices:
    """MariaDB and PostgreSQL of this run, started when first asked for."""
    return pytestconfig.stash[SHARED]


@pytest.fixture(scope="session")
def database_name(shared_services: SharedServices) -> Callable[[], str]:
    """Names for databases, each different in the whole run."""
    numbers = itertools.count(1)
    return lambda: f"kanal_{os.getpid()}_{next(numbers)}"


@pytest.fixture(scope="session")
def mariadb(shared_services: SharedServices) -> tuple[MariaDB, Server]:
    """The run's MariaDB; for tests that need several databases."""
    with or_skip():
        service = MariaDB()
        return service, shared_services.get(service)
    raise AssertionError  # not reached: both ways above end the fixture


@pytest.fixture(scope="session")
def postgres(shared_services: SharedServices) -> tuple[Postgres, Server]:
    """The run's PostgreSQL; for tests that need several databases."""
    with or_skip():
        service = Postgres()
        return service, shared_services.get(service)
    raise AssertionError  # not reached: both ways above end the fixture


@pytest.fixture(scope="module")
def mariadb_url(mariadb: tuple[MariaDB, Server], database_name: Callable[[], str]) -> Iterator[str]:
    """Address of an empty MariaDB database of this test module's own."""
    service, server = mariadb
    name = database_name()
    yield service.create_database(server, name)
    service.drop_database(server, name)


@pytest.fixture(scope="module")
def postgres_url(postgres: tuple[Postgres, Server], database_name: Callable[[], str]) -> Iterator[str]:
    """Address of an empty PostgreSQL database of this test module's own."""
    service, server = postgres
    name = database_name()
    yield service.create_database(server, name)
    service.drop_database(server, name)


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'kanal.db'}"


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the three databases in turn, empty."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="module")
def redis_server(shared_services: SharedServices, database_name: Callable[[], str]) -> Iterator[Server]:
    """A Redis of this test module's own, which it may kill and restart."""
    with or_skip():
        server = shared_services.start(Redis(), f"redis-{database_name()}")
        yield server
        server.stop()


@pytest.fixture(scope="module")
def redis_url(redis_server: Server) -> str:
    """Address of this module's Redis."""
    return Redis.url(redis_server)


@pytest.fixture
def kanal_process(tmp_path: Path) -> Iterator[Callable[..., KanalProcess]]:
    """Makes `kanal` processes (see `KanalProcess`; not started yet) that end with the test.

    `kanal_process(KANAL_DATABASE_URL=…)` is a `serve` in a new folder; give `folder=` for a second process on the
    same data.
    """
    made: list[KanalProcess] = []

    def make(*arguments: str, folder: Path | None = None, port: int | None = None, **settings: str) -> KanalProcess:
        process = KanalProcess(folder or tmp_path / f"kanal-{len(made)}", *arguments, port=port, **settings)
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()


@pytest.fixture(scope="session")
def chromium_options() -> dict[str, object]:
    """Arguments for Playwright's `chromium.launch`."""
    with or_skip():
        return browser.launch_options()
    raise AssertionError  # not reached: both ways above end the fixture


@pytest.fixture(scope="session")
def node_clients() -> Path:
    """Folder of the JavaScript clients, with their packages installed."""
    return node.install_clients()
