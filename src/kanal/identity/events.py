"""What identity announces, on `presence-workspace.{ws}`: the new state of a member or of the workspace."""

from __future__ import annotations

from uuid import UUID

import msgspec

from kanal.identity.access import member_scope, workspace_scope
from kanal.identity.schemas import MemberView, WorkspacePublic
from kanal.kit import events
from kanal.kit.db import Session

RECONNECT = 4200
"""Pusher's "reconnect at once". One socket serves all workspaces of a browser, so it comes back and is granted anew what its
user may still have; 4009 would end it for the other workspaces too."""


class MemberChanged(msgspec.Struct):
    """The payload of the member events."""

    member: MemberView


class WorkspaceChanged(msgspec.Struct):
    """The payload of `WORKSPACE_UPDATED`."""

    workspace: WorkspacePublic


MEMBER_JOINED = events.EventType("member.joined", MemberChanged, "Somebody is a member of the workspace now.")
MEMBER_UPDATED = events.EventType("member.updated", MemberChanged, "A member's name or role changed.")
MEMBER_REMOVED = events.EventType(
    "member.removed", MemberChanged, "Somebody left the workspace or was removed from it."
)
WORKSPACE_UPDATED = events.EventType("workspace.updated", WorkspaceChanged, "Name, settings, plan or status changed.")


def workspace_channel(workspace_id: UUID) -> str:
    """Everybody of a workspace, and who of them is online."""
    return f"presence-workspace.{workspace_id}"


def announce_member(session: Session, kind: events.EventType[MemberChanged], member: MemberView) -> None:
    """On the channel of the session's workspace."""
    if session.workspace_id is None:
        raise ValueError("members are announced in a workspace's session")
    events.record(session, kind, MemberChanged(member), channels=[workspace_channel(session.workspace_id)])


def announce_workspace(session: Session, workspace: WorkspacePublic) -> None:
    events.record(session, WORKSPACE_UPDATED, WorkspaceChanged(workspace), channels=[workspace_channel(workspace.id)])


def reconnect_member(session: Session, workspace_id: UUID, user_id: UUID) -> None:
    """Have a member's sockets ask anew for everything they are subscribed to."""
    events.terminate(session, member_scope(workspace_id, user_id), code=RECONNECT)


def reconnect_workspace(session: Session, workspace_id: UUID) -> None:
    """The same for everybody in a workspace."""
    events.terminate(session, workspace_scope(workspace_id), code=RECONNECT)
