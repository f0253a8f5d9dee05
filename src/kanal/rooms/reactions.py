"""What rooms do when something happens elsewhere, in the same transaction."""

from __future__ import annotations

from uuid import UUID

from kanal.files.models import File
from kanal.files.schemas import view
from kanal.identity.events import MemberChanged
from kanal.kit.db import Session
from kanal.rooms import actions, message_actions


async def on_member_removed(session: Session, change: MemberChanged) -> None:
    """Whoever leaves the workspace leaves its rooms."""
    await actions.leave_everywhere(session, UUID(str(change.member.user_id)))


async def on_thumbnail_ready(session: Session, file: File) -> None:
    """The message that shows the picture shows its thumbnail from now on."""
    if file.item_id is not None:
        await message_actions.refresh_attachment(session, file.item_id, view(file))
