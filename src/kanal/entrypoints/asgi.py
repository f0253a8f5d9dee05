"""The web application: routes of all domains under one error form, one context, one document."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from kanal import __version__
from kanal.entrypoints import health, site
from kanal.entrypoints.bootstrap import Node
from kanal.entrypoints.channels import Asking, channel_authorizers, channel_owners, user_grant
from kanal.entrypoints.console import with_console
from kanal.files import routes as file_routes
from kanal.identity import audit
from kanal.identity import routes as identity_routes
from kanal.identity import web as identity_web
from kanal.kit.web import RequestContextMiddleware, exception_handlers
from kanal.realtime.authorizers import UserGrant
from kanal.realtime.console.routes import console_router, note_tail
from kanal.realtime.routes import broadcasting_auth, user_auth
from kanal.rooms import message_routes, routes

DESCRIPTION = """Kanal's HTTP API.

Sign in with `POST /api/v1/auth/login` (browser: cookie and `X-CSRF-Token`) or send `Authorization: Bearer kanal_…`.
Errors have one form: `{"error": {"code", "message", "fields", "request_id", "retry_after"}}`, in the language of
`?lang=`, your account or `Accept-Language` (en, id, ja).
"""


def make_app(node: Node) -> Any:
    """The ASGI application of a node."""
    app = with_console(litestar_app(node), node.console, node.settings, partial(_note_tail, node))
    return RequestContextMiddleware(
        app,
        node=node.settings.node_id,
        trusted=node.settings.http.trusted_proxies,
        observe=node.metrics.observe,
    )


async def _note_tail(node: Node, app_id: str, channel: str, address: str) -> None:
    """By a holder of the console token, who has no account."""
    owner = await channel_owners(node.app.id, node.database)(app_id, channel)
    await note_tail(node.database, audit.Somebody("Console token", address), app_id, channel, owner)


def litestar_app(node: Node) -> Litestar:
    """Routes, dependencies and the OpenAPI document."""

    async def identify(request: Request[Any, Any, Any]) -> Asking:
        await identity_web.admit(request)
        return Asking(node.identity, identity_web.credential_of(request))

    async def identify_user(request: Request[Any, Any, Any]) -> UserGrant:
        await identity_web.admit(request)
        return user_grant(request.scope["state"]["caller"])

    return Litestar(
        route_handlers=[
            *identity_routes.ROUTERS,
            routes.RoomController,
            message_routes.message_router,
            message_routes.EventController,
            Router("/", route_handlers=[file_routes.FileController], guards=[identity_web.signed_in]),
            broadcasting_auth(node.app, channel_authorizers(node.database), identify),
            user_auth(node.app, identify_user),
            console_router(node.console, channel_owners(node.app.id, node.database)),
            health.live,
            health.ready,
            health.metrics,
            health.meta,
            site.web_app,
        ],
        dependencies={
            **identity_web.dependencies(),
            "database": Provide(lambda: node.database, sync_to_thread=False, use_cache=True),
            "files": Provide(lambda: node.files, sync_to_thread=False, use_cache=True),
        },
        exception_handlers=exception_handlers(node.texts, max_body=node.settings.http.max_body),
        openapi_config=OpenAPIConfig(
            title="Kanal",
            version=__version__,
            description=DESCRIPTION,
            path="/api/openapi.json",  # below its path the framework answers unknown addresses with a page of its own
            render_plugins=[JsonRenderPlugin(path="/")],
            components=Components(
                security_schemes={
                    "session": SecurityScheme(type="apiKey", security_scheme_in="cookie", name=identity_web.COOKIE),
                    "token": SecurityScheme(type="http", scheme="bearer"),
                }
            ),
            security=[{"session": []}, {"token": []}],
            use_handler_docstrings=True,
        ),
        state=State({"node": node, "identity": node.identity, "database": node.database, "sender": node.sender}),
        request_max_body_size=node.settings.http.max_body,
        logging_config=None,
        debug=False,
    )
