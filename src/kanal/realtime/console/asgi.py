"""The console for holders of the token: ``/console`` and what is below it, without database or web framework.

``GET /console`` is the page. Below ``/console/api``: ``session`` (GET says whether this browser is signed in, POST
``{"token"}`` signs in, DELETE out), ``state``, ``channels?app&search&sort&offset&limit``, ``tail?app&channel``. Errors have
the form and the languages of Kanal's API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, get_args
from urllib.parse import parse_qs

import msgspec
import structlog

from kanal.kit.errors import KanalError, Kind
from kanal.kit.i18n import Catalog, negotiate
from kanal.realtime.console import errors
from kanal.realtime.console.access import COOKIE, LIFETIME, Access
from kanal.realtime.console.figures import MAX_LIMIT, MAX_OFFSET, Sort
from kanal.realtime.console.service import Console

PATH = "/console"
MAX_BODY = 4_096
STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.NOT_FOUND: 404,
    Kind.METHOD: 405,
    Kind.TOO_LARGE: 413,
    Kind.UNPROCESSABLE: 422,
    Kind.RATE_LIMITED: 429,
}

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Told = Callable[[str, str, str], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_PRIVATE: Headers = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

log = structlog.get_logger(__name__)


class _SignIn(msgspec.Struct):
    token: str


async def note_tail(app_id: str, channel: str, address: str) -> None:
    """Who reads what passes on a channel leaves a line in the log."""
    log.info("console.tailed", app=app_id, channel=channel, address=address)


def peer_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


class ConsoleApp:
    """Answers what is below ``/console``; everything else goes on to ``rest``.

    ``page`` serves the page and its files, if they were built. ``told`` is called with app, channel and address before
    anybody's tail begins. ``address_of`` says where a request comes from, for a server behind proxies.
    """

    def __init__(
        self,
        console: Console,
        access: Access,
        rest: ASGIApp,
        *,
        page: ASGIApp | None = None,
        told: Told = note_tail,
        address_of: Callable[[Scope], str] = peer_of,
    ) -> None:
        self._console = console
        self._access = access
        self._rest = rest
        self._page = page or rest
        self._told = told
        self._address_of = address_of
        self._texts = Catalog(["kanal.kit", "kanal.realtime"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or (path != PATH and not path.startswith(PATH + "/")):
            await self._rest(scope, receive, send)
        elif not path.startswith(PATH + "/api/"):
            await self._page(scope, receive, send)
        else:
            try:
                await self._answer(path.removeprefix(PATH + "/api/"), scope, receive, send)
            except KanalError as error:
                await self._refuse(error, scope, send)

    async def _answer(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        if name == "session":
            await self._session(scope, receive, send)
            return
        if name not in ("state", "channels", "tail"):
            raise KanalError("not_found", Kind.NOT_FOUND)
        if scope["method"] != "GET":
            raise KanalError("method.not_allowed", Kind.METHOD)
        if not self._is_admitted(scope):
            raise errors.unauthorized()
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        asked = {key: values[-1] for key, values in query.items()}
        if name == "state":
            await _respond(send, 200, msgspec.json.encode(await self._console.state()))
        elif name == "channels":
            await _respond(send, 200, await self._channels(asked))
        else:
            await self._tail(asked, scope, receive, send)

    # Signing in

    def _is_admitted(self, scope: Scope) -> bool:
        """Raises ``console.throttled``."""
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            return self._access.holds(token.strip(), self._address_of(scope))
        return self._access.is_signed_in(_cookie(headers))

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "GET":
            await _respond(send, 200, msgspec.json.encode({"signed_in": self._is_admitted(scope)}))
        elif method == "POST":
            try:
                given = msgspec.json.decode(await _body(receive), type=_SignIn)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                raise KanalError("request.invalid", Kind.INVALID) from error
            if not self._access.holds(given.token, self._address_of(scope)):
                log.warning("console.refused", address=self._address_of(scope))
                raise errors.wrong_token()
            await _respond(send, 204, b"", [_set_cookie(scope, self._access.sign_in(), LIFETIME)])
        elif method == "DELETE":
            await _respond(send, 204, b"", [_set_cookie(scope, "", 0)])
        else:
            raise KanalError("method.not_allowed", Kind.METHOD)

    # Questions

    async def _channels(self, asked: dict[str, str]) -> bytes:
        sort: Any = asked.get("sort", "rate")
        if sort not in get_args(Sort):
            raise KanalError("request.invalid", Kind.INVALID, fields={"sort": "field.invalid"})
        page = await self._console.channels(
            asked.get("app", ""),
            search=asked.get("search", ""),
            sort=sort,
            offset=_number(asked, "offset", 0, 0, MAX_OFFSET),
            limit=_number(asked, "limit", 50, 1, MAX_LIMIT),
        )
        return bytes(msgspec.json.encode(page))

    async def _tail(self, asked: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        app_id, channel = asked.get("app", ""), asked.get("channel", "")
        self._console.check_tail(app_id, channel)
        await self._told(app_id, channel, self._address_of(scope))
        cookie = _cookie(dict(scope["headers"]))
        headers = [(b"content-type", b"text/event-stream"), *_PRIVATE, (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def stream() -> None:
            async with aclosing(self._console.tail(app_id, channel)) as chunks:
                async for chunk in chunks:
                    if cookie and not self._access.is_signed_in(cookie):
                        break  # it has run out meanwhile
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                continue

        await _first_of(stream(), until_gone())

    # Refusing

    async def _refuse(self, error: KanalError, scope: Scope, send: Send) -> None:
        locale = negotiate(dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1"))
        detail: dict[str, Any] = {
            "code": error.code,
            "message": self._texts.text(locale, error.code, **error.params),
            "request_id": "",
        }
        headers: Headers = [(b"content-language", locale.encode())]
        if error.fields:
            detail["fields"] = {name: [self._texts.text(locale, code)] for name, code in error.fields.items()}
        if error.retry_after is not None:
            detail["retry_after"] = error.retry_after
            headers.append((b"retry-after", str(error.retry_after).encode()))
        await _respond(send, STATUS[error.kind], msgspec.json.encode({"error": detail}), headers)


async def _first_of(*work: Any) -> None:
    """Run them side by side until one ends, and end the others. Raises what the first one raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _respond(send: Send, status: int, body: bytes, headers: Headers | None = None) -> None:
    content = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    sent = [*(content if status != 204 else []), *_PRIVATE, *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    """Raises ``request.too_large``."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise KanalError("request.too_large", Kind.TOO_LARGE, params={"limit": f"{MAX_BODY} B"})
        if not message.get("more_body"):
            return bytes(body)


def _cookie(headers: dict[bytes, bytes]) -> str:
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _set_cookie(scope: Scope, value: str, seconds: int) -> tuple[bytes, bytes]:
    """``Secure`` wherever it can be: a header that lies about TLS only harms whoever sends it."""
    forwarded = dict(scope["headers"]).get(b"x-forwarded-proto", b"")
    secure = "; Secure" if scope.get("scheme") == "https" or forwarded == b"https" else ""
    cookie = f"{COOKIE}={value}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", cookie.encode()


def _number(asked: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    """Raises ``request.invalid``."""
    text = asked.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not least <= int(text) <= most:
        raise KanalError("request.invalid", Kind.INVALID, fields={name: "field.invalid"})
    return int(text)
