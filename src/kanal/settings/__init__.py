"""Settings: read once from ``KANAL_*`` (and ``.env``), validated before anything starts, passed down from bootstrap.

Every field says its variable, unit, default and meaning; ``docs/configuration.md`` and ``.env.example`` are generated
from ``sections`` (``kanal export configuration``).
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kanal.kit.crypto import MINIMUM_KEY_LENGTH
from kanal.settings.sections import (
    DataSettings,
    HttpSettings,
    LogSettings,
    MailSettings,
    RealtimeSettings,
    SecuritySettings,
    ServerSettings,
)
from kanal.settings.values import SettingsError, setting

__all__ = ["SECTIONS", "ServerSettings", "Settings", "SettingsError", "load", "secret_keys", "setting", "validate"]

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """Everything, built once."""

    http: HttpSettings
    data: DataSettings
    security: SecuritySettings
    mail: MailSettings
    realtime: RealtimeSettings
    server: ServerSettings
    log: LogSettings

    @property
    def broker_url(self) -> str:
        """Empty for this process alone."""
        return self.server.broker_url or self.data.redis_url

    @property
    def broker_prefix(self) -> str:
        return self.server.prefix or self.data.redis_prefix

    @property
    def node_id(self) -> str:
        return self.http.node_id or socket.gethostname()

    @property
    def public_url(self) -> str:
        host = "127.0.0.1" if self.http.host in ("0.0.0.0", "::") else self.http.host  # noqa: S104 - compared, not bound
        scheme = "http" if self.http.tls_certificate is None else "https"
        return (self.http.public_url or f"{scheme}://{host}:{self.http.port}").rstrip("/")

    @property
    def database_url(self) -> str:
        return self.data.database_url or f"sqlite:///{self.data.folder / 'kanal.db'}"

    @property
    def storage_url(self) -> str:
        return self.data.storage_url or f"file://{self.data.folder / 'files'}"


SECTIONS: dict[str, type[Any]] = {
    "http": HttpSettings,
    "data": DataSettings,
    "security": SecuritySettings,
    "mail": MailSettings,
    "realtime": RealtimeSettings,
    "server": ServerSettings,
    "log": LogSettings,
}


BROKERS = (
    *("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
    *("nats", "tls", "memory"),
)
DATABASES = ("sqlite", "mariadb", "mysql", "postgresql")


def load(environment: Mapping[str, str] | None = None, *, env_file: Path | None = None) -> Settings:
    """Read and validate. Raises `SettingsError` naming the variable, also for a ``KANAL_*`` nobody knows."""
    values = dict(_read_env_file(env_file or Path(".env")))
    values.update(os.environ if environment is None else environment)
    known = set()
    built: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        given = {}
        for item in fields(section):
            variable = item.metadata["variable"]
            known.add(variable)
            if values.get(variable, "") != "":
                given[item.name] = _parse(variable, item.metadata["parse"], values[variable])
        built[name] = section(**given)
    for variable in values:
        if variable.startswith("KANAL_") and variable not in known and not variable.startswith("KANAL_TEST_"):
            raise SettingsError(f"{variable}: there is no such setting (see docs/configuration.md)")
    settings = Settings(**built)
    validate(settings)
    return settings


def _parse(variable: str, parse: Callable[[str], T], value: str) -> T:
    try:
        return parse(value)
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.removeprefix("export ").partition("=")
        if not separator:
            raise SettingsError(f"{path}:{number}: not of the form NAME=value")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def validate(settings: Settings) -> None:
    """What one field alone cannot tell. Raises `SettingsError`."""
    for key in settings.security.secret_keys:
        if len(key) < MINIMUM_KEY_LENGTH:
            raise SettingsError(f"KANAL_SECRET_KEYS: each key needs at least {MINIMUM_KEY_LENGTH} characters")
    url = settings.http.public_url
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
        raise SettingsError("KANAL_PUBLIC_URL: must look like https://chat.example.com")
    _check_address("KANAL_DATABASE_URL", settings.data.database_url, DATABASES)
    if settings.data.database_url.startswith("sqlite") and not urlsplit(settings.data.database_url).path.strip("/"):
        raise SettingsError("KANAL_DATABASE_URL: SQLite needs a file: sqlite:////absolute/path")
    _check_address("KANAL_STORAGE_URL", settings.data.storage_url, ("file", "s3"))
    _check_address("KANAL_REDIS_URL", settings.data.redis_url, ("redis", "rediss", "unix"))
    _check_address("KANAL_SMTP_URL", settings.mail.smtp_url, ("smtp", "smtps"))
    prefix = settings.data.table_prefix
    if prefix and not (prefix.replace("_", "a").isalnum() and prefix[0].isalpha() and len(prefix) <= 20):
        raise SettingsError("KANAL_TABLE_PREFIX: letters, digits and _, at most 20, starting with a letter")
    if settings.data.version_table and not settings.data.version_table.replace("_", "a").isalnum():
        raise SettingsError("KANAL_VERSION_TABLE: letters, digits and _ only")
    embedded = not settings.data.database_url or settings.data.database_url.startswith("sqlite")
    if not settings.security.secret_keys and not embedded:
        raise SettingsError("KANAL_SECRET_KEYS: needed with a database server, the same on every node")
    if not settings.realtime.app_id.isdigit():
        raise SettingsError("KANAL_APP_ID: digits only")
    if settings.http.tls_key is not None and settings.http.tls_certificate is None:
        raise SettingsError("KANAL_TLS_CERTIFICATE: needed with KANAL_TLS_KEY")
    _check_server(settings.server)


def _check_server(server: ServerSettings) -> None:
    scheme = server.broker_url.partition(":")[0]
    if server.broker_url and (":" not in server.broker_url or scheme not in BROKERS):
        raise SettingsError("KANAL_REALTIME_BROKER_URL: must begin with " + ", ".join(f"{each}:" for each in BROKERS))
    one_app = {
        "KANAL_REALTIME_APP_ID": server.app_id,
        "KANAL_REALTIME_APP_KEY": server.app_key,
        "KANAL_REALTIME_APP_SECRET": server.app_secret,
    }
    missing = [variable for variable, value in one_app.items() if not value]
    if missing and len(missing) < len(one_app):
        raise SettingsError(f"{missing[0]}: an app needs id, key and secret")


def _check_address(variable: str, url: str, schemes: tuple[str, ...]) -> None:
    """Without repeating the address: it may hold a password."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None
    if parts.scheme not in schemes or "://" not in url:
        raise SettingsError(f"{variable}: must begin with " + " or ".join(f"{s}://" for s in schemes))


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The configured keys, or the one kept in the data folder, made there on first use (mode 600).

    Raises ``OSError`` when the folder cannot be written.
    """
    if settings.security.secret_keys:
        return settings.security.secret_keys
    path = settings.data.folder / "secret.key"
    try:
        return (path.read_text().strip(),)
    except FileNotFoundError:
        key = secrets.token_urlsafe(48)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
        return (key,)
