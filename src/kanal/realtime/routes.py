"""The endpoints that Pusher clients ask: ``POST /broadcasting/auth`` before they subscribe, ``POST /broadcasting/user-auth``
before they sign in.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from kanal.kit.errors import KanalError, Kind, forbidden
from kanal.realtime.apps import App
from kanal.realtime.authorizers import ChannelAuthorizers, UserGrant, sign_grant, sign_user_grant
from kanal.realtime.protocol.errors import InvalidChannelName
from kanal.realtime.protocol.names import parse_channel_name

MAX_CHANNELS = 100  # names in one request

_SOCKET_ID = re.compile(r"\d{1,20}\.\d{1,20}")
_FORM = "application/x-www-form-urlencoded"

CallerT = TypeVar("CallerT")
QuestionT = TypeVar("QuestionT", bound="UserQuestion")


class UserQuestion(msgspec.Struct):
    """Unknown keys are ignored: clients may add parameters of their own."""

    socket_id: str


class Question(UserQuestion):
    """One channel, or many at once."""

    channel_name: str | None = None
    channel_names: list[str] | None = None


def read_question(content_type: str, body: bytes) -> Question:
    """JSON, or a form as pusher-js sends it (``channel_names`` repeated, with or without ``[]``).

    Raises ``KanalError``: ``request.invalid``.
    """
    question = _read(content_type, body, Question)
    one, many = question.channel_name is not None, question.channel_names is not None
    if one == many or (many and not 0 < len(question.channel_names or ()) <= MAX_CHANNELS):
        raise KanalError("request.invalid", Kind.INVALID, fields={"channel_name": "request.invalid"})
    return question


def _read(content_type: str, body: bytes, shape: type[QuestionT]) -> QuestionT:
    try:
        if content_type.startswith(_FORM):
            question = msgspec.convert(_from_form(body), shape)
        else:
            question = msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        raise KanalError("request.invalid", Kind.INVALID) from error
    if not _SOCKET_ID.fullmatch(question.socket_id):
        raise KanalError("request.invalid", Kind.INVALID, fields={"socket_id": "request.invalid"})
    return question


def _from_form(body: bytes) -> dict[str, Any]:
    fields = parse_qs(body.decode(), strict_parsing=bool(body), max_num_fields=MAX_CHANNELS + 20)
    many = fields.get("channel_names[]", fields.get("channel_names"))
    content = {"socket_id": fields.get("socket_id", [None])[-1], "channel_names": many}
    if "channel_name" in fields:
        content["channel_name"] = fields["channel_name"][-1]
    return content


async def _answer(
    app: App, authorizers: ChannelAuthorizers[CallerT], caller: CallerT, socket_id: str, channel: str
) -> dict[str, str] | None:
    try:
        needs_auth = parse_channel_name(channel).needs_auth
    except InvalidChannelName:
        return None
    grant = await authorizers.authorize(caller, channel) if needs_auth else None
    return None if grant is None else sign_grant(app, socket_id, channel, grant)


def broadcasting_auth(
    app: App,
    authorizers: ChannelAuthorizers[CallerT],
    identify: Callable[[Request[Any, Any, Any]], Awaitable[CallerT]],
    *,
    path: str = "/broadcasting/auth",
) -> HTTPRouteHandler:
    """The route handler for one app.

    ``identify`` says who calls, and raises ``KanalError`` when nobody does. One channel: 200 with the signed grant or
    403 ``permission.denied``. Several: 200 ``{"channels": {name: {"status": 200, "data": …} | {"status": 403}}}``.
    """

    @post(path, status_code=200, include_in_schema=False, name="broadcasting.auth")
    async def handler(request: Request[Any, Any, Any]) -> Response[bytes]:
        caller = await identify(request)
        question = read_question(request.headers.get("content-type", ""), await request.body())
        if question.channel_name is not None:
            signed = await _answer(app, authorizers, caller, question.socket_id, question.channel_name)
            if signed is None:
                raise forbidden()
            return _json(signed)
        channels: dict[str, Any] = {}
        for channel in question.channel_names or ():
            signed = await _answer(app, authorizers, caller, question.socket_id, channel)
            channels[channel] = {"status": 403} if signed is None else {"status": 200, "data": signed}
        return _json({"channels": channels})

    return handler


def user_auth(
    app: App,
    identify: Callable[[Request[Any, Any, Any]], Awaitable[UserGrant]],
    *,
    path: str = "/broadcasting/user-auth",
) -> HTTPRouteHandler:
    """The route handler that lets callers of one app sign in: 200 ``{"auth", "user_data"}``.

    ``identify`` says who calls, and raises ``KanalError`` when nobody does.
    """

    @post(path, status_code=200, include_in_schema=False, name="broadcasting.user_auth")
    async def handler(request: Request[Any, Any, Any]) -> Response[bytes]:
        grant = await identify(request)
        question = _read(request.headers.get("content-type", ""), await request.body(), UserQuestion)
        return _json(sign_user_grant(app, question.socket_id, grant))

    return handler


def _json(content: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(content), media_type="application/json", headers={"cache-control": "no-store"})
