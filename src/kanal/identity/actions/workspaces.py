"""Workspaces: found one, change it, suspend and reopen it."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from kanal.identity import audit, rules
from kanal.identity.access import WorkspaceAccess
from kanal.identity.actions import members
from kanal.identity.audit import Actor, Target
from kanal.identity.events import announce_workspace, reconnect_workspace
from kanal.identity.models import User, Workspace
from kanal.identity.queries.workspaces import lock_workspace
from kanal.identity.rules import Permission, Plan, Role, Status
from kanal.identity.views import workspace_public
from kanal.kit import clock
from kanal.kit.db import Session
from kanal.kit.errors import conflict

MAX_OWNED = 20  # free workspaces one person may found
STATUS_ACTIONS = {
    Status.ACTIVE: "workspace.activated",
    Status.SUSPENDED: "workspace.suspended",
    Status.CANCELLED: "workspace.cancelled",
}


async def create_workspace(
    session: Session, actor: Actor, *, owner: User, name: str, plan: Plan = Plan.FREE, slug: str | None = None
) -> Workspace:
    """In a session opened for the id the new workspace shall have. Raises field errors, ``workspace.too_many``."""
    if session.workspace_id is None:
        raise ValueError("choose the new workspace's id and open the session for it")
    clean = rules.clean_name(name, "name")
    if plan is Plan.FREE:
        await _check_may_found(session, owner)
    workspace = await _insert(
        session,
        slug or rules.slug_of(clean) or "workspace",
        id=session.workspace_id,
        name=clean,
        plan=plan,
        status=Status.ACTIVE,
        settings=rules.initial_settings(owner.locale),
        created_at=clock.now(),
        version=1,
    )
    await audit.record(session, actor, "workspace.created", _target(workspace), plan=plan)
    await members.add_member(session, actor, user=owner, role=Role.OWNER)
    return workspace


async def update_workspace(
    session: Session, access: WorkspaceAccess, *, name: str | None = None, settings: dict[str, Any] | None = None
) -> Workspace:
    """What is None stays; of ``settings`` only the keys that are given change."""
    access.require(Permission.WORKSPACE_UPDATE)
    workspace = await lock_workspace(session)
    changes: dict[str, Any] = {}
    if name is not None and (clean := rules.clean_name(name)) != workspace.name:
        changes["name"] = [workspace.name, clean]
        workspace.name = clean
    if settings:
        if "timezone" in settings:
            rules.check_timezone(settings["timezone"])
        for key, value in settings.items():
            if workspace.settings.get(key) != value:
                changes[key] = [workspace.settings.get(key), value]
        workspace.settings = {**workspace.settings, **settings}
    if changes:
        await _changed(session, access, workspace, "workspace.updated", **changes)
    return workspace


async def set_status(session: Session, actor: Actor, status: Status) -> Workspace:
    """Suspend, cancel or reopen: from now on everybody is shut out, or not. Their sockets close either way."""
    workspace = await lock_workspace(session)
    before = workspace.status
    if before != status:
        workspace.status = status
        await _changed(session, actor, workspace, STATUS_ACTIONS[status], before=before)
        reconnect_workspace(session, workspace.id)
    return workspace


async def set_plan(session: Session, actor: Actor, plan: Plan) -> Workspace:
    """Who is over the new plan's limits keeps what there is and cannot add to it."""
    workspace = await lock_workspace(session)
    before = workspace.plan
    if before != plan:
        workspace.plan = plan
        await _changed(session, actor, workspace, "workspace.plan_changed", before=before, after=plan)
    return workspace


async def _changed(session: Session, actor: Actor, workspace: Workspace, action: str, **details: Any) -> None:
    workspace.version += 1
    await session.flush()
    await audit.record(session, actor, action, _target(workspace), **details)
    announce_workspace(session, workspace_public(workspace))


async def _check_may_found(session: Session, owner: User) -> None:
    owned = await session.fetch(members.COUNT_OWNED, user_id=owner.id)
    if owned[0][0] >= MAX_OWNED:
        raise conflict("workspace.too_many", limit=MAX_OWNED)


async def _insert(session: Session, slug: str, **values: Any) -> Workspace:
    """Under the first free form of its slug."""
    for suffix in ("", "-2", "-3", *(f"-{secrets.token_hex(3)}" for _ in range(3))):
        wanted = slug[: rules.SLUG_LENGTH] + suffix
        if await session.scalar(sa.select(Workspace.id).where(Workspace.slug == wanted)):
            continue
        workspace = Workspace(slug=wanted, **values)
        try:
            async with session.begin_nested():
                session.add(workspace)
        except IntegrityError:
            continue  # somebody founded one of this name at the same moment
        return workspace
    raise conflict("workspace.name_taken")


def _target(workspace: Workspace) -> Target:
    return Target("workspace", workspace.id, workspace.name)
