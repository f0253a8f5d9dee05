"""Worlds: on each of the three databases where rows matter, on SQLite alone where they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.identity.world import Browser, World, make_app, make_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """On SQLite, MariaDB and PostgreSQL in turn."""
    async with make_world(database_url) as made:
        yield made


@pytest.fixture
async def home(sqlite_url: str) -> AsyncIterator[World]:
    """On SQLite only."""
    async with make_world(sqlite_url) as made:
        yield made


@pytest.fixture
def app(home: World) -> Any:
    return make_app(home.identity)


@pytest.fixture
async def browser(app: Any) -> AsyncIterator[Callable[..., Browser]]:
    """Makes browsers, each with its own cookies."""
    made: list[Browser] = []

    def open_one(**options: Any) -> Browser:
        made.append(Browser(app, **options))
        return made[-1]

    yield open_one
    for each in made:
        await each.http.aclose()
