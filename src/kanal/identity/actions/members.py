"""Members: add, change their role, remove."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from kanal.identity import audit, rules
from kanal.identity.access import WorkspaceAccess
from kanal.identity.audit import Actor, Target
from kanal.identity.events import (
    MEMBER_JOINED,
    MEMBER_REMOVED,
    MEMBER_UPDATED,
    announce_member,
    reconnect_member,
)
from kanal.identity.models import Member, User
from kanal.identity.queries.workspaces import lock_workspace
from kanal.identity.rules import Membership, Permission, Role
from kanal.identity.views import member_view
from kanal.kit import clock
from kanal.kit.db import Session, Statement
from kanal.kit.errors import not_found

COUNT_OWNED = Statement(
    "SELECT COUNT(*) FROM {members} m JOIN {workspaces} w ON w.id = m.workspace_id"
    " WHERE m.user_id = :user_id AND m.role = 'owner' AND m.status = 'active' AND w.plan = 'free'",
    across_tenants="how many workspaces one person owns is a fact about the person",
)


async def add_member(session: Session, actor: Actor, *, user: User, role: Role) -> Member:
    """Into the session's workspace. Somebody who was removed comes back as the same member.

    Who is one already stays as they are. Raises ``plan.members_reached``.
    """
    workspace = await lock_workspace(session)
    member = await session.get(Member, (session.workspace_id, user.id), populate_existing=True)
    if member is not None and member.status == Membership.ACTIVE:
        return member
    rules.check_room_for_member(workspace.plan, await count_active(session))
    if member is None:
        member = Member(
            workspace_id=workspace.id,
            user_id=user.id,
            role=role,
            status=Membership.ACTIVE,
            joined_at=clock.now(),
            version=1,
        )
        session.add(member)
    else:
        member.role, member.status, member.joined_at = role, Membership.ACTIVE, clock.now()
        member.version += 1
    await session.flush()
    await audit.record(session, actor, "member.joined", _target(user), role=role)
    announce_member(session, MEMBER_JOINED, member_view(member, user.name, user.email))
    return member


async def change_role(session: Session, access: WorkspaceAccess, *, user_id: UUID, role: Role) -> tuple[Member, User]:
    """At once: the next request sees it, and the member's sockets ask anew for what they may.

    Raises ``member.not_found``, ``permission.denied``, ``member.last_owner``.
    """
    access.require(Permission.MEMBERS_MANAGE)
    await lock_workspace(session)
    member, user = await _active(session, user_id)
    before = Role(member.role)
    rules.check_may_manage(await _role_now(session, access), before, role)
    rules.check_keeps_owner(before, role, await _count_owners(session))
    if before is not role:
        member.role = role
        member.version += 1
        await session.flush()
        await audit.record(session, access, "member.role_changed", _target(user), before=before, after=role)
        announce_member(session, MEMBER_UPDATED, member_view(member, user.name, user.email))
        reconnect_member(session, member.workspace_id, user.id)
    return member, user


async def remove_member(session: Session, access: WorkspaceAccess, *, user_id: UUID) -> None:
    """Raises ``member.not_found``, ``permission.denied``, ``member.last_owner``."""
    access.require(Permission.MEMBERS_MANAGE)
    await lock_workspace(session)
    member, user = await _active(session, user_id)
    rules.check_may_manage(await _role_now(session, access), Role(member.role))
    await _remove(session, access, member, user, "member.removed")


async def leave(session: Session, access: WorkspaceAccess) -> None:
    """Raises ``member.last_owner``."""
    access.require(Permission.WORKSPACE_LEAVE)
    await lock_workspace(session)
    member, user = await _active(session, access.user_id)
    await _remove(session, access, member, user, "member.left")


async def announce_profile(session: Session, user: User) -> None:
    """In the session's workspace: the member's name is another now."""
    await lock_workspace(session)
    member = await session.get(Member, (session.workspace_id, user.id), populate_existing=True)
    if member is not None and member.status == Membership.ACTIVE:
        member.version += 1
        await session.flush()
        announce_member(session, MEMBER_UPDATED, member_view(member, user.name, user.email))


async def count_active(session: Session) -> int:
    query = sa.select(sa.func.count()).select_from(Member).where(Member.status == Membership.ACTIVE)
    return int(await session.scalar(query) or 0)


async def _remove(session: Session, access: WorkspaceAccess, member: Member, user: User, action: str) -> None:
    rules.check_keeps_owner(Role(member.role), None, await _count_owners(session))
    member.status = Membership.REMOVED
    member.version += 1
    await session.flush()
    await audit.record(session, access, action, _target(user), role=member.role)
    announce_member(session, MEMBER_REMOVED, member_view(member, user.name, user.email))
    reconnect_member(session, member.workspace_id, user.id)


async def _active(session: Session, user_id: UUID) -> tuple[Member, User]:
    row = (
        await session.execute(
            sa.select(Member, User)
            .join(User, User.id == Member.user_id)
            .where(Member.user_id == user_id, Member.status == Membership.ACTIVE),
            execution_options={"populate_existing": True},
        )
    ).first()
    if row is None:
        raise not_found("member")
    return row[0], row[1]


async def _role_now(session: Session, access: WorkspaceAccess) -> Role:
    """Under the lock: two owners who demote each other at the same moment must not both succeed."""
    member, _ = await _active(session, access.user_id)
    return Role(member.role)


async def _count_owners(session: Session) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(Member)
        .where(Member.status == Membership.ACTIVE, Member.role == Role.OWNER)
    )
    return int(await session.scalar(query) or 0)


def _target(user: User) -> Target:
    return Target("user", user.id, user.name)
