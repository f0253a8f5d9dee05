"""What load balancers, monitors and the sign-in page ask."""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from litestar import Response, get, route
from litestar.datastructures import State

from kanal import __version__
from kanal.entrypoints.bootstrap import Node

READY_WITHIN = 3.0  # seconds; a database that needs longer is as good as gone

log = structlog.get_logger(__name__)


class Health(msgspec.Struct):
    status: str
    node: str
    version: str


class DemoAccount(msgspec.Struct):
    email: str
    name: str
    password: str


class DemoInfo(msgspec.Struct):
    accounts: list[DemoAccount]


class Meta(msgspec.Struct):
    """What the page knows before anyone signs in."""

    name: str
    version: str
    registration: bool
    mail: bool
    demo: DemoInfo | None


@route(
    "/health/live",
    http_method=["GET", "HEAD"],
    tags=["health"],
    summary="The process runs; needs no database",
    sync_to_thread=False,
)
def live(state: State) -> Health:
    node: Node = state.node
    return Health("ok", node.settings.node_id, __version__)


@route("/health/ready", http_method=["GET", "HEAD"], tags=["health"], summary="The node can serve requests")
async def ready(state: State) -> Response[Health]:
    """503 while draining or without a database."""
    node: Node = state.node
    status = "draining" if node.draining else "ok"
    if status == "ok":
        try:
            await asyncio.wait_for(node.database.ping(), READY_WITHIN)
        except Exception:
            log.warning("health.database_unreachable", exc_info=True)
            status = "database_unreachable"
    health = Health(status, node.settings.node_id, __version__)
    return Response(health, status_code=200 if status == "ok" else 503, headers={"cache-control": "no-store"})


@get("/metrics", include_in_schema=False, media_type="text/plain; version=0.0.4", sync_to_thread=False)
def metrics(state: State) -> bytes:
    """For Prometheus; keep it from the public in your proxy (docs/operations.md)."""
    node: Node = state.node
    return node.metrics.render()


@get("/api/v1/meta", tags=["meta"], summary="Name, version, and the demo's accounts when it is one")
async def meta(state: State) -> Meta:
    node: Node = state.node
    accounts = [DemoAccount(*a) for a in node.demo_accounts]
    return Meta(
        "Kanal",
        __version__,
        node.settings.security.allow_registration,
        bool(node.settings.mail.smtp_url),
        DemoInfo(accounts) if accounts else None,
    )
