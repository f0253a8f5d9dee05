"""Shapes of the API of people and workspaces; the same in answers and in events. Times are ISO 8601, UTC, milliseconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from kanal.identity.rules import Locale, Membership, Plan, Role, Status, Theme
from kanal.kit.web.schema import Body

# Wider than the rules, which say precisely what is wrong; these only stop what is absurd.
Name = Annotated[str, Meta(max_length=400)]
Email = Annotated[str, Meta(max_length=400)]
Password = Annotated[str, Meta(min_length=1, max_length=1_000)]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class RegisterBody(Body):
    name: Name
    email: Email
    password: Password
    locale: Locale | None = None
    workspace_name: Name | None = None
    invitation: Secret | None = None


class LoginBody(Body):
    email: Email
    password: Password


class ProfileBody(Body):
    name: Name | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    theme: Theme | UnsetType = UNSET


class PasswordBody(Body):
    current_password: Password
    new_password: Password


class ForgotBody(Body):
    email: Email


class ResetBody(Body):
    token: Secret
    password: Password


class TokenBody(Body):
    name: Name
    scopes: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=20)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class WorkspaceBody(Body):
    name: Name


class WorkspaceSettingsBody(Body):
    """Only what is given changes."""

    default_locale: Locale | UnsetType = UNSET
    timezone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class WorkspaceChangeBody(Body):
    name: Name | UnsetType = UNSET
    settings: WorkspaceSettingsBody | UnsetType = UNSET


class RoleBody(Body):
    role: Role


class InvitationBody(Body):
    email: Email
    role: Role


class UserView(msgspec.Struct):
    id: UUID
    name: str
    email: str
    locale: Locale
    theme: Theme
    is_operator: bool
    avatar_color: int | None
    created_at: str


class WorkspaceSummary(msgspec.Struct):
    """A workspace in the list of "mine"."""

    id: UUID
    name: str
    slug: str
    role: Role
    status: Status
    plan: Plan


class RealtimeInfo(msgspec.Struct, frozen=True):
    """How the browser reaches the socket server; ``host`` and ``port`` are null when it is where the page came from."""

    key: str
    path: str = "/app"
    auth_endpoint: str = "/broadcasting/auth"
    host: str | None = None
    port: int | None = None


class SessionView(msgspec.Struct):
    """Who is signed in, where they belong, and the token for requests that change something."""

    user: UserView
    csrf_token: str
    workspaces: list[WorkspaceSummary]
    realtime: RealtimeInfo


class SignInView(msgspec.Struct):
    """A browser that is signed in."""

    id: UUID
    current: bool
    user_agent: str
    ip: str
    created_at: str
    last_seen_at: str
    expires_at: str


class TokenView(msgspec.Struct, kw_only=True):
    """An API token; ``prefix`` is how its secret begins."""

    id: UUID
    name: str
    scopes: list[str]
    prefix: str
    created_at: str
    last_used_at: str | None
    expires_at: str | None


class NewTokenView(TokenView, kw_only=True):
    """With the secret, which is shown this once."""

    secret: str


class LimitsView(msgspec.Struct):
    max_members: int
    max_sessions: int
    max_rooms: int
    max_file_bytes: int


class WorkspaceSettings(msgspec.Struct):
    default_locale: Locale
    timezone: str


class WorkspacePublic(msgspec.Struct, kw_only=True):
    """A workspace as announced to all its members."""

    id: UUID
    name: str
    slug: str
    plan: Plan
    status: Status
    limits: LimitsView
    settings: WorkspaceSettings
    created_at: str
    version: int


class WorkspaceView(WorkspacePublic, kw_only=True):
    """And with the caller's own role."""

    role: Role


class MemberView(msgspec.Struct):
    user_id: UUID
    name: str
    email: str
    role: Role
    status: Membership
    joined_at: str
    version: int


class InvitationView(msgspec.Struct):
    """``link`` is for whoever may invite, to be passed on by other means than e-mail."""

    id: UUID
    email: str
    role: Role
    invited_by: UUID
    created_at: str
    expires_at: str
    accepted_at: str | None
    link: str | None


class WorkspaceName(msgspec.Struct):
    name: str


class InvitationPreview(msgspec.Struct):
    """What whoever holds the link may know before they sign in."""

    workspace: WorkspaceName
    email: str
    role: Role
    invited_by_name: str
    expires_at: str
    account_exists: bool


class AuditView(msgspec.Struct):
    id: UUID
    at: str
    actor_id: UUID | None
    actor_name: str
    action: str
    target_type: str | None
    target_id: UUID | None
    target_label: str | None
    ip: str | None
    details: dict[str, Any]


class MailView(msgspec.Struct):
    """A letter on the operator's page; ``state`` is queued, sent, logged or failed."""

    id: UUID
    to: str
    subject: str
    kind: str
    link: str | None
    state: str
    error: str | None
    created_at: str
