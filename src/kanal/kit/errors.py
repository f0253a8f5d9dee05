"""The one error type of Kanal.

An error carries a stable ``code`` (``room.not_found``) and a ``kind``. HTTP, WebSocket and CLI each hold one table from
kind to their own representation; the text a person reads is looked up by code in the locale of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What sort of failure this is, apart from which transport reports it."""

    INVALID = "invalid"
    UNPROCESSABLE = "unprocessable"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD = "method"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    UPSTREAM = "upstream"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class KanalError(Exception):
    """A failure with a name.

    ``params`` fill the placeholders of the localised text; ``fields`` maps a field of the request to the code of what
    is wrong with it; ``retry_after`` is in seconds.
    """

    def __init__(
        self,
        code: str,
        kind: Kind,
        *,
        params: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.kind = kind
        self.params = dict(params or {})
        self.fields = dict(fields or {})
        self.retry_after = retry_after


def not_found(what: str) -> KanalError:
    """``room`` becomes ``room.not_found``."""
    return KanalError(f"{what}.not_found", Kind.NOT_FOUND)


def forbidden(code: str = "permission.denied", **params: Any) -> KanalError:
    return KanalError(code, Kind.FORBIDDEN, params=params)


def conflict(code: str, **params: Any) -> KanalError:
    return KanalError(code, Kind.CONFLICT, params=params)


def unprocessable(code: str, *, fields: Mapping[str, str] | None = None, **params: Any) -> KanalError:
    """A body that is well formed but breaks a rule; ``fields`` says which field and why."""
    return KanalError(code, Kind.UNPROCESSABLE, fields=fields, params=params)


def field_error(field: str, code: str, **params: Any) -> KanalError:
    """One field that breaks a rule: the error's own code is ``request.unprocessable``."""
    return KanalError("request.unprocessable", Kind.UNPROCESSABLE, fields={field: code}, params=params)


def rate_limited(code: str, retry_after: int) -> KanalError:
    return KanalError(code, Kind.RATE_LIMITED, params={"seconds": retry_after}, retry_after=retry_after)
