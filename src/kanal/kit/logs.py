"""Logs: one line per event to stderr, JSON or pretty, with request id, node and workspace."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from kanal.kit.request import current_request

SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "csrf")
# asyncmy repeats every note of the server; what matters is an error in strict mode.
LIBRARIES = {
    "asyncmy": logging.ERROR,
    "uvicorn": logging.WARNING,
    "asyncio": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
}


def configure(*, level: str, format_: str, node: str) -> None:
    """Set up structlog and the standard library's logging alike. ``format_``: json, pretty or auto."""
    pretty = format_ == "pretty" or (format_ == "auto" and sys.stderr.isatty())

    def add_node(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event["node"] = node
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        add_node,
        add_request,
        hide_secrets,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Without the frames' variables: among them are cookies, tokens and what people wrote.
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if pretty
        else [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in LIBRARIES.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def add_request(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Which request this line belongs to, and in which workspace."""
    request = current_request()
    if request is not None:
        event["request_id"] = request.id
        if request.workspace_id is not None:
            event["workspace"] = request.workspace_id
    return event


def hide_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """A value whose name sounds secret never reaches a log, whoever put it there."""
    for key in event:
        if any(word in key.lower() for word in SECRET_WORDS):
            event[key] = "***"
    return event
