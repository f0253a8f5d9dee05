"""Attaching, removing and forgetting, on each database (F-RO-02, F-OP-05)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from kanal.files import actions, jobs
from kanal.files.models import File, State
from kanal.files.schemas import AttachmentView, view
from kanal.identity.access import WorkspaceAccess
from kanal.kit import clock
from kanal.kit.errors import KanalError, Kind
from kanal.kit.ids import new_id
from kanal.kit.jobs import enqueue
from kanal.kit.jobs.models import Job
from kanal.kit.jobs.models import State as JobState
from kanal.kit.jobs.schedule import Nothing
from tests.files import samples
from tests.files.conftest import World


async def upload(world: World, who: WorkspaceAccess, content: bytes = b"text", name: str = "a.txt") -> File:
    async def stream() -> AsyncIterator[bytes]:
        yield content

    limit = who.limits.max_file_bytes
    return await actions.store_upload(world.database, world.files.storage, who, name=name, stream=stream(), limit=limit)


async def attach(world: World, who: WorkspaceAccess, *ids: UUID, room: UUID | None = None) -> list[AttachmentView]:
    async with world.database.transaction(who.workspace_id) as session:
        return await actions.attach(session, ids, who.user_id, "room", room or new_id(), item_id=new_id())


async def age(world: World, file: File, by: timedelta) -> None:
    async with world.database.transaction(file.workspace_id) as session:
        old = await session.get_one(File, (file.workspace_id, file.id))
        old.created_at -= by


async def clean_up(world: World) -> None:
    async with world.database.transaction(None) as session:
        enqueue(session, jobs.CLEAN_UP, Nothing())
    await world.worker.drain()


async def test_an_upload_is_stored_with_its_row_and_its_job(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    file = await upload(each_world, someone, samples.picture(size=(960, 480)), "a.png")
    assert (file.state, file.width, file.height, file.attached_at) == (State.PROCESSING, 960, 480, None)
    assert file.storage_key in each_world.stored()
    await each_world.worker.drain()
    after = await each_world.file(someone, file.id)
    assert after is not None
    assert after.state == State.READY
    assert after.thumbnail_key in each_world.stored()


async def test_attaching_gives_views_in_the_order_asked(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    files = [await upload(each_world, someone, name=f"{i}.txt") for i in range(3)]
    order = [files[2].id, files[0].id, files[2].id, files[1].id]
    views = await attach(each_world, someone, *order)
    assert [v.name for v in views] == ["2.txt", "0.txt", "1.txt"]
    stored = await each_world.file(someone, files[0].id)
    assert stored is not None
    assert (stored.holder_kind, stored.attached_at is None, stored.item_id is None) == ("room", False, False)


async def test_nothing_to_attach_is_fine(each_world: World) -> None:
    assert await attach(each_world, await each_world.member(await each_world.workspace())) == []


async def test_only_own_files_of_this_workspace_are_attached(each_world: World) -> None:
    workspace = await each_world.workspace()
    me, other = await each_world.member(workspace), await each_world.member(workspace)
    elsewhere = await each_world.member(await each_world.workspace())
    mine = (await upload(each_world, me)).id
    for foreign in ((await upload(each_world, other)).id, (await upload(each_world, elsewhere)).id, new_id()):
        with pytest.raises(KanalError) as refused:
            await attach(each_world, me, mine, foreign)
        assert refused.value.kind is Kind.UNPROCESSABLE
        assert refused.value.fields == {"attachment_ids": "file.unavailable"}
    file = await each_world.file(me, mine)
    assert file is not None
    assert file.attached_at is None, "all or nothing"


async def test_a_file_has_one_place(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    file = await upload(each_world, someone)
    await attach(each_world, someone, file.id)
    with pytest.raises(KanalError, match=r"file\.attached"):
        await attach(each_world, someone, file.id)


async def test_of_two_messages_at_once_one_gets_the_file(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    file = await upload(each_world, someone)
    outcomes = await asyncio.gather(*(attach(each_world, someone, file.id) for _ in range(4)), return_exceptions=True)
    assert sorted(type(o).__name__ for o in outcomes) == ["KanalError"] * 3 + ["list"]


async def test_the_holder_hears_when_the_thumbnail_is_ready(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    attached = await upload(each_world, someone, samples.picture(), "a.png")
    loose = await upload(each_world, someone, samples.picture(), "b.png")
    assert (await attach(each_world, someone, attached.id))[0].state == "processing"
    await each_world.worker.drain()
    assert attached.id in each_world.announced
    assert loose.id not in each_world.announced
    shown = (await attach(each_world, someone, loose.id))[0]
    assert (shown.state, shown.thumbnail) == ("ready", True)
    assert shown.thumbnail_url == f"/api/v1/workspaces/{someone.workspace_id}/files/{loose.id}/thumbnail"


async def test_a_picture_that_cannot_be_decoded_becomes_a_plain_file(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    whole = samples.picture("JPEG", (600, 600))
    file = await upload(each_world, someone, whole[: len(whole) // 2], "half.jpg")
    assert file.state == State.PROCESSING
    await attach(each_world, someone, file.id)
    await each_world.worker.drain()
    after = await each_world.file(someone, file.id)
    assert after is not None
    assert after.state == State.FAILED
    assert after.id in each_world.announced
    shown = view(after)
    assert (shown.state, shown.width, shown.thumbnail) == ("ready", None, False)
    async with each_world.database.reading(None) as session:
        failed = await session.scalar(
            sa.select(sa.func.count()).where(Job.workspace_id == someone.workspace_id, Job.state != JobState.DONE)
        )
    assert failed == 0, "a broken picture is no broken job"


async def test_discarded_files_are_gone_with_their_content(each_world: World) -> None:
    someone = await each_world.member(await each_world.workspace())
    file = await upload(each_world, someone, samples.picture(), "a.png")
    await attach(each_world, someone, file.id)
    await each_world.worker.drain()
    async with each_world.database.transaction(someone.workspace_id) as session:
        await actions.discard(session, [file.id, new_id()])
    assert await each_world.file(someone, file.id) is None
    await each_world.worker.drain()
    assert not [key for key in each_world.stored() if str(file.id) in key]


async def test_a_session_of_another_workspace_discards_nothing(each_world: World) -> None:
    here = await each_world.member(await each_world.workspace())
    there = await each_world.workspace()
    file = await upload(each_world, here)
    async with each_world.database.transaction(there) as session:
        await actions.discard(session, [file.id])
    assert await each_world.file(here, file.id) is not None


async def test_unattached_uploads_are_forgotten_after_a_day(each_world: World) -> None:
    one, two = [await each_world.member(await each_world.workspace()) for _ in range(2)]
    old = [await upload(each_world, one), await upload(each_world, two)]
    fresh, kept = await upload(each_world, one), await upload(each_world, one)
    await attach(each_world, one, kept.id)
    for file in (*old, kept):
        await age(each_world, file, jobs.UNATTACHED_FOR + timedelta(minutes=1))
    await age(each_world, fresh, jobs.UNATTACHED_FOR - timedelta(minutes=1))
    await clean_up(each_world)
    stored = each_world.stored()
    assert [f.storage_key in stored for f in (*old, fresh, kept)] == [False, False, True, True]
    assert await each_world.file(one, old[0].id) is None
    assert await each_world.file(two, old[1].id) is None
    assert await each_world.file(one, fresh.id) is not None


async def test_many_are_forgotten_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    someone = await world.member(await world.workspace())
    files = [await upload(world, someone) for _ in range(5)]
    for file in files:
        await age(world, file, timedelta(days=2))
    await clean_up(world)
    assert [await world.file(someone, f.id) for f in files] == [None] * 5


async def test_a_thumbnail_of_a_file_that_is_gone_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await world.member(await world.workspace())
    file = await upload(world, someone, samples.picture(), "a.png")
    put = world.files.storage.put

    async def put_after_removal(key: str, content: bytes | Path) -> None:
        await put(key, content)
        async with world.database.transaction(someone.workspace_id) as session:
            await actions.discard(session, [file.id])

    monkeypatch.setattr(world.files.storage, "put", put_after_removal)
    await world.worker.drain()
    assert not [key for key in world.stored() if str(file.id) in key]


async def test_a_storage_that_is_away_delays_a_thumbnail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await world.member(await world.workspace())
    file = await upload(world, someone, samples.picture(), "a.png")

    async def away(_key: str, _content: Any) -> None:
        raise OSError("unreachable")

    monkeypatch.setattr(world.files.storage, "put", away)
    await world.worker.drain()
    waiting = await world.file(someone, file.id)
    assert waiting is not None
    assert waiting.state == State.PROCESSING
    async with world.database.transaction(None) as session:
        await session.execute(
            sa.update(Job).where(Job.state == JobState.READY).values(run_at=clock.now(), max_attempts=2)
        )
    await world.worker.drain()
    given_up = await world.file(someone, file.id)
    assert given_up is not None
    assert given_up.state == State.FAILED


async def test_a_row_that_cannot_be_written_leaves_no_content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await world.member(await world.workspace())
    before = world.stored()

    async def refuse(_session: Any) -> None:
        raise RuntimeError("the database is full")

    world.database.before_commit.append(refuse)
    with pytest.raises(RuntimeError):
        await upload(world, someone)
    assert world.stored() == before


async def test_a_failure_after_the_commit_keeps_what_was_acknowledged(world: World) -> None:
    someone = await world.member(await world.workspace())
    before = world.stored()

    async def fail(_outbox: Any) -> None:
        raise RuntimeError("announcing failed")

    world.database.after_commit.append(fail)
    with pytest.raises(RuntimeError):
        await upload(world, someone, samples.picture(), "a.png")
    (key,) = world.stored() - before
    assert await world.file(someone, UUID(key.rpartition("/")[2])) is not None
