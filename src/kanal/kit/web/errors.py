"""From any exception to the one JSON form of an error, in the caller's language.

``{"error": {"code", "message", "fields"?, "request_id", "retry_after"?}}``. A failure nobody foresaw answers 500 with
its request id; its trace is in the log and never in the answer.
"""

from __future__ import annotations

import re
import traceback
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import ExceptionHandlersMap

from kanal.kit import i18n
from kanal.kit.db import is_conflict
from kanal.kit.errors import KanalError, Kind
from kanal.kit.request import current_request

log = structlog.get_logger(__name__)

STATUS = {
    Kind.INVALID: 400,
    Kind.UNPROCESSABLE: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.METHOD: 405,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.RATE_LIMITED: 429,
    Kind.UPSTREAM: 502,
    Kind.UNAVAILABLE: 503,
    Kind.INTERNAL: 500,
}


class ErrorDetail(msgspec.Struct, omit_defaults=True):
    """``fields`` maps a field's name to the texts of what is wrong with it."""

    code: str
    message: str
    request_id: str
    fields: dict[str, list[str]] | None = None
    retry_after: int | None = None


class ErrorAnswer(msgspec.Struct):
    """Every error of the API."""

    error: ErrorDetail


def answer(error: KanalError, catalog: i18n.Catalog) -> Response[ErrorAnswer]:
    """The response for an error, in the language of the current request."""
    context = current_request()
    locale = context.locale if context else i18n.DEFAULT
    fields = {f: [catalog.text(locale, c, **error.params)] for f, c in error.fields.items()} or None
    detail = ErrorDetail(
        error.code,
        catalog.text(locale, error.code, **error.params),
        context.id if context else "",
        fields,
        error.retry_after,
    )
    headers = {"cache-control": "no-store", "content-language": locale}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return Response(ErrorAnswer(detail), status_code=STATUS[error.kind], headers=headers, media_type="application/json")


def exception_handlers(catalog: i18n.Catalog, *, max_body: int = 1_000_000) -> ExceptionHandlersMap:
    """Handlers for Litestar; ``max_body`` in bytes is named when a body is larger."""

    def known(_request: Request[Any, Any, Any], error: KanalError) -> Response[ErrorAnswer]:
        return answer(error, catalog)

    def framework(_request: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorAnswer]:
        return answer(translate(error, max_body), catalog)

    def unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorAnswer]:
        if _in_decoding(error):
            return answer(KanalError("request.invalid", Kind.INVALID), catalog)
        if is_conflict(error):
            log.warning("http.conflict", path=request.url.path, method=request.method, exc_info=error)
            return answer(KanalError("service.unavailable", Kind.UNAVAILABLE, retry_after=1), catalog)
        log.error("http.failed", path=request.url.path, method=request.method, exc_info=error)
        return answer(KanalError("internal", Kind.INTERNAL), catalog)

    return {KanalError: known, HTTPException: framework, Exception: unforeseen}


def _in_decoding(error: Exception) -> bool:
    """A body that is not UTF-8, or nested beyond reason: the framework's decoder lets these two through as they are."""
    if not isinstance(error, UnicodeDecodeError | RecursionError):
        return False
    return any(frame.f_code.co_name == "decode_json" for frame, _ in traceback.walk_tb(error.__traceback__))


def translate(error: HTTPException, max_body: int) -> KanalError:
    """The framework's own refusals, in our words."""
    if isinstance(error, ValidationException):
        return KanalError("request.invalid", Kind.INVALID, fields=_fields(error))
    if isinstance(error, MethodNotAllowedException):
        return KanalError("method.not_allowed", Kind.METHOD)
    if isinstance(error, NotFoundException):
        return KanalError("not_found", Kind.NOT_FOUND)
    if error.status_code == 413:
        return KanalError("request.too_large", Kind.TOO_LARGE, params={"limit": f"{max_body / 1_000_000:g} MB"})
    if isinstance(error, ClientException) or error.status_code < 500:
        return KanalError("request.invalid", Kind.INVALID)
    if error.status_code == 503:
        return KanalError("service.unavailable", Kind.UNAVAILABLE)
    log.error("http.framework_failed", status=error.status_code, exc_info=error)
    return KanalError("internal", Kind.INTERNAL)


_FIELD_CODES = (
    ("missing required", "field.missing"),
    ("unknown field", "field.unknown"),
    ("length <=", "field.too_long"),
    ("length >=", "field.too_short"),
)
_QUOTED = re.compile(r"field `([^`]+)`")


def _fields(error: ValidationException) -> dict[str, str]:
    """msgspec and Litestar name the field in ``key`` or, for missing and unknown ones, in the text."""
    found: dict[str, str] = {}
    for item in error.extra if isinstance(error.extra, list) else []:
        if not isinstance(item, dict):
            continue
        message = str(item.get("message", ""))
        quoted = _QUOTED.search(message)
        name = quoted.group(1) if quoted else str(item.get("key") or "")
        code = next((c for text, c in _FIELD_CODES if text in message), "field.invalid")
        if name:
            found[name] = code
    return found
