"""The apps of a node, from everywhere the settings name."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from kanal.realtime.apps import App
from kanal.realtime.endings import end
from kanal.realtime.sources.file import AppFile
from kanal.realtime.sources.reading import read_json
from kanal.realtime.sources.registry import AppRegistry
from kanal.settings import ServerSettings


class Table(Protocol):
    """`kanal.realtime.sources.table.AppTable`, which brings the database along."""

    async def load(self) -> None: ...

    async def follow(self) -> None: ...


class AppSources:
    """``registry`` has what the settings say at once; the table's apps come with ``start``."""

    def __init__(self, settings: ServerSettings, own: App | None = None) -> None:
        """Raises ``ValueError`` that names the variable. ``own`` is Kanal's app."""
        self.registry = AppRegistry()
        self.table: Table | None = None
        self._file = None if settings.apps_file is None else AppFile(settings.apps_file, self.registry)
        self._tasks: list[asyncio.Task[Any]] = []
        if own is not None:
            self.registry.put("kanal", [own])
        _put(self.registry, "KANAL_REALTIME_APPS", _listed(settings))
        _put(self.registry, "KANAL_REALTIME_APP_ID", _single(settings))
        if self._file is not None:
            try:
                self._file.load()
            except ValueError as error:
                raise ValueError(f"KANAL_REALTIME_APPS_FILE: {error}") from None

    async def start(self) -> None:
        """Raises what the database raises."""
        if self.table is not None:
            await self.table.load()
            self._tasks.append(asyncio.create_task(self.table.follow()))
        if self._file is not None:
            self._tasks.append(asyncio.create_task(self._file.follow()))

    def look(self) -> None:
        """Reads the file again now, if it has changed."""
        if self._file is not None:
            self._file.look()

    async def stop(self) -> None:
        await end(self._tasks)


def _put(registry: AppRegistry, variable: str, apps: list[App]) -> None:
    try:
        registry.put(variable, apps)
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from None


def _listed(settings: ServerSettings) -> list[App]:
    if not settings.apps:
        return []
    try:
        return read_json(settings.apps)
    except ValueError as error:
        raise ValueError(f"KANAL_REALTIME_APPS: {error}") from None


def _single(settings: ServerSettings) -> list[App]:
    if not settings.app_id:
        return []
    try:
        return [App(id=settings.app_id, key=settings.app_key, secret=settings.app_secret)]
    except ValueError as error:
        raise ValueError(f"KANAL_REALTIME_APP_ID: {error}") from None
