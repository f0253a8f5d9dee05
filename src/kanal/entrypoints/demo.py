"""The demo workspace: made through the same actions as everything else, once per database."""

from __future__ import annotations

import io
import math
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from PIL import Image, ImageDraw

from kanal.entrypoints import demo_story as story
from kanal.entrypoints.bootstrap import Node
from kanal.entrypoints.demo_story import Line
from kanal.files import actions as file_actions
from kanal.identity.access import WorkspaceAccess, access_of
from kanal.identity.actions import accounts, members, workspaces
from kanal.identity.audit import SYSTEM
from kanal.identity.models import Member, User, Workspace
from kanal.identity.rules import Locale, Plan, Role
from kanal.kit import clock
from kanal.kit.events import Event
from kanal.kit.ids import new_id
from kanal.kit.tenancy import across_tenants
from kanal.rooms import actions, message_actions
from kanal.rooms.models import Message, Room, RoomMember
from kanal.rooms.sending import Outgoing, send_messages

SLUG = "kopi-nusantara"
FOUNDED = timedelta(days=4)
READ_BEFORE = timedelta(hours=3)  # what is older has been read by everybody

log = structlog.get_logger(__name__)
Account = tuple[str, str, str]


async def ensure(node: Node) -> list[Account]:
    """The sign-ins (e-mail, name, password) of the demo, which is made when the database has no people yet.

    A database with people but without the demo is somebody's own: nothing is made and nobody is shown.
    """
    async with node.database.reading(None) as session:
        if await session.scalar(sa.select(Workspace.id).where(Workspace.slug == SLUG)):
            return accounts_shown()
        if await session.scalar(sa.select(User.id).limit(1)):
            return []
    await _Stage(node).perform()
    return accounts_shown()


def accounts_shown() -> list[Account]:
    return [(p.email, p.name, story.PASSWORD) for p in story.PEOPLE if p.key in story.SHOWN]


class _Stage:
    """Builds the demo step by step; keeps who and what the story's keys stand for."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.database = node.database
        self.workspace_id = new_id()
        self.people: dict[str, WorkspaceAccess] = {}
        self.rooms: dict[str, UUID] = {}
        self.said: dict[str, UUID] = {}

    async def perform(self) -> None:
        await self._people()
        await self._rooms()
        await self._date_back()
        now = clock.now()
        for line in sorted((*story.TALK, *story.DIRECT_TALK), key=lambda one: one.said_at(now)):
            await self._say(line, line.said_at(now))
        await self._read()
        log.info("demo.made", people=len(self.people), rooms=len(self.rooms))

    async def _people(self) -> None:
        ids: dict[str, UUID] = {}
        password_hash = ""
        for person in story.PEOPLE:
            account = (
                await accounts.prepare(
                    self.node.identity,
                    name=person.name,
                    email=person.email,
                    password=story.PASSWORD,
                    locale=Locale(person.locale),
                )
                if not password_hash
                else accounts.NewAccount(
                    id=new_id(),
                    name=person.name,
                    email=person.email,
                    locale=Locale(person.locale),
                    password_hash=password_hash,
                )
            )
            password_hash = account.password_hash
            async with self.database.transaction(None) as session:
                await accounts.create_user(session, SYSTEM, account)
            ids[person.key] = account.id
        async with self.database.transaction(self.workspace_id) as session:
            owner = await session.get_one(User, ids[story.PEOPLE[0].key])
            await workspaces.create_workspace(
                session, SYSTEM, owner=owner, name=story.WORKSPACE, plan=Plan.PREMIUM, slug=SLUG
            )
            for person in story.PEOPLE[1:]:
                user = await session.get_one(User, ids[person.key])
                await members.add_member(session, SYSTEM, user=user, role=Role(person.role))
        for key, user_id in ids.items():
            self.people[key] = await access_of(self.database, self.workspace_id, user_id)
        async with self.database.transaction(self.workspace_id) as session:
            founder = self.people[story.PEOPLE[0].key]
            await workspaces.update_workspace(session, founder, settings={"timezone": story.ZONE})

    async def _rooms(self) -> None:
        founder = self.people[story.PEOPLE[0].key]
        for room in story.ROOMS:
            async with self.database.transaction(self.workspace_id) as session:
                made = await actions.create_room(
                    session,
                    founder,
                    name=room.name,
                    topic=room.topic,
                    visibility=room.visibility,
                    member_ids=[str(self.people[k].user_id) for k in room.members],
                )
            self.rooms[room.key] = UUID(made.id)
        for one, other in story.DIRECT:
            async with self.database.transaction(self.workspace_id) as session:
                made = await actions.open_direct(session, self.people[one], [str(self.people[other].user_id)])
            self.rooms[f"{one}+{other}"] = UUID(made.id)

    async def _date_back(self) -> None:
        """The rooms are older than what is said in them."""
        founded = clock.now() - FOUNDED
        plain = {"synchronize_session": False}
        async with self.database.transaction(self.workspace_id) as session:
            await session.execute(
                sa.update(Room).values(created_at=founded, last_activity_at=founded), execution_options=plain
            )
            await session.execute(sa.update(RoomMember).values(joined_at=founded), execution_options=plain)
            await session.execute(sa.update(Message).values(created_at=founded), execution_options=plain)
            await session.execute(sa.update(Member).values(joined_at=founded), execution_options=plain)
            # What was announced so far bears today's times, and nobody was there to hear it.
            await session.execute(
                sa.delete(Event).where(Event.workspace_id == self.workspace_id),
                execution_options={
                    **plain,
                    **across_tenants("the log belongs to the kit; this is one workspace's part"),
                },
            )

    async def _say(self, line: Line, at: datetime) -> None:
        author = self.people[line.who]
        text = line.text.replace("@all", "<@all>")
        for key, person in self.people.items():
            text = text.replace(f"@{key}", f"<@{person.user_id}>")
        attachments: tuple[UUID, ...] = ()
        if line.picture:
            attachments = (await self._picture(author),)
        outgoing = Outgoing(
            access=author,
            room_id=self.rooms[line.room],
            client_id=new_id(),
            body=text,
            parent_id=self.said.get(line.reply_to),
            quote_id=self.said.get(line.quotes),
            attachment_ids=attachments,
            sent_at=clock.to_milliseconds(at),
        )
        async with self.database.transaction(self.workspace_id) as session:
            sent = (await send_messages(session, [outgoing]))[0]
        if isinstance(sent, Exception):
            raise sent
        message_id = UUID(msgspec.json.decode(sent.json)["id"])
        if line.label:
            self.said[line.label] = message_id
        for emoji, keys in line.reactions.items():
            for key in keys:
                if self.people[key].role is not Role.VIEWER:
                    async with self.database.transaction(self.workspace_id) as session:
                        await message_actions.react(session, self.people[key], message_id, emoji, add=True)

    async def _picture(self, author: WorkspaceAccess) -> UUID:
        async def content() -> AsyncIterator[bytes]:
            yield roast_curve()

        file = await file_actions.store_upload(
            self.database,
            self.node.files.storage,
            author,
            name="roast-214.png",
            stream=content(),
            limit=author.limits.max_file_bytes,
        )
        return file.id

    async def _read(self) -> None:
        """Everybody has read what is old and what they answered, so that a sign-in shows believable numbers."""
        before = clock.now() - READ_BEFORE
        async with self.database.transaction(self.workspace_id) as session:
            for member in (await session.scalars(sa.select(RoomMember))).all():
                member.read_sequence = (
                    await session.scalar(
                        sa.select(sa.func.coalesce(sa.func.max(Message.sequence), 0)).where(
                            Message.room_id == member.room_id,
                            sa.or_(Message.created_at < before, Message.user_id == member.user_id),
                        )
                    )
                    or 0
                )


def roast_curve() -> bytes:
    """A picture for the demo, drawn: bean temperature over time, as roasters look at it."""
    width, height, scale = 960, 540, 2
    image = Image.new("RGB", (width * scale, height * scale), "#fbf7f1")
    draw = ImageDraw.Draw(image)
    left, right, top, bottom = 70 * scale, (width - 30) * scale, 40 * scale, (height - 50) * scale
    for i in range(6):
        y = top + (bottom - top) * i // 5
        draw.line((left, y, right, y), fill="#e6ddd0", width=scale)
    for i in range(12):
        x = left + (right - left) * i // 11
        draw.line((x, top, x, bottom), fill="#f0e9de", width=scale)

    def curve(value: Callable[[float], float], colour: str, thick: int) -> None:
        points = []
        for step in range(241):
            t = step / 240
            points.append((left + (right - left) * t, bottom - (bottom - top) * value(t)))
        draw.line(points, fill=colour, width=thick * scale, joint="curve")

    curve(
        lambda t: 0.42 * math.exp(-9 * t) + 0.30 + 0.62 * (1 - math.exp(-2.1 * t)) - 0.30 * math.exp(-14 * t),
        "#8a4b2a",
        5,
    )
    curve(lambda t: 0.12 + 0.62 * math.exp(-((t - 0.12) ** 2) / 0.05) * (1 - 0.4 * t), "#2a8c82", 3)
    crack = left + (right - left) * 0.82
    draw.line((crack, top, crack, bottom), fill="#c2703d", width=2 * scale)
    out = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()
