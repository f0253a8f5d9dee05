"""One real-time node as a process of its own: `python -m tests.realtime.node_process '{"broker": …}'`.

Prints its port, then reads publications as JSON lines (channel, event, data) and answers each with how far it got.
"""

import asyncio
import contextlib
import json
import sys
from typing import Any

import uvloop
from litestar import Litestar, Request

from kanal.realtime.apps import App, StaticApps
from kanal.realtime.authorizers import ChannelAuthorizers, ChannelGrant, UserGrant
from kanal.realtime.brokers import connect
from kanal.realtime.hub import Hub
from kanal.realtime.publisher import Publication
from kanal.realtime.routes import broadcasting_auth, user_auth
from kanal.realtime.server import serve
from tests.realtime.harness import APP

COUNTED = App(id="1002", key="counted-key", secret="counted-secret", subscription_counts=True)

_ALLOWED = [
    "private-{a}",
    "presence-{a}",
    "private-encrypted-{a}",
    "private-cache-{a}",
    "presence-cache-{a}",
    "private-encrypted-cache-{a}",
]


async def _who(request: Request[Any, Any, Any]) -> str:
    """The test says who it is; a header for clients that can set one, a query parameter for the others."""
    return str(request.headers.get("x-user") or request.query_params.get("user", "nobody"))


def _auth_app() -> Litestar:
    authorizers: ChannelAuthorizers[str] = ChannelAuthorizers()

    async def allow(caller: str, parameters: object) -> ChannelGrant | None:
        if caller == "nobody":
            return None
        return ChannelGrant(caller, {"name": caller.title()}, (f"session:{caller}",))

    for pattern in _ALLOWED:
        authorizers.add(pattern, allow)

    async def grant(request: Request[Any, Any, Any]) -> UserGrant:
        user = await _who(request)
        watchlist = request.query_params.get("watchlist", "")
        return UserGrant(user, {"name": user.title()}, tuple(watchlist.split(",")) if watchlist else ())

    return Litestar([broadcasting_auth(APP, authorizers, _who), user_auth(APP, grant)], openapi_config=None)


async def _publish_from_stdin(hub: Hub, stop: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        channel, event, data = json.loads(line)
        print(await hub.publish([Publication(APP.id, channel, event, data)]), flush=True)
    stop.set()


async def main(settings: dict[str, str]) -> None:
    if unknown := settings.keys() - {"broker", "node", "port"}:
        raise SystemExit(f"unknown settings: {unknown}")  # a node without its broker would be alone and say nothing
    broker = connect(settings.get("broker"), node=settings.get("node", "node"), heartbeat=0.5, node_ttl=4.0)
    hub = Hub(StaticApps([APP, COUNTED]), broker)
    stop = asyncio.Event()

    def started(port: int) -> None:
        print(port, flush=True)
        tasks.append(asyncio.create_task(_publish_from_stdin(hub, stop)))

    tasks: list[asyncio.Task[None]] = []
    with contextlib.suppress(asyncio.CancelledError):
        await serve(
            hub, app=_auth_app(), started=started, stop=stop, drain_window=0.2, port=int(settings.get("port", 0))
        )


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
