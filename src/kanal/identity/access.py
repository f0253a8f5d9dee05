"""The one place where it is decided who somebody is and what they may do.

`Gate.caller` turns what a request presents into a `Caller`; `Gate.access` into a `WorkspaceAccess`, whose existence means
that this person may enter this workspace. Nothing else makes one, so a function that asks for a `WorkspaceAccess` cannot
be handed a workspace nobody checked. Both are read from the database for every request: a role that is taken away is gone
with the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog

from kanal.identity import errors, rules
from kanal.identity.models import ApiToken, SignIn
from kanal.identity.rules import Limits, Permission, Plan, Role, Scope
from kanal.kit import clock
from kanal.kit.crypto import token_hash
from kanal.kit.db import Database, Statement, as_id
from kanal.kit.db.database import Reader
from kanal.kit.errors import forbidden, not_found

TOUCH_EVERY = 60_000  # milliseconds between two notes that a sign-in or a token is in use
TOKEN_PREFIX = "kanal_"  # noqa: S105 - the public part of every API token, by which scanners find leaked ones

log = structlog.get_logger(__name__)
_MADE_HERE = object()


class Credential(msgspec.Struct, frozen=True):
    """What a request presents: the hash of a session cookie or of a bearer token."""

    digest: bytes
    bearer: bool

    @classmethod
    def session(cls, cookie: str) -> Credential:
        return cls(token_hash(cookie), bearer=False)

    @classmethod
    def token(cls, secret: str) -> Credential:
        return cls(token_hash(secret), bearer=True)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in, by cookie (``session_id``) or with an API token (``token_id``, ``scopes``)."""

    user_id: UUID
    name: str
    email: str
    locale: str
    is_operator: bool
    session_id: UUID | None = None
    token_id: UUID | None = None
    scopes: frozenset[str] | None = None
    ip: str | None = None

    @property
    def actor_id(self) -> UUID:
        return self.user_id

    @property
    def scope(self) -> str:
        """The label by which the sockets opened with this sign-in are found."""
        if self.session_id:
            return session_scope(self.session_id)
        return f"token:{self.token_id}" if self.token_id else f"person:{self.user_id}"

    def require_scope(self, scope: Scope) -> None:
        """Raises ``token.scope_denied``."""
        if self.scopes is not None and scope not in self.scopes:
            raise forbidden("token.scope_denied", scope=str(scope))

    def require_session(self) -> UUID:
        """The sign-in's id. Raises ``auth.session_required``: tokens may not change how their owner signs in."""
        if self.session_id is None:
            raise forbidden("auth.session_required")
        return self.session_id

    def require_operator(self) -> None:
        """Raises ``permission.denied``."""
        self.require_session()
        if not self.is_operator:
            raise forbidden()


class WorkspaceAccess(msgspec.Struct, frozen=True, kw_only=True):
    """The right of a person to be in a workspace, and as what. Made by this module only."""

    workspace_id: UUID
    user_id: UUID
    name: str
    email: str
    role: Role
    plan: Plan
    locale: str
    caller: Caller
    proof: object = None

    def __post_init__(self) -> None:
        if self.proof is not _MADE_HERE:
            raise TypeError("a WorkspaceAccess comes from Gate.access or access_of")

    @property
    def actor_id(self) -> UUID:
        return self.user_id

    @property
    def ip(self) -> str | None:
        return self.caller.ip

    @property
    def limits(self) -> Limits:
        return rules.LIMITS[self.plan]

    @property
    def scopes(self) -> tuple[str, ...]:
        """Labels for the sockets of this person here: what happens to one of them closes what carries it."""
        return (self.caller.scope, workspace_scope(self.workspace_id), member_scope(self.workspace_id, self.user_id))

    def may(self, permission: Permission) -> bool:
        return rules.is_granted(permission, self.role, self.caller.scopes)

    def require(self, permission: Permission) -> None:
        """Raises ``permission.denied``, or ``token.scope_denied`` when only the token is too weak."""
        if self.may(permission):
            return
        weakest, scope = rules.GRANTS[permission]
        if self.role.reaches(weakest):
            self.caller.require_scope(scope)
        raise forbidden()


def session_scope(session_id: UUID) -> str:
    return f"session:{session_id}"


def workspace_scope(workspace_id: UUID) -> str:
    return f"workspace:{workspace_id}"


def member_scope(workspace_id: UUID, user_id: UUID) -> str:
    return f"member:{workspace_id}:{user_id}"


def _statement(columns: str, source: str, where: str, *, workspace: bool) -> Statement:
    place = ", w.plan, w.status, m.role, m.status" if workspace else ""
    join = (
        " LEFT JOIN {members} m ON m.workspace_id = :workspace_id AND m.user_id = u.id"
        " LEFT JOIN {workspaces} w ON w.id = m.workspace_id"
        if workspace
        else ""
    )
    people = "u.id, u.name, u.email, u.locale, u.is_operator"
    return Statement(f"SELECT {columns}, {people}{place} FROM {source}{join} WHERE {where}")  # noqa: S608 - our own words


_SESSION = "s.id, s.expires_at, s.last_seen_at, NULL", "{sessions} s JOIN {users} u ON u.id = s.user_id"
_TOKEN = "t.id, t.expires_at, t.last_used_at, t.scopes", "{api_tokens} t JOIN {users} u ON u.id = t.user_id"
_NOTHING = "NULL, NULL, NULL, NULL", "{users} u"
_BY_SESSION = {w: _statement(*_SESSION, "s.token_hash = :digest", workspace=w) for w in (False, True)}
_BY_TOKEN = {w: _statement(*_TOKEN, "t.token_hash = :digest", workspace=w) for w in (False, True)}
_BY_USER = {w: _statement(*_NOTHING, "u.id = :user_id", workspace=w) for w in (False, True)}
_scopes = msgspec.json.Decoder(frozenset[str])


class Gate:
    """Answers for every request who is asking. One per process; `close` before the database."""

    def __init__(self, database: Database, *, session_idle: timedelta) -> None:
        self._database = database
        self._idle = session_idle
        self._touching: dict[UUID, asyncio.Task[None]] = {}

    async def caller(self, credential: Credential, ip: str | None = None) -> Caller:
        """Raises ``auth.session_expired`` or ``auth.invalid_token``."""
        async with self._database.hot(None) as reader:
            row = await self._look_up(reader, credential, workspace=False)
        return _caller(row, credential.bearer, ip)

    async def access(self, credential: Credential, workspace_id: UUID, ip: str | None = None) -> WorkspaceAccess:
        """Also raises ``workspace.not_found`` (unknown, or not theirs) and ``workspace.suspended``."""
        async with self._database.hot(workspace_id) as reader:
            row = await self._look_up(reader, credential, workspace=True)
        return _access(row, _caller(row, credential.bearer, ip), workspace_id)

    async def close(self) -> None:
        """Wait for the notes that are being written."""
        await asyncio.gather(*self._touching.values(), return_exceptions=True)

    async def _look_up(self, reader: Reader, credential: Credential, *, workspace: bool) -> Sequence[Any]:
        statement = (_BY_TOKEN if credential.bearer else _BY_SESSION)[workspace]
        rows = await reader.fetch(statement, digest=credential.digest)
        now = clock.now_milliseconds()
        if not rows or (rows[0][1] is not None and rows[0][1] <= now):
            raise errors.invalid_token() if credential.bearer else errors.session_expired()
        if now - (rows[0][2] or 0) >= TOUCH_EVERY:
            self._touch_later(as_id(rows[0][0]), credential.bearer)
        return rows[0]

    def _touch_later(self, id_: UUID, bearer: bool) -> None:
        if id_ not in self._touching:
            task = asyncio.create_task(self._touch(id_, bearer))
            self._touching[id_] = task
            task.add_done_callback(lambda _: self._touching.pop(id_, None))

    async def _touch(self, id_: UUID, bearer: bool) -> None:
        now = clock.now()
        try:
            async with self._database.transaction(None) as session:
                if bearer:
                    change = sa.update(ApiToken).where(ApiToken.id == id_).values(last_used_at=now)
                else:
                    until = sa.type_coerce(now + self._idle, SignIn.expires_at.type)
                    change = (
                        sa.update(SignIn)
                        .where(SignIn.id == id_)
                        .values(
                            last_seen_at=now,
                            expires_at=sa.case((SignIn.ends_at < until, SignIn.ends_at), else_=until),
                        )
                    )
                await session.execute(change, execution_options={"synchronize_session": False})
        except Exception:
            log.exception("identity.touch_failed")


def _caller(row: Sequence[Any], bearer: bool, ip: str | None) -> Caller:
    return Caller(
        user_id=as_id(row[4]),
        name=row[5],
        email=row[6],
        locale=row[7],
        is_operator=bool(row[8]),
        session_id=None if bearer else as_id(row[0]),
        token_id=as_id(row[0]) if bearer else None,
        scopes=_scopes.decode(row[3]) if bearer else None,
        ip=ip,
    )


def _access(row: Sequence[Any], caller: Caller, workspace_id: UUID) -> WorkspaceAccess:
    plan, status, role, membership = row[9:]
    if membership != "active":
        raise not_found("workspace")
    if status != "active":
        rules.check_open(status)
    return WorkspaceAccess(
        workspace_id=workspace_id,
        user_id=caller.user_id,
        name=caller.name,
        email=caller.email,
        role=Role(role),
        plan=Plan(plan),
        locale=caller.locale,
        caller=caller,
        proof=_MADE_HERE,
    )


async def caller_of(database: Database, user_id: UUID, *, ip: str | None = None) -> Caller:
    """Act for a person without their asking: the command line, the demo, jobs. Raises ``user.not_found``."""
    async with database.hot(None) as reader:
        rows = await reader.fetch(_BY_USER[False], user_id=user_id)
    if not rows:
        raise not_found("user")
    return _unasked(rows[0], ip)


async def access_of(database: Database, workspace_id: UUID, user_id: UUID) -> WorkspaceAccess:
    """The same inside a workspace; what `Gate.access` refuses is refused here too."""
    async with database.hot(workspace_id) as reader:
        rows = await reader.fetch(_BY_USER[True], user_id=user_id)
    if not rows:
        raise not_found("workspace")
    return _access(rows[0], _unasked(rows[0], None), workspace_id)


def _unasked(row: Sequence[Any], ip: str | None) -> Caller:
    return Caller(user_id=as_id(row[4]), name=row[5], email=row[6], locale=row[7], is_operator=bool(row[8]), ip=ip)
