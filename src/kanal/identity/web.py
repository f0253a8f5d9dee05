"""Between HTTP and the gate: cookies, bearer tokens, protection against foreign pages, and Litestar's dependencies.

Routers of authenticated routes carry the guard `signed_in`. It runs before the body is read, so a stranger learns nothing
from how their body fails. Handlers then ask for ``caller: WithCaller`` or, below ``{ws:uuid}``, for
``access: WithAccess``. The application's state holds the `Identity` as ``identity``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler

from kanal.identity import errors
from kanal.identity.access import Caller, Credential, WorkspaceAccess
from kanal.identity.config import Identity
from kanal.kit.web import current_request

COOKIE = "kanal_session"
# Says to the page only that there is a session, so that a signed-out page needs no request which fails to find out.
MARKER_COOKIE = "kanal_signed_in"
CSRF_HEADER = "x-csrf-token"
CSRF = "csrf"  # the purpose of its signature
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]

# How a handler asks for what the application provides: ``caller: WithCaller``.
WithIdentity = NamedDependency[Identity]
WithCaller = NamedDependency[Caller]
WithAccess = NamedDependency[WorkspaceAccess]


def identity_of(connection: Connection) -> Identity:
    identity: Identity = connection.app.state.identity
    return identity


async def signed_in(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A guard: whoever passes is signed in and, below a workspace's path, may enter the workspace.

    Raises 401 ``auth.…``, 403 ``csrf.failed`` or ``workspace.suspended``, 404 ``workspace.not_found``.
    """
    await admit(connection)


async def admit(connection: Connection) -> None:
    """The guard's work, for handlers that are not Litestar's. Leaves its findings in the connection's scope."""
    identity = identity_of(connection)
    credential = credential_of(connection)
    if not credential.bearer:
        check_origin(connection)
    context = current_request()
    ip = context.client_ip if context else None
    workspace_id = connection.path_params.get("ws")
    access: WorkspaceAccess | None = None
    if workspace_id is None:
        caller = await identity.gate.caller(credential, ip)
    else:
        access = await identity.gate.access(credential, workspace_id, ip)
        caller = access.caller
    if not credential.bearer:
        check_csrf(connection, caller)
    if context:
        context.account_locale = caller.locale
        context.workspace_id = str(workspace_id) if workspace_id else None
    state = connection.scope["state"]
    state["caller"], state["access"] = caller, access


def credential_of(connection: Connection) -> Credential:
    """A bearer token if there is one, else the cookie. Raises ``auth.required``, ``auth.invalid_token``."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise errors.invalid_token()
        return Credential.token(secret.strip())
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        raise errors.sign_in_required()
    return Credential.session(cookie)


def check_origin(connection: Connection) -> None:
    """Refuse a change that a foreign page makes the browser ask for, signing in included. Raises ``csrf.failed``.

    Browsers send ``Origin`` with every such request; where it is missing, ``Sec-Fetch-Site`` speaks, and a client that
    sends neither is no browser.
    """
    if connection.scope.get("method") in SAFE_METHODS:
        return
    headers = connection.headers
    origin = headers.get("origin")
    if origin is None:
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise errors.csrf_failed()
        return
    public = urlsplit(identity_of(connection).public_url)
    try:
        given = urlsplit(origin.lower())
    except ValueError:
        raise errors.csrf_failed() from None
    own = {public.netloc.lower(), headers.get("host", "").lower()}
    if given.scheme not in ("http", "https") or given.netloc not in own:
        raise errors.csrf_failed()


def check_csrf(connection: Connection, caller: Caller) -> None:
    """The header must carry the token that belongs to this sign-in. Raises ``csrf.failed``."""
    if connection.scope.get("method") in SAFE_METHODS:
        return
    given = connection.headers.get(CSRF_HEADER, "")
    if not identity_of(connection).keys.verify(CSRF, str(caller.session_id), given):
        raise errors.csrf_failed()


def csrf_token(identity: Identity, caller_session: object) -> str:
    """For the answers that tell the browser who is signed in."""
    return identity.keys.sign(CSRF, str(caller_session))


async def provide_identity(request: Request[Any, Any, Any]) -> Identity:
    return identity_of(request)


async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    caller: Caller = request.scope["state"]["caller"]
    return caller


async def provide_access(request: Request[Any, Any, Any]) -> WorkspaceAccess:
    access: WorkspaceAccess = request.scope["state"]["access"]
    return access


def dependencies() -> dict[str, Provide]:
    """For the application: ``identity``, ``caller`` and ``access``."""
    return {
        "identity": Provide(provide_identity),
        "caller": Provide(provide_caller),
        "access": Provide(provide_access),
    }


def set_cookie(response: Response[Any], identity: Identity, secret: str) -> None:
    """Sign this browser in: the secret, which no script can read, and the mark that it is there."""
    lifetime = int(identity.session_lifetime.total_seconds())
    response.set_cookie(_cookie(identity, COOKIE, secret, lifetime, httponly=True))
    response.set_cookie(_cookie(identity, MARKER_COOKIE, "1", lifetime, httponly=False))


def clear_cookie(response: Response[Any], identity: Identity) -> None:
    response.set_cookie(_cookie(identity, COOKIE, "", 0, httponly=True))
    response.set_cookie(_cookie(identity, MARKER_COOKIE, "", 0, httponly=False))


def _cookie(identity: Identity, key: str, value: str, max_age: int, *, httponly: bool) -> Cookie:
    return Cookie(
        key=key,
        value=value,
        max_age=max_age,
        path="/",
        httponly=httponly,
        samesite="lax",
        secure=identity.secure_cookies,
    )
