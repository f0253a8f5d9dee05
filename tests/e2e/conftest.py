"""A server with the demo workspace per module, a browser, and people who use it.

A page that logs an error fails its test. What a failed test saw last is in `.cache/e2e/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.api import Api, address
from tests.e2e.person import Person
from tests.e2e.waiting import LIMIT
from tests.support.kanal_process import KanalProcess

ROOT = Path(__file__).resolve().parents[2]
FAILURES = ROOT / ".cache/e2e"
DEMO = ("sari", "budi", "misaki", "james", "dewi", "andi", "kenji")
PATIENCE = LIMIT * 1000  # ms; what goes well is seen at once, so only a failure takes as long
TEST_TIME = 600  # seconds for one test; some look at every page twice

Open = Callable[..., Person]
FAILED = pytest.StashKey[bool]()

expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(TEST_TIME))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Tell the fixtures whether the test itself failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def browser(chromium_options: dict[str, Any]) -> Iterator[Browser]:
    """Started per module: its event loop would be in the way of other modules' asynchronous tests."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(**chromium_options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KanalProcess]:
    """`kanal serve --demo`, where everybody reads English."""
    with KanalProcess(tmp_path_factory.mktemp("kanal"), "serve", "--demo") as process:
        for name in DEMO:
            english = Api(process.url, address(name))
            english.call("PATCH", "/auth/user", {"locale": "en"})
            english.close()
        yield process


@pytest.fixture(scope="module")
def accounts(server: KanalProcess) -> Iterator[Callable[[str], Api]]:
    """API clients of demo people, by first name or by address."""
    known: dict[str, Api] = {}

    def account(name: str) -> Api:
        if name not in known:
            known[name] = Api(server.url, name if "@" in name else address(name))
        return known[name]

    yield account
    for api in known.values():
        api.close()


class Visitors:
    """Opens browsers and hands back what went wrong in them."""

    def __init__(self, browser: Browser, server: KanalProcess, accounts: Callable[[str], Api]) -> None:
        self._browser, self._server, self._accounts = browser, server, accounts
        self.opened: list[Person] = []

    def open(self, name: str | None, **options: Any) -> Person:
        """Somebody signed in, or for `None` a stranger. The options are those of Playwright's `new_context`."""
        settings = {"locale": "en-US", "timezone_id": "Asia/Jakarta", "viewport": {"width": 1280, "height": 800}}
        context = self._browser.new_context(**{**settings, **options})
        context.set_default_timeout(PATIENCE)
        person = Person(context, self._server.url, self._accounts(name) if name else None)
        self.opened.append(person)
        return person.sign_in() if name else person

    def picture(self, test: str) -> None:
        """What each of them sees now, into `.cache/e2e/`."""
        FAILURES.mkdir(parents=True, exist_ok=True)
        for number, person in enumerate(self.opened):
            if not person.page.is_closed():
                name = re.sub(r"\W+", "-", test)
                person.page.screenshot(path=FAILURES / f"{name}-{number}.png")

    def check(self) -> None:
        """Raises when a page logged an error since the last time."""
        problems = [problem for person in self.opened for problem in person.problems]
        for person in self.opened:
            person.problems.clear()
        assert problems == [], "the browser reported:\n" + "\n".join(problems)

    def close(self) -> None:
        for person in self.opened:
            person.context.close()


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Whether this fixture's test failed, or never ran."""
    return bool(request.node.stash.get(FAILED, True))


@pytest.fixture
def open_browser(
    request: pytest.FixtureRequest, browser: Browser, server: KanalProcess, accounts: Callable[[str], Api]
) -> Iterator[Open]:
    """Makes people with a browser each: `open_browser("sari")` is signed in, `open_browser(None)` a stranger."""
    visitors = Visitors(browser, server, accounts)
    yield visitors.open
    if has_failed(request):
        visitors.picture(request.node.name)
    visitors.close()
    visitors.check()


@pytest.fixture
def room_of(accounts: Callable[[str], Api], request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes a room of the test's own with these people in it; the first one is its owner."""

    def make(*names: str, called: str | None = None) -> str:
        owner, *others = (accounts(name) for name in names)
        return owner.create_room(called or request.node.name.removeprefix("test_")[:60], *others)

    return make
