"""A hub behind a port: sockets, the HTTP API, and an ASGI application for everything else."""

from __future__ import annotations

from typing import Any

from kanal.realtime.api.asgi import ApiMiddleware, ASGIApp
from kanal.realtime.api.core import Api
from kanal.realtime.api.lean import REQUEST_TIMEOUT, LeanEndpoint
from kanal.realtime.hub import Hub
from kanal.realtime.survey import Survey
from kanal.realtime.switch import HANDSHAKE_TIMEOUT, MAX_HEAD, SocketEndpoint, uvicorn_protocols


class Front:
    """Made once for a hub, before it starts. Times in seconds, sizes in bytes.

    ``handshake_timeout`` and ``max_head`` are for WebSocket handshakes, ``request_timeout`` for calls of the API.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        path: str = "/app",
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        max_head: int = MAX_HEAD,
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        self.hub = hub
        self.survey = Survey(hub)
        self.api = Api(hub, self.survey)
        self._request_timeout = request_timeout
        self._lean = LeanEndpoint(self.api, request_timeout=request_timeout)
        self._sockets = SocketEndpoint(
            hub, path=path, handshake_timeout=handshake_timeout, max_head=max_head, api=self._lean
        )

    def uvicorn(self, app: ASGIApp) -> dict[str, Any]:
        """Keyword arguments for ``uvicorn.Config``. ``app`` answers what neither sockets nor the API do."""
        wrapped = ApiMiddleware(app, self.api, request_timeout=self._request_timeout)
        return {"app": wrapped, **uvicorn_protocols(self._sockets)}

    @property
    def draining(self) -> bool:
        return self._sockets.draining

    async def drain(self, window: float) -> None:
        """Sends everybody away with 4200, one after another over the window; who still comes in is turned away with 4100.

        Calls are answered, and their connections closed. Call ``EmbeddedServer.stop_accepting`` before and ``hub.stop``
        after.
        """
        self.turn_away()
        await self.hub.drain(window)

    def turn_away(self) -> None:
        """Newcomers hear that they must go elsewhere."""
        self._sockets.draining = True
        self._lean.draining = True
