"""All apps of a node, from several sources at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from kanal.realtime.apps import App, AppWatcher

log = structlog.get_logger(__name__)


class AppRegistry:
    """An ``AppSource`` in parts: each source puts its apps under its own name, as often as they change.

    An id or a key belongs to the part that had it first.
    """

    def __init__(self) -> None:
        self._parts: dict[str, tuple[App, ...]] = {}
        self._by_key: dict[str, App] = {}
        self._by_id: dict[str, App] = {}
        self._watchers: list[AppWatcher] = []

    def by_key(self, key: str) -> App | None:
        return self._by_key.get(key)

    def by_id(self, app_id: str) -> App | None:
        return self._by_id.get(app_id)

    def all(self) -> Iterable[App]:
        return list(self._by_id.values())

    def watch(self, callback: AppWatcher) -> None:
        self._watchers.append(callback)

    def put(self, part: str, apps: Sequence[App]) -> None:
        """Replaces a part. Raises ``ValueError`` when an id or a key is used twice; nothing is changed then."""
        others = [app for name, each in self._parts.items() if name != part for app in each]
        _check([*others, *apps])
        self._replace(part, apps)

    def put_what_fits(self, part: str, apps: Sequence[App]) -> None:
        """Replaces a part; apps whose id or key another one has are left out and logged."""
        fitting = [app for name, each in self._parts.items() if name != part for app in each]
        taken = len(fitting)
        for app in apps:
            try:
                _check([*fitting, app])
            except ValueError as error:
                log.error("apps.clash", part=part, app=app.id, error=str(error))
            else:
                fitting.append(app)
        self._replace(part, fitting[taken:])

    def _replace(self, part: str, apps: Sequence[App]) -> None:
        before = self._by_id
        self._parts[part] = tuple(apps)
        everything = [app for each in self._parts.values() for app in each]
        # An app that has not changed stays the same object: connections hold it.
        everything = [old if (old := before.get(app.id)) == app else app for app in everything]
        self._by_id = {app.id: app for app in everything}
        self._by_key = {app.key: app for app in everything}
        for old in before.values():
            new = self._by_id.get(old.id)
            if new is not old:
                for watcher in self._watchers:
                    watcher(new, old)


def _check(apps: Iterable[App]) -> None:
    """Raises ``ValueError``."""
    ids: set[str] = set()
    keys: set[str] = set()
    for app in apps:
        if app.id in ids:
            raise ValueError(f"app id {app.id} is used twice")
        if app.key in keys:
            raise ValueError(f"app {app.id}: its key is used by another app")
        ids.add(app.id)
        keys.add(app.key)
