"""Every setting: its variable, unit, default and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from kanal.kit.crypto import MINIMUM_KEY_LENGTH
from kanal.kit.request import Network
from kanal.settings.values import (
    flag,
    folder,
    long_secret,
    minutes,
    networks,
    none_or_positive,
    one_of,
    port,
    positive,
    seconds,
    setting,
    text,
    words,
)


@dataclass(frozen=True)
class HttpSettings:
    """Where the program listens and what it believes of those who connect."""

    host: str = setting("KANAL_HOST", text, "127.0.0.1", "Address to listen on; 0.0.0.0 for every interface.")
    port: int = setting("KANAL_PORT", port, 8000, "Port of HTTP and WebSocket.")
    public_url: str = setting(
        "KANAL_PUBLIC_URL",
        text,
        "",
        "Address people open in their browser, for links in e-mails. With https the cookies are marked Secure.",
        shown="http://HOST:PORT",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "KANAL_TRUSTED_PROXIES",
        networks,
        (),
        "Networks of your own proxies, comma separated; only from them X-Forwarded-For is believed.",
        shown="none",
    )
    node_id: str = setting(
        "KANAL_NODE_ID",
        text,
        "",
        "Name of this node in logs, metrics and the X-Node-ID header.",
        shown="the host name",
    )
    max_body: int = setting("KANAL_MAX_BODY", positive, 1_000_000, "Largest JSON request body, bytes.")
    tls_certificate: Path | None = setting(
        "KANAL_TLS_CERTIFICATE",
        folder,
        None,
        "Certificate chain, PEM. With it the port speaks TLS; read again at SIGHUP.",
        shown="none: TLS is a proxy's business",
    )
    tls_key: Path | None = setting(
        "KANAL_TLS_KEY", folder, None, "Its private key, PEM.", shown="in KANAL_TLS_CERTIFICATE"
    )


@dataclass(frozen=True)
class DataSettings:
    """Where data lives."""

    folder: Path = setting(
        "KANAL_DATA",
        folder,
        Path("data").resolve(),
        "Folder of everything embedded: SQLite, files, key.",
        shown="./data",
    )
    database_url: str = setting(
        "KANAL_DATABASE_URL",
        text,
        "",
        "sqlite:////path, mariadb://, mysql:// or postgresql://user:password@host/name.",
        shown="SQLite in KANAL_DATA",
    )
    table_prefix: str = setting(
        "KANAL_TABLE_PREFIX", text, "", "Put before every table name, for a database shared with others.", shown="none"
    )
    version_table: str = setting(
        "KANAL_VERSION_TABLE", text, "kanal_version", "Table that remembers which migrations have run."
    )
    pool_size: int = setting("KANAL_DATABASE_POOL", positive, 10, "Database connections kept open per process.")
    storage_url: str = setting(
        "KANAL_STORAGE_URL", text, "", "Files: file:///folder or s3://bucket/prefix.", shown="a folder in KANAL_DATA"
    )
    redis_url: str = setting(
        "KANAL_REDIS_URL", text, "", "redis://host:6379/0; needed as soon as there are two nodes.", shown="none"
    )
    redis_prefix: str = setting("KANAL_REDIS_PREFIX", text, "kanal:", "Put before every key and channel in Redis.")


@dataclass(frozen=True)
class SecuritySettings:
    """Secrets and how long sign-ins last."""

    secret_keys: tuple[str, ...] = setting(
        "KANAL_SECRET_KEYS",
        words,
        (),
        f"Keys of at least {MINIMUM_KEY_LENGTH} characters, comma separated, newest first; equal on all nodes.",
        shown="made once, kept in KANAL_DATA/secret.key",
    )
    session_idle: timedelta = setting(
        "KANAL_SESSION_IDLE_MINUTES",
        minutes,
        timedelta(days=7),
        "A sign-in ends after this long without use, minutes.",
        shown="10080",
    )
    session_lifetime: timedelta = setting(
        "KANAL_SESSION_LIFETIME_MINUTES",
        minutes,
        timedelta(days=30),
        "A sign-in ends after this long, minutes.",
        shown="43200",
    )
    allow_registration: bool = setting(
        "KANAL_ALLOW_REGISTRATION", flag, True, "Whether strangers may create accounts; invitations always work."
    )


@dataclass(frozen=True)
class MailSettings:
    """Outgoing e-mail. Without a server, links are logged and shown on the admin's page."""

    smtp_url: str = setting(
        "KANAL_SMTP_URL",
        text,
        "",
        "smtp://user:password@host:587 (STARTTLS when offered) or smtps://host:465.",
        shown="none",
    )
    sender: str = setting("KANAL_MAIL_FROM", text, "Kanal <kanal@localhost>", "The From address.")


@dataclass(frozen=True)
class RealtimeSettings:
    """Kanal's own application on the Pusher-protocol server."""

    app_id: str = setting("KANAL_APP_ID", text, "1", "Id of Kanal's own app; digits, as some Pusher SDKs insist.")
    app_key: str = setting(
        "KANAL_APP_KEY", text, "", "Public key in the socket address /app/{key}.", shown="derived from the secret key"
    )
    app_secret: str = setting(
        "KANAL_APP_SECRET", text, "", "Secret that signs channel grants.", shown="derived from the secret key"
    )
    allowed_origins: tuple[str, ...] = setting(
        "KANAL_ALLOWED_ORIGINS",
        words,
        (),
        "Other origins whose pages may open sockets, comma separated.",
        shown="none",
    )


@dataclass(frozen=True)
class ServerSettings:
    """The Pusher-protocol server of `kanal serve`, `kanal web` and `kanal realtime`, for Kanal and for other applications."""

    apps_file: Path | None = setting(
        "KANAL_REALTIME_APPS_FILE",
        folder,
        None,
        "Apps in TOML or JSON (docs/realtime-api.md); changes are taken while the server runs.",
        shown="none",
    )
    apps: str = setting("KANAL_REALTIME_APPS", text, "", "Apps as a JSON list, as in the file.", shown="none")
    app_id: str = setting("KANAL_REALTIME_APP_ID", text, "", "One app for another application: its id.", shown="none")
    app_key: str = setting("KANAL_REALTIME_APP_KEY", text, "", "Its key.", shown="none")
    app_secret: str = setting("KANAL_REALTIME_APP_SECRET", text, "", "Its secret.", shown="none")
    broker_url: str = setting(
        "KANAL_REALTIME_BROKER_URL",
        text,
        "",
        "What joins several nodes: redis://host:6379/0, redis+sentinel://host:26379/service, redis+cluster://host:6379, "
        "nats://host:4222, or memory: for one node alone.",
        shown="KANAL_REDIS_URL",
    )
    prefix: str = setting(
        "KANAL_REALTIME_PREFIX", text, "", "Put before everything in the broker.", shown="KANAL_REDIS_PREFIX"
    )
    max_connections: int | None = setting(
        "KANAL_REALTIME_MAX_CONNECTIONS", none_or_positive, None, "Sockets of this node; 0 for any number.", shown="0"
    )
    max_buffered: int = setting(
        "KANAL_REALTIME_MAX_BUFFERED",
        positive,
        1_048_576,
        "Bytes that may wait for one slow reader, who is closed (4100) beyond that.",
    )
    request_timeout: float = setting(
        "KANAL_REALTIME_REQUEST_TIMEOUT",
        seconds,
        10.0,
        "Time for a handshake or a call of the HTTP API to arrive whole, seconds.",
    )
    max_head: int = setting("KANAL_REALTIME_MAX_HEAD", positive, 16_384, "Largest head of a handshake, bytes.")
    drain_window: float = setting(
        "KANAL_REALTIME_DRAIN_WINDOW",
        seconds,
        5.0,
        "At SIGTERM clients are sent elsewhere evenly over at most this time, seconds.",
    )
    metrics: bool = setting(
        "KANAL_REALTIME_METRICS", flag, True, "Whether `kanal realtime` answers /metrics (`kanal serve` always does)."
    )
    webhooks_private: bool = setting(
        "KANAL_REALTIME_WEBHOOKS_PRIVATE",
        flag,
        True,
        "Whether apps' webhooks may go to addresses that the internet does not reach; false where strangers make apps.",
    )
    console_token: str = setting(
        "KANAL_REALTIME_CONSOLE_TOKEN",
        long_secret,
        "",
        "Whoever has it sees the console: the page at /console, and `kanal realtime top`. At least 16 characters; "
        "the same on every node.",
        shown="none: no console",
    )


@dataclass(frozen=True)
class LogSettings:
    """Logs go to stderr."""

    level: str = setting(
        "KANAL_LOG_LEVEL", one_of("debug", "info", "warning", "error"), "info", "debug, info, warning or error."
    )
    format: str = setting(
        "KANAL_LOG_FORMAT", one_of("auto", "json", "pretty"), "auto", "json, pretty, or auto: pretty on a terminal."
    )
    slow_query: int = setting("KANAL_SLOW_QUERY_MS", positive, 100, "Statements slower than this are logged, ms.")
