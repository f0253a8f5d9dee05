"""How a setting is declared, and how its text becomes a value. Parsers raise ``ValueError``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from kanal.kit.request import Network

MINIMUM_TOKEN_LENGTH = 16  # characters of a token that people choose: nobody guesses it within the limits on guessing


class SettingsError(Exception):
    """One line that names the variable and what is wrong with it."""


def setting(variable: str, parse: Callable[[str], Any], default: Any, doc: str, *, shown: str | None = None) -> Any:
    """A documented field. ``shown`` is the default as the docs print it."""
    return field(default=default, metadata={"variable": variable, "parse": parse, "doc": doc, "shown": shown})


def text(value: str) -> str:
    return value.strip()


def port(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 65535:
        raise ValueError("a port is between 0 and 65535")
    return number


def positive(value: str) -> int:
    number = int(value)
    if number <= 0:
        raise ValueError("must be more than 0")
    return number


def flag(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return known[value.strip().lower()]
    except KeyError:
        raise ValueError("use true or false") from None


def folder(value: str) -> Path:
    return Path(value).expanduser().resolve()


def words(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def networks(value: str) -> tuple[Network, ...]:
    return tuple(ip_network(part) for part in words(value))


def none_or_positive(value: str) -> int | None:
    number = int(value)
    if number < 0:
        raise ValueError("must be 0 or more")
    return number or None


def seconds(value: str) -> float:
    number = float(value)
    if not 0 <= number <= 86_400:
        raise ValueError("must be between 0 and 86400 seconds")
    return number


def long_secret(value: str) -> str:
    secret = value.strip()
    if len(secret) < MINIMUM_TOKEN_LENGTH:
        raise ValueError(f"needs at least {MINIMUM_TOKEN_LENGTH} characters")
    return secret


def minutes(value: str) -> timedelta:
    return timedelta(minutes=positive(value))


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError("use one of: " + ", ".join(allowed))
        return value

    return parse
