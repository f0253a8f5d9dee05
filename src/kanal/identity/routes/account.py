"""`/api/v1/auth`: register, sign in and out, one's own account, sign-ins and tokens."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET

from kanal.identity import errors, rules
from kanal.identity.actions import accounts, invitations, sign_ins, workspaces
from kanal.identity.audit import Somebody
from kanal.identity.config import Identity
from kanal.identity.models import SignIn, User
from kanal.identity.queries import people
from kanal.identity.queries.audit import activity_page
from kanal.identity.queries.invitations import find_by_token
from kanal.identity.routes.answers import PRIVATE, AnyRequest, client_ip, session_view, signed_in_answer, user_agent
from kanal.identity.rules import Locale, Scope
from kanal.identity.schemas import (
    AuditView,
    ForgotBody,
    LoginBody,
    NewTokenView,
    PasswordBody,
    ProfileBody,
    RegisterBody,
    ResetBody,
    SessionView,
    SignInView,
    TokenBody,
    TokenView,
    UserView,
)
from kanal.identity.views import audit_view, new_token_view, sign_in_view, token_view, user_view
from kanal.identity.web import COOKIE, WithCaller, WithIdentity, check_origin, clear_cookie, signed_in
from kanal.kit import clock
from kanal.kit.db import Session
from kanal.kit.errors import forbidden
from kanal.kit.ids import NIL, new_id
from kanal.kit.throttle import attempt, forgive
from kanal.kit.web import Items, Page, current_request

ACTIVITY_PAGE = 20  # entries; a few weeks of one person


@post("/register", status_code=201)
async def register(request: AnyRequest, identity: WithIdentity, data: JSONBody[RegisterBody]) -> Response[SessionView]:
    """Create an account, and with it a workspace or a place in the one somebody was invited to."""
    check_origin(request)
    if not identity.allow_registration and data.invitation is None:
        raise forbidden("auth.registration_closed")
    await attempt(identity.database, (identity.throttles.register_ip, rules.network_of(client_ip())))
    workspace_id = new_id() if data.workspace_name is not None else None
    if data.invitation is not None:
        async with identity.database.reading(None) as session:
            invitation, _ = await find_by_token(session, data.invitation, clock.now())
        rules.check_matches_invitation(invitation.email, rules.clean_email(data.email))
        workspace_id = invitation.workspace_id
    elif data.workspace_name is not None:
        rules.clean_name(data.workspace_name, "workspace_name")
    context = current_request()
    locale = data.locale or Locale(context.locale if context else Locale.ENGLISH)
    account = await accounts.prepare(identity, name=data.name, email=data.email, password=data.password, locale=locale)
    actor = Somebody(account.name, client_ip(), account.id)
    async with identity.database.transaction(workspace_id) as session:
        user = await accounts.create_user(session, actor, account)
        if data.invitation is not None:
            await invitations.accept(session, actor, user=user, secret=data.invitation)
        elif data.workspace_name is not None:
            await workspaces.create_workspace(session, actor, owner=user, name=data.workspace_name)
        return await _begin(request, session, identity, user, status=201)


@post("/login", status_code=200)
async def login(request: AnyRequest, identity: WithIdentity, data: JSONBody[LoginBody]) -> Response[SessionView]:
    """Sign in with e-mail and password."""
    check_origin(request)
    email, ip = rules.clean_email(data.email), client_ip()
    network = rules.network_of(ip)
    tries = ((identity.throttles.login_account, f"{email} {network}"), (identity.throttles.login_ip, network))
    await attempt(identity.database, *tries)
    async with identity.database.reading(None) as session:
        found = await people.user_by_email(session, email)
    if not await identity.passwords.verify(found.password_hash if found else None, data.password) or found is None:
        async with identity.database.transaction(None) as session:
            await sign_ins.note_failure(session, user=found, email=email, ip=ip)
        raise errors.invalid_credentials()
    renewed = None
    if identity.passwords.is_outdated(found.password_hash):
        renewed = await identity.passwords.hash(data.password)
    async with identity.database.transaction(None) as session:
        user = await session.get(User, found.id)
        if user is None or user.password_hash != found.password_hash:
            raise errors.invalid_credentials()  # changed while we were hashing
        if renewed is not None:
            user.password_hash = renewed
        answer = await _begin(request, session, identity, user, status=200)
    await forgive(identity.database, *tries)
    return answer


async def _begin(
    request: AnyRequest, session: Session, identity: Identity, user: User, *, status: int
) -> Response[SessionView]:
    """Sign this browser in; whoever was signed in before no longer is."""
    if cookie := request.cookies.get(COOKIE):
        await sign_ins.end_by_cookie(session, cookie, Somebody(user.name, client_ip(), user.id))
    entry, secret = await sign_ins.sign_in(session, identity, user, ip=client_ip(), user_agent=user_agent())
    return await signed_in_answer(session, identity, user, entry, secret, status=status)


@post("/password/forgot", status_code=202)
async def forgot_password(request: AnyRequest, identity: WithIdentity, data: JSONBody[ForgotBody]) -> None:
    """Send a link to choose a new password, if there is such an account. The answer does not tell."""
    check_origin(request)
    email = rules.clean_email(data.email)
    limits = identity.throttles
    await attempt(identity.database, (limits.forgot_email, email), (limits.forgot_ip, rules.network_of(client_ip())))
    async with identity.database.transaction(None) as session:
        accounts.ask_for_reset(session, identity, email=email, ip=client_ip())


@post("/password/reset", status_code=204)
async def reset_password(request: AnyRequest, identity: WithIdentity, data: JSONBody[ResetBody]) -> None:
    """Choose a new password with the link from the e-mail. Every sign-in of the account ends."""
    check_origin(request)
    await attempt(identity.database, (identity.throttles.token_ip, rules.network_of(client_ip())))
    async with identity.database.reading(None) as session:
        _, user = await accounts.find_reset(session, data.token, clock.now())
    rules.check_password(data.password, email=user.email, name=user.name)
    password_hash = await identity.passwords.hash(data.password)
    async with identity.database.transaction(None) as session:
        await accounts.reset_password(session, secret=data.token, password_hash=password_hash, ip=client_ip())


@post("/logout", status_code=204)
async def logout(identity: WithIdentity, caller: WithCaller) -> Response[None]:
    """End this sign-in."""
    async with identity.database.transaction(None) as session:
        await sign_ins.end(session, caller, caller.require_session())
    response: Response[None] = Response(None, status_code=204)
    clear_cookie(response, identity)
    return response


@get("/user")
async def get_session(identity: WithIdentity, caller: WithCaller) -> SessionView:
    """Who is signed in, their workspaces, and what the browser needs to go on."""
    caller.require_scope(Scope.PROFILE)
    listed = caller.scopes is None or Scope.WORKSPACE_READ in caller.scopes
    async with identity.database.reading(None) as session:
        user = await people.user_by_id(session, caller.user_id)
        return await session_view(session, identity, user, caller.session_id, with_workspaces=listed)


@patch("/user")
async def change_profile(identity: WithIdentity, caller: WithCaller, data: JSONBody[ProfileBody]) -> UserView:
    """Change one's name, language or theme."""
    caller.require_scope(Scope.PROFILE)
    async with identity.database.transaction(None) as session:
        user = await accounts.change_profile(
            session,
            caller,
            name=None if data.name is UNSET else data.name,
            locale=None if data.locale is UNSET else data.locale,
            theme=None if data.theme is UNSET else data.theme,
        )
        return user_view(user)


@post("/password", status_code=204)
async def change_password(identity: WithIdentity, caller: WithCaller, data: JSONBody[PasswordBody]) -> None:
    """Change one's password. All other sign-ins end."""
    caller.require_session()
    throttle = (identity.throttles.password, str(caller.user_id))
    await attempt(identity.database, throttle)
    async with identity.database.reading(None) as session:
        user = await people.user_by_id(session, caller.user_id)
    await accounts.check_current_password(identity, user, data.current_password)
    rules.check_password(data.new_password, email=user.email, name=user.name, field="new_password")
    password_hash = await identity.passwords.hash(data.new_password)
    async with identity.database.transaction(None) as session:
        await accounts.change_password(session, caller, password_hash=password_hash)
    await forgive(identity.database, throttle)


@get("/sessions")
async def list_sessions(identity: WithIdentity, caller: WithCaller) -> Items[SignInView]:
    """The browsers in which one is signed in."""
    current = caller.require_session()
    async with identity.database.reading(None) as session:
        entries: list[SignIn] = list(await people.sign_ins_of(session, caller.user_id, clock.now()))
    return Items([sign_in_view(entry, current) for entry in entries])


@delete("/sessions/{session_id:uuid}")
async def revoke_session(identity: WithIdentity, caller: WithCaller, session_id: FromPath[UUID]) -> None:
    """End one of one's own sign-ins; its sockets close."""
    caller.require_session()
    async with identity.database.transaction(None) as session:
        await sign_ins.end(session, caller, session_id)


@post("/sessions/revoke-others", status_code=204)
async def revoke_other_sessions(identity: WithIdentity, caller: WithCaller) -> None:
    """End all of one's sign-ins but this one."""
    caller.require_session()
    async with identity.database.transaction(None) as session:
        await sign_ins.end_others(session, caller)


@get("/activity")
async def list_activity(
    identity: WithIdentity,
    caller: WithCaller,
    *,
    cursor: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = ACTIVITY_PAGE,
) -> Page[AuditView]:
    """What happened to one's account, newest first: sign-ins, also refused ones, passwords, sessions, tokens."""
    caller.require_session()
    async with identity.database.reading(NIL) as session:
        rows = await activity_page(session, caller.user_id, before=cursor, size=limit)
    more = len(rows) > limit
    return Page([audit_view(row) for row in rows[:limit]], str(rows[limit - 1].id) if more else None)


@get("/tokens")
async def list_tokens(identity: WithIdentity, caller: WithCaller) -> Items[TokenView]:
    """One's API tokens."""
    caller.require_session()
    async with identity.database.reading(None) as session:
        return Items([token_view(token) for token in await people.tokens_of(session, caller.user_id)])


@post("/tokens")
async def create_token(identity: WithIdentity, caller: WithCaller, data: JSONBody[TokenBody]) -> NewTokenView:
    """Make an API token. Its secret is in this answer and nowhere else."""
    caller.require_session()
    async with identity.database.transaction(None) as session:
        token, secret = await sign_ins.create_token(
            session, caller, name=data.name, scopes=data.scopes, expires_at=data.expires_at
        )
        return new_token_view(token, secret)


@delete("/tokens/{token_id:uuid}")
async def revoke_token(identity: WithIdentity, caller: WithCaller, token_id: FromPath[UUID]) -> None:
    """Revoke an API token; its sockets close."""
    caller.require_session()
    async with identity.database.transaction(None) as session:
        await sign_ins.revoke_token(session, caller, token_id)


public_router = Router(
    "/api/v1/auth",
    route_handlers=[register, login, forgot_password, reset_password],
    response_headers=PRIVATE,
    tags=["auth"],
)
account_router = Router(
    "/api/v1/auth",
    route_handlers=[
        logout,
        get_session,
        change_profile,
        change_password,
        list_sessions,
        revoke_session,
        revoke_other_sessions,
        list_activity,
        list_tokens,
        create_token,
        revoke_token,
    ],
    guards=[signed_in],
    response_headers=PRIVATE,
    tags=["auth"],
)
