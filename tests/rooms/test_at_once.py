"""Everything at once: no deadlock, nothing unforeseen, and numbers that add up in the end, on each database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

import sqlalchemy as sa

from kanal.kit.errors import KanalError
from kanal.rooms.models import Message, Room, RoomMember
from tests.rooms.test_snapshots import STEPS, open_stage
from tests.support.world import World

SEED = 20261120
CLIENTS, STEPS_EACH = 12, 30


async def test_what_many_do_at_once_adds_up(world: World) -> None:
    stage = await open_stage(world)
    random = Random(SEED)
    names = [name for name in STEPS if name != "hide"]  # archived rooms would end the play early

    async def act() -> None:
        for _ in range(STEPS_EACH):
            who, other = random.choices(stage.people, k=2)
            with suppress(KanalError):  # refused; anything else is a failure
                await STEPS[random.choice(names)](stage, who, other, random.randrange(10), random.randrange(10))

    await asyncio.gather(*(act() for _ in range(CLIENTS)))
    async with world.database.reading(stage.people[0].workspace_id) as session:
        rooms = (await session.scalars(sa.select(Room))).all()
        members = (await session.scalars(sa.select(RoomMember))).all()
        messages = (await session.scalars(sa.select(Message).order_by(Message.sequence))).all()
    assert len(messages) > 50, "hardly anything happened"
    for room in rooms:
        here = [m for m in members if m.room_id == room.id]
        said = [m for m in messages if m.room_id == room.id]
        assert room.member_count == len(here)
        assert here == [] or room.kind == "direct" or any(m.role == "owner" for m in here)
        assert [m.sequence for m in said] == list(range(1, room.last_sequence + 1)), "a number missing, or twice"
        assert room.last_message["id"] == str([m for m in said if m.parent_id is None][-1].id)
        for message in said:
            assert message.reply_count == sum(m.parent_id == message.id for m in said)
        assert all(m.read_sequence <= room.last_sequence for m in here)
