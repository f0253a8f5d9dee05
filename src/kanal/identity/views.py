"""From rows to the shapes of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from kanal.identity.models import ApiToken, AuditEntry, Invitation, Member, SignIn, User, Workspace
from kanal.identity.rules import LIMITS, Limits, Locale, Membership, Plan, Role, Status, Theme, initial_settings
from kanal.identity.schemas import (
    AuditView,
    InvitationView,
    LimitsView,
    MailView,
    MemberView,
    NewTokenView,
    SignInView,
    TokenView,
    UserView,
    WorkspacePublic,
    WorkspaceSettings,
    WorkspaceSummary,
    WorkspaceView,
)
from kanal.kit.clock import iso
from kanal.kit.mail import SentMail


def _iso(value: datetime | None) -> str | None:
    return None if value is None else iso(value)


def user_view(user: User) -> UserView:
    return UserView(
        user.id,
        user.name,
        user.email,
        Locale(user.locale),
        Theme(user.theme),
        user.is_operator,
        user.avatar_color,
        iso(user.created_at),
    )


def workspace_summary(workspace: Workspace, role: str) -> WorkspaceSummary:
    return WorkspaceSummary(
        workspace.id,
        workspace.name,
        workspace.slug,
        Role(role),
        Status(workspace.status),
        Plan(workspace.plan),
    )


def sign_in_view(sign_in: SignIn, current: UUID | None) -> SignInView:
    return SignInView(
        sign_in.id,
        sign_in.id == current,
        sign_in.user_agent,
        sign_in.ip,
        iso(sign_in.created_at),
        iso(sign_in.last_seen_at),
        iso(sign_in.expires_at),
    )


def _token_fields(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "prefix": token.prefix,
        "created_at": iso(token.created_at),
        "last_used_at": _iso(token.last_used_at),
        "expires_at": _iso(token.expires_at),
    }


def token_view(token: ApiToken) -> TokenView:
    return TokenView(**_token_fields(token))


def new_token_view(token: ApiToken, secret: str) -> NewTokenView:
    return NewTokenView(**_token_fields(token), secret=secret)


def limits_view(limits: Limits) -> LimitsView:
    return LimitsView(limits.max_members, limits.max_sessions, limits.max_rooms, limits.max_file_bytes)


def _workspace_fields(workspace: Workspace) -> dict[str, Any]:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "slug": workspace.slug,
        "plan": Plan(workspace.plan),
        "status": Status(workspace.status),
        "limits": limits_view(LIMITS[Plan(workspace.plan)]),
        "settings": msgspec.convert({**initial_settings(Locale.ENGLISH), **workspace.settings}, WorkspaceSettings),
        "created_at": iso(workspace.created_at),
        "version": workspace.version,
    }


def workspace_public(workspace: Workspace) -> WorkspacePublic:
    return WorkspacePublic(**_workspace_fields(workspace))


def workspace_view(workspace: Workspace, role: str) -> WorkspaceView:
    return WorkspaceView(**_workspace_fields(workspace), role=Role(role))


def member_view(member: Member, name: str, email: str) -> MemberView:
    return MemberView(
        member.user_id,
        name,
        email,
        Role(member.role),
        Membership(member.status),
        iso(member.joined_at),
        member.version,
    )


def invitation_view(invitation: Invitation, link: str | None) -> InvitationView:
    return InvitationView(
        invitation.id,
        invitation.email,
        Role(invitation.role),
        invitation.invited_by,
        iso(invitation.created_at),
        iso(invitation.expires_at),
        _iso(invitation.accepted_at),
        link,
    )


def audit_view(entry: AuditEntry) -> AuditView:
    return AuditView(
        entry.id,
        iso(entry.at),
        entry.actor_id,
        entry.actor_name,
        entry.action,
        entry.target_type,
        entry.target_id,
        entry.target_label,
        entry.ip,
        entry.details,
    )


def mail_view(mail: SentMail) -> MailView:
    return MailView(
        mail.id,
        mail.to,
        mail.subject,
        mail.kind,
        mail.link,
        mail.state,
        mail.error,
        iso(mail.created_at),
    )
