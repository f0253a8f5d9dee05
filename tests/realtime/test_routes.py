"""POST /broadcasting/auth and POST /broadcasting/user-auth."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from litestar import Litestar, Request, Response
from litestar.testing import AsyncTestClient

from kanal.kit.errors import KanalError, Kind
from kanal.realtime.authorizers import ChannelAuthorizers, ChannelGrant, UserGrant
from kanal.realtime.protocol.signatures import sign_subscription, sign_user
from kanal.realtime.routes import MAX_CHANNELS, broadcasting_auth, user_auth
from tests.realtime.harness import APP

PATH = "/broadcasting/auth"
USER_PATH = "/broadcasting/user-auth"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
Api = AsyncTestClient[Litestar]


async def _identify(request: Request[Any, Any, Any]) -> str:
    if "x-user" not in request.headers:
        raise KanalError("auth.required", Kind.UNAUTHENTICATED)
    return request.headers["x-user"]


async def _decide(caller: str, parameters: Mapping[str, str]) -> ChannelGrant | None:
    return ChannelGrant(caller, {"name": caller}) if parameters["room"] != "closed" else None


def _error(_request: Request[Any, Any, Any], error: KanalError) -> Response[dict[str, str]]:
    return Response({"code": error.code, "kind": error.kind}, status_code=400)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    authorizers: ChannelAuthorizers[str] = ChannelAuthorizers()
    for pattern in ("presence-{room}", "private-{room}", "public-{room}"):
        authorizers.add(pattern, _decide)

    async def grant(request: Request[Any, Any, Any]) -> UserGrant:
        return UserGrant(await _identify(request), {"name": "Ayu"}, ("budi",), ("session:1",))

    handlers = [broadcasting_auth(APP, authorizers, _identify), user_auth(APP, grant)]
    app = Litestar(handlers, exception_handlers={KanalError: _error}, openapi_config=None)
    async with AsyncTestClient(app) as client:
        client.headers["x-user"] = "ayu"
        yield client


def _signed(answer: dict[str, str], channel: str) -> bool:
    return answer["auth"] == sign_subscription(APP.key, APP.secret, "12.34", channel, answer["channel_data"])


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
async def test_one_channel(api: Api, form: bool) -> None:  # F-RT-01
    question = {"socket_id": "12.34", "channel_name": "presence-a", "more": "ignored"}
    body = urlencode(question) if form else json.dumps(question)
    answer = await api.post(PATH, content=body, headers=FORM if form else JSON)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert _signed(answer.json(), "presence-a")
    assert json.loads(answer.json()["channel_data"])["user_id"] == "ayu"


@pytest.mark.parametrize("key", ["channel_names", "channel_names[]", None])
async def test_many_channels_are_answered_one_by_one(api: Api, key: str | None) -> None:
    names = ["presence-a", "private-closed", "public-a", "bad name", "private-b", "unknown"]
    if key is None:
        content, headers = json.dumps({"socket_id": "12.34", "channel_names": names}), JSON
    else:
        content, headers = urlencode([("socket_id", "12.34"), *((key, name) for name in names)]), FORM
    channels = (await api.post(PATH, content=content, headers=headers)).json()["channels"]
    granted = {name for name, answer in channels.items() if answer["status"] == 200}
    assert granted == {"presence-a", "private-b"}
    assert all(_signed(channels[name]["data"], name) for name in granted)
    assert all(channels[name] == {"status": 403} for name in set(names) - granted)


@pytest.mark.parametrize("channel", ["private-closed", "unknown", "public-a", "bad name", ""])
async def test_a_channel_that_is_not_granted_is_forbidden(api: Api, channel: str) -> None:
    answer = await api.post(PATH, json={"socket_id": "12.34", "channel_name": channel})
    assert answer.json() == {"code": "permission.denied", "kind": "forbidden"}


async def test_nobody_is_not_answered(api: Api) -> None:
    del api.headers["x-user"]
    answer = await api.post(PATH, json={"socket_id": "12.34", "channel_name": "private-a"})
    assert answer.json()["code"] == "auth.required"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", JSON),
        (b"", FORM),
        (b"{", JSON),
        (b"[]", JSON),
        (b"\xff", JSON),
        (b"\xff", FORM),
        (b"nonsense", FORM),
        (b"[" * 100_000, JSON),
        (json.dumps({"socket_id": "12.34"}).encode(), JSON),
        (json.dumps({"channel_name": "private-a"}).encode(), JSON),
        (json.dumps({"socket_id": 12.34, "channel_name": "private-a"}).encode(), JSON),
        (json.dumps({"socket_id": "12", "channel_name": "private-a"}).encode(), JSON),
        (json.dumps({"socket_id": "12.34:private-b", "channel_name": "private-a"}).encode(), JSON),
        (json.dumps({"socket_id": "12.34\n", "channel_name": "private-a"}).encode(), JSON),
        (json.dumps({"socket_id": "12.34", "channel_name": None, "channel_names": []}).encode(), JSON),
        (json.dumps({"socket_id": "12.34", "channel_name": "a", "channel_names": ["a"]}).encode(), JSON),
        (json.dumps({"socket_id": "12.34", "channel_names": ["a"] * (MAX_CHANNELS + 1)}).encode(), JSON),
        (urlencode([("socket_id", "1.2"), *(("channel_names[]", "a"),) * (MAX_CHANNELS + 1)]).encode(), FORM),
        (b"a=1&" * 1_000, FORM),
        (b"--x\r\n", {"content-type": "multipart/form-data; boundary=x"}),
    ],
)
async def test_a_bad_question_is_invalid(api: Api, content: bytes, headers: dict[str, str]) -> None:
    answer = await api.post(PATH, content=content, headers=headers)
    assert answer.json() == {"code": "request.invalid", "kind": "invalid"}


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
async def test_signing_in(api: Api, form: bool) -> None:
    question = {"socket_id": "12.34", "more": "ignored"}
    body = urlencode(question) if form else json.dumps(question)
    answer = await api.post(USER_PATH, content=body, headers=FORM if form else JSON)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    signed = answer.json()
    assert signed["auth"] == sign_user(APP.key, APP.secret, "12.34", signed["user_data"])
    user = json.loads(signed["user_data"])
    assert user.pop("issued_at") > 1_700_000_000_000
    assert user == {"id": "ayu", "user_info": {"name": "Ayu"}, "watchlist": ["budi"], "scopes": ["session:1"]}


async def test_nobody_signs_nobody_in(api: Api) -> None:
    del api.headers["x-user"]
    assert (await api.post(USER_PATH, json={"socket_id": "12.34"})).json()["code"] == "auth.required"


@pytest.mark.parametrize("socket_id", [None, "12", "12.34::user::", "12.34\n", 12.34])
async def test_a_sign_in_needs_a_socket(api: Api, socket_id: object) -> None:
    content = {} if socket_id is None else {"socket_id": socket_id}
    answer = await api.post(USER_PATH, json=content)
    assert answer.json() == {"code": "request.invalid", "kind": "invalid"}
