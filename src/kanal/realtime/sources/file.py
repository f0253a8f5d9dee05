"""Apps in a file that may be edited while the server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from kanal.realtime.apps import App
from kanal.realtime.sources.reading import read_json, read_toml
from kanal.realtime.sources.registry import AppRegistry

LOOK_EVERY = 1.0  # seconds
PART = "file"

log = structlog.get_logger(__name__)

_Stamp = tuple[int, int, int]


class AppFile:
    """``.json`` or ``.toml``. ``load`` once, then ``follow``."""

    def __init__(self, path: Path, registry: AppRegistry) -> None:
        self._path = path
        self._registry = registry
        self._seen: _Stamp | None = None

    def load(self) -> None:
        """Raises ``ValueError`` that names the file."""
        try:
            self._seen = self._stamp()
            self._registry.put(PART, self._read())
        except (OSError, ValueError) as error:
            raise ValueError(f"{self._path}: {getattr(error, 'strerror', None) or error}") from None

    async def follow(self, interval: float = LOOK_EVERY) -> None:
        """For ever: takes what changes. A file that cannot be used is logged, and the apps stay as they were."""
        while True:
            await asyncio.sleep(interval)
            self.look()

    def look(self) -> None:
        try:
            stamp = self._stamp()
        except OSError:
            stamp = None  # between two moments of being replaced, or gone
        if stamp is None or stamp == self._seen:
            return
        try:
            self.load()
        except ValueError as error:
            log.error("apps.file_unusable", error=str(error), hint="the apps stay as they were")
        else:
            log.info("apps.file_read", path=str(self._path), apps=len(list(self._registry.all())))

    def _stamp(self) -> _Stamp:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> list[App]:
        text = self._path.read_text(encoding="utf-8")
        return read_json(text) if self._path.suffix == ".json" else read_toml(text)
