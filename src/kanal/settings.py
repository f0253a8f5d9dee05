"""Settings: read once from ``KANAL_*`` (and ``.env``), validated before anything starts, passed down from bootstrap.

Every field says its variable, unit, default and meaning; ``docs/configuration.md`` and ``.env.example`` are generated
from here (``kanal export configuration``).
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kanal.kit.crypto import MINIMUM_KEY_LENGTH
from kanal.kit.request import Network

MINIMUM_TOKEN_LENGTH = 16  # characters of a token that people choose: nobody guesses it within the limits on guessing

T = TypeVar("T")


class SettingsError(Exception):
    """One line that names the variable and what is wrong with it."""


def setting(variable: str, parse: Callable[[str], Any], default: Any, doc: str, *, shown: str | None = None) -> Any:
    """A documented field. ``shown`` is the default as the docs print it."""
    return field(default=default, metadata={"variable": variable, "parse": parse, "doc": doc, "shown": shown})


def _text(value: str) -> str:
    return value.strip()


def _port(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 65535:
        raise ValueError("a port is between 0 and 65535")
    return number


def _positive(value: str) -> int:
    number = int(value)
    if number <= 0:
        raise ValueError("must be more than 0")
    return number


def _flag(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return known[value.strip().lower()]
    except KeyError:
        raise ValueError("use true or false") from None


def _folder(value: str) -> Path:
    return Path(value).expanduser().resolve()


def _words(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ip_network(part) for part in _words(value))


def _none_or_positive(value: str) -> int | None:
    number = int(value)
    if number < 0:
        raise ValueError("must be 0 or more")
    return number or None


def _seconds(value: str) -> float:
    number = float(value)
    if not 0 <= number <= 86_400:
        raise ValueError("must be between 0 and 86400 seconds")
    return number


def _long_secret(value: str) -> str:
    secret = value.strip()
    if len(secret) < MINIMUM_TOKEN_LENGTH:
        raise ValueError(f"needs at least {MINIMUM_TOKEN_LENGTH} characters")
    return secret


def _minutes(value: str) -> timedelta:
    return timedelta(minutes=_positive(value))


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError("use one of: " + ", ".join(allowed))
        return value

    return parse


@dataclass(frozen=True)
class HttpSettings:
    """Where the program listens and what it believes of those who connect."""

    host: str = setting("KANAL_HOST", _text, "127.0.0.1", "Address to listen on; 0.0.0.0 for every interface.")
    port: int = setting("KANAL_PORT", _port, 8000, "Port of HTTP and WebSocket.")
    public_url: str = setting(
        "KANAL_PUBLIC_URL",
        _text,
        "",
        "Address people open in their browser, for links in e-mails. With https the cookies are marked Secure.",
        shown="http://HOST:PORT",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "KANAL_TRUSTED_PROXIES",
        _networks,
        (),
        "Networks of your own proxies, comma separated; only from them X-Forwarded-For is believed.",
        shown="none",
    )
    node_id: str = setting(
        "KANAL_NODE_ID",
        _text,
        "",
        "Name of this node in logs, metrics and the X-Node-ID header.",
        shown="the host name",
    )
    max_body: int = setting("KANAL_MAX_BODY", _positive, 1_000_000, "Largest JSON request body, bytes.")
    tls_certificate: Path | None = setting(
        "KANAL_TLS_CERTIFICATE",
        _folder,
        None,
        "Certificate chain, PEM. With it the port speaks TLS; read again at SIGHUP.",
        shown="none: TLS is a proxy's business",
    )
    tls_key: Path | None = setting(
        "KANAL_TLS_KEY", _folder, None, "Its private key, PEM.", shown="in KANAL_TLS_CERTIFICATE"
    )


@dataclass(frozen=True)
class DataSettings:
    """Where data lives."""

    folder: Path = setting(
        "KANAL_DATA",
        _folder,
        Path("data").resolve(),
        "Folder of everything embedded: SQLite, files, key.",
        shown="./data",
    )
    database_url: str = setting(
        "KANAL_DATABASE_URL",
        _text,
        "",
        "sqlite:////path, mariadb://, mysql:// or postgresql://user:password@host/name.",
        shown="SQLite in KANAL_DATA",
    )
    table_prefix: str = setting(
        "KANAL_TABLE_PREFIX", _text, "", "Put before every table name, for a database shared with others.", shown="none"
    )
    version_table: str = setting(
        "KANAL_VERSION_TABLE", _text, "kanal_version", "Table that remembers which migrations have run."
    )
    pool_size: int = setting("KANAL_DATABASE_POOL", _positive, 10, "Database connections kept open per process.")
    storage_url: str = setting(
        "KANAL_STORAGE_URL", _text, "", "Files: file:///folder or s3://bucket/prefix.", shown="a folder in KANAL_DATA"
    )
    redis_url: str = setting(
        "KANAL_REDIS_URL", _text, "", "redis://host:6379/0; needed as soon as there are two nodes.", shown="none"
    )
    redis_prefix: str = setting("KANAL_REDIS_PREFIX", _text, "kanal:", "Put before every key and channel in Redis.")


@dataclass(frozen=True)
class SecuritySettings:
    """Secrets and how long sign-ins last."""

    secret_keys: tuple[str, ...] = setting(
        "KANAL_SECRET_KEYS",
        _words,
        (),
        f"Keys of at least {MINIMUM_KEY_LENGTH} characters, comma separated, newest first; equal on all nodes.",
        shown="made once, kept in KANAL_DATA/secret.key",
    )
    session_idle: timedelta = setting(
        "KANAL_SESSION_IDLE_MINUTES",
        _minutes,
        timedelta(days=7),
        "A sign-in ends after this long without use, minutes.",
        shown="10080",
    )
    session_lifetime: timedelta = setting(
        "KANAL_SESSION_LIFETIME_MINUTES",
        _minutes,
        timedelta(days=30),
        "A sign-in ends after this long, minutes.",
        shown="43200",
    )
    allow_registration: bool = setting(
        "KANAL_ALLOW_REGISTRATION", _flag, True, "Whether strangers may create accounts; invitations always work."
    )


@dataclass(frozen=True)
class MailSettings:
    """Outgoing e-mail. Without a server, links are logged and shown on the admin's page."""

    smtp_url: str = setting(
        "KANAL_SMTP_URL",
        _text,
        "",
        "smtp://user:password@host:587 (STARTTLS when offered) or smtps://host:465.",
        shown="none",
    )
    sender: str = setting("KANAL_MAIL_FROM", _text, "Kanal <kanal@localhost>", "The From address.")


@dataclass(frozen=True)
class RealtimeSettings:
    """Kanal's own application on the Pusher-protocol server."""

    app_id: str = setting("KANAL_APP_ID", _text, "1", "Id of Kanal's own app; digits, as some Pusher SDKs insist.")
    app_key: str = setting(
        "KANAL_APP_KEY", _text, "", "Public key in the socket address /app/{key}.", shown="derived from the secret key"
    )
    app_secret: str = setting(
        "KANAL_APP_SECRET", _text, "", "Secret that signs channel grants.", shown="derived from the secret key"
    )
    allowed_origins: tuple[str, ...] = setting(
        "KANAL_ALLOWED_ORIGINS",
        _words,
        (),
        "Other origins whose pages may open sockets, comma separated.",
        shown="none",
    )


@dataclass(frozen=True)
class ServerSettings:
    """The Pusher-protocol server of `kanal serve`, `kanal web` and `kanal realtime`, for Kanal and for other applications."""

    apps_file: Path | None = setting(
        "KANAL_REALTIME_APPS_FILE",
        _folder,
        None,
        "Apps in TOML or JSON (docs/realtime-api.md); changes are taken while the server runs.",
        shown="none",
    )
    apps: str = setting("KANAL_REALTIME_APPS", _text, "", "Apps as a JSON list, as in the file.", shown="none")
    app_id: str = setting("KANAL_REALTIME_APP_ID", _text, "", "One app for another application: its id.", shown="none")
    app_key: str = setting("KANAL_REALTIME_APP_KEY", _text, "", "Its key.", shown="none")
    app_secret: str = setting("KANAL_REALTIME_APP_SECRET", _text, "", "Its secret.", shown="none")
    broker_url: str = setting(
        "KANAL_REALTIME_BROKER_URL",
        _text,
        "",
        "What joins several nodes: redis://host:6379/0, redis+sentinel://host:26379/service, redis+cluster://host:6379, "
        "nats://host:4222, or memory: for one node alone.",
        shown="KANAL_REDIS_URL",
    )
    prefix: str = setting(
        "KANAL_REALTIME_PREFIX", _text, "", "Put before everything in the broker.", shown="KANAL_REDIS_PREFIX"
    )
    max_connections: int | None = setting(
        "KANAL_REALTIME_MAX_CONNECTIONS", _none_or_positive, None, "Sockets of this node; 0 for any number.", shown="0"
    )
    max_buffered: int = setting(
        "KANAL_REALTIME_MAX_BUFFERED",
        _positive,
        1_048_576,
        "Bytes that may wait for one slow reader, who is closed (4100) beyond that.",
    )
    request_timeout: float = setting(
        "KANAL_REALTIME_REQUEST_TIMEOUT",
        _seconds,
        10.0,
        "Time for a handshake or a call of the HTTP API to arrive whole, seconds.",
    )
    max_head: int = setting("KANAL_REALTIME_MAX_HEAD", _positive, 16_384, "Largest head of a handshake, bytes.")
    drain_window: float = setting(
        "KANAL_REALTIME_DRAIN_WINDOW",
        _seconds,
        5.0,
        "At SIGTERM clients are sent elsewhere evenly over at most this time, seconds.",
    )
    metrics: bool = setting(
        "KANAL_REALTIME_METRICS", _flag, True, "Whether `kanal realtime` answers /metrics (`kanal serve` always does)."
    )
    webhooks_private: bool = setting(
        "KANAL_REALTIME_WEBHOOKS_PRIVATE",
        _flag,
        True,
        "Whether apps' webhooks may go to addresses that the internet does not reach; false where strangers make apps.",
    )
    console_token: str = setting(
        "KANAL_REALTIME_CONSOLE_TOKEN",
        _long_secret,
        "",
        "Whoever has it sees the console: the page at /console, and `kanal realtime top`. At least 16 characters; "
        "the same on every node.",
        shown="none: no console",
    )


@dataclass(frozen=True)
class LogSettings:
    """Logs go to stderr."""

    level: str = setting(
        "KANAL_LOG_LEVEL", _one_of("debug", "info", "warning", "error"), "info", "debug, info, warning or error."
    )
    format: str = setting(
        "KANAL_LOG_FORMAT", _one_of("auto", "json", "pretty"), "auto", "json, pretty, or auto: pretty on a terminal."
    )
    slow_query: int = setting("KANAL_SLOW_QUERY_MS", _positive, 100, "Statements slower than this are logged, ms.")


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
    *("nats", "memory"),
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
