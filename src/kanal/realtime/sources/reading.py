"""Apps as people write them: TOML or JSON, with the names of ``App``'s fields."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec

from kanal.realtime.apps import App, Webhook
from kanal.realtime.webhooks.http import Address

_KNOWN = {field.name for field in fields(App)}
_KNOWN_OF_WEBHOOKS = {field.name for field in fields(Webhook)}


def read_app(content: Any) -> App:
    """One app. Raises ``ValueError`` that names the app and the field, and repeats no secret.

    ``encryption_master_key`` is base64, as Pusher's server SDKs have it.
    """
    if not isinstance(content, Mapping):
        raise ValueError("an app is a table with id, key and secret")
    given = dict(content)
    for name in ("id", "key"):  # 1001 without quotes is meant as it looks
        if isinstance(given.get(name), int) and not isinstance(given[name], bool):
            given[name] = str(given[name])
    app_id = given.get("id", "?")
    _check_names(f"app {app_id}", given, _KNOWN)
    webhooks = given.get("webhooks", ())
    for webhook in webhooks if isinstance(webhooks, list) else ():
        _check_names(f"app {app_id}: webhooks", webhook, _KNOWN_OF_WEBHOOKS)
    try:
        app = msgspec.convert(given, App)
    except msgspec.ValidationError as error:
        text = str(error)
        raise ValueError(text if text.startswith("app ") else f"app {app_id}: {text}") from None
    for webhook in app.webhooks:
        try:
            Address(webhook.url, webhook.headers)
        except ValueError as error:
            raise ValueError(f"app {app_id}: webhooks: {error}") from None
    return app


def read_apps(content: Any) -> list[App]:
    """A list of apps, or a table with one under ``apps``. Raises ``ValueError``."""
    listed = content.get("apps") if isinstance(content, Mapping) else content
    if not isinstance(listed, list):
        raise ValueError("there is no list of apps")
    if isinstance(content, Mapping):
        _check_names("the file", content, {"apps"})
    return [read_app(each) for each in listed]


def read_json(text: str | bytes) -> list[App]:
    """Raises ``ValueError``."""
    try:
        return read_apps(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ValueError(f"this is not JSON: {error}") from None


def read_toml(text: str) -> list[App]:
    """Raises ``ValueError``."""
    try:
        return read_apps(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not TOML: {error}") from None


def _check_names(where: str, given: Any, known: set[str]) -> None:
    unknown = sorted(str(name) for name in given if name not in known) if isinstance(given, Mapping) else []
    if unknown:
        raise ValueError(f"{where}: there is no {unknown[0]!r}; known are {', '.join(sorted(known))}")
