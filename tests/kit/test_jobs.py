"""The job ledger: queue, outbox and dashboard in one table, on each database (F-OP-03, F-OP-04)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

import kanal.kit.events.models  # noqa: F401 - the tables every database has
from kanal.kit import clock, jobs
from kanal.kit.db import Base, Database
from kanal.kit.ids import new_id
from kanal.kit.jobs import EmbeddedTransport, JobContext, JobType, PermanentFailure, Queue, Worker, enqueue
from kanal.kit.jobs.models import Job, JobLock, Schedule, State
from kanal.kit.jobs.schedule import Nothing, Periodic, Scheduler
from kanal.kit.jobs.worker import LEASE, backoff

_PLAIN = {"synchronize_session": False}


class Stop(Exception):
    """Ends a transaction, or a job."""


class Task(msgspec.Struct):
    name: str


TASK = JobType("test.task", Task)


@dataclass
class Shop:
    """A ledger and workers on it. ``done`` are the names of the tasks that were run, in order."""

    database: Database
    transport: EmbeddedTransport
    done: list[str] = field(default_factory=list)

    def worker(self, kind: JobType[Task] = TASK, handler: Callable[[JobContext, Task], Any] | None = None) -> Worker:
        async def note(_context: JobContext, task: Task) -> None:
            self.done.append(task.name)

        made = Worker(self.database, self.transport)
        made.handle(kind, handler or note)
        return made

    async def add(self, *names: str, kind: JobType[Task] = TASK, **options: Any) -> None:
        async with self.database.transaction(None) as session:
            for name in names:
                enqueue(session, kind, Task(name), **options)

    async def jobs(self) -> list[Job]:
        async with self.database.reading(None) as session:
            return list(await session.scalars(sa.select(Job).order_by(Job.id)))

    async def only(self) -> Job:
        (job,) = await self.jobs()
        return job

    async def states(self) -> list[int]:
        return [job.state for job in await self.jobs()]

    async def change(self, **values: Any) -> None:
        async with self.database.transaction(None) as session:
            await session.execute(sa.update(Job).values(**values), execution_options=_PLAIN)

    async def pass_time(self, by: timedelta) -> None:
        """Everything that waits becomes due that much sooner, and leases end."""
        async with self.database.transaction(None) as session:
            for job in (await session.scalars(sa.select(Job))).all():
                job.run_at -= by
                if job.lease_until is not None:
                    job.lease_until -= by


@asynccontextmanager
async def open_shop(url: str) -> AsyncIterator[Shop]:
    database, transport = Database(url), EmbeddedTransport()
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    database.before_commit.append(jobs.store_pending)
    database.after_commit.append(transport.announce)
    async with database.transaction(None) as session:
        for model in (Job, JobLock, Schedule):
            await session.execute(sa.delete(model), execution_options=_PLAIN)
    yield Shop(database, transport)
    await database.close()


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with open_shop(database_url) as made:
        yield made


@pytest.fixture
async def home(sqlite_url: str) -> AsyncIterator[Shop]:
    async with open_shop(sqlite_url) as made:
        yield made


class TestWriting:
    async def test_a_job_is_stored_with_the_data_or_not_at_all(self, shop: Shop) -> None:
        async def fail() -> None:
            async with shop.database.transaction(None) as session:
                enqueue(session, TASK, Task("lost"))
                raise Stop

        with pytest.raises(Stop):
            await fail()
        workspace = new_id()
        async with shop.database.transaction(workspace) as session:
            enqueue(session, TASK, Task("kept"))
        job = await shop.only()
        assert (job.name, job.payload, job.state, job.workspace_id) == (
            "test.task", '{"name":"kept"}', State.READY, workspace,
        )  # fmt: skip

    async def test_a_unique_job_waits_once(self, shop: Shop) -> None:
        await shop.add("a", "b", unique="same")
        await shop.add("c", unique="same")
        await shop.add("d", unique="other")
        await shop.add("e", unique="same", kind=JobType("another.kind", Task))
        assert [msgspec.json.decode(j.payload)["name"] for j in await shop.jobs()] == ["a", "d", "e"]

    async def test_a_unique_job_may_come_again_when_it_is_done(self, shop: Shop) -> None:
        worker = shop.worker()
        for name in ("first", "second"):
            await shop.add(name, unique="same")
            await worker.drain()
        assert shop.done == ["first", "second"]

    async def test_two_transactions_that_add_it_at_once_both_succeed(self, shop: Shop) -> None:
        """Whoever comes second finds the work standing for both; the data each of them wrote is kept."""
        entered = asyncio.Barrier(2)

        async def add(name: str) -> None:
            async with shop.database.transaction(None) as session:
                session.add(Schedule(name=name, next_at=clock.now()))
                enqueue(session, TASK, Task(name), unique="same")
                enqueue(session, TASK, Task(f"{name}'s own"))
                if shop.database.dialect != "sqlite":  # whose one writer lets nobody in beside it
                    await session.flush()
                    await entered.wait()

        await asyncio.gather(add("one"), add("two"))
        names = sorted(msgspec.json.decode(j.payload)["name"] for j in await shop.jobs())
        assert len([n for n in names if n in ("one", "two")]) == 1
        assert [n for n in names if "own" in n] == ["one's own", "two's own"]
        async with shop.database.reading(None) as session:
            assert len((await session.scalars(sa.select(Schedule))).all()) == 2

    async def test_keys_have_a_limit(self, home: Shop) -> None:
        with pytest.raises(ValueError, match="100"):
            await home.add("x", unique="k" * 101)


class TestRunning:
    async def test_urgent_work_goes_first(self, shop: Shop) -> None:
        order: list[str] = []

        async def note(_context: JobContext, task: Task) -> None:
            order.append(task.name)

        worker = Worker(shop.database, shop.transport, concurrency=1)
        for queue in (Queue.LOW, Queue.DEFAULT, Queue.URGENT, Queue.HIGH):
            kind = JobType(f"test.{queue.name}", Task, queue=queue)
            worker.handle(kind, note)
            await shop.add(f"{queue.name} 1", f"{queue.name} 2", kind=kind)
        await worker.drain()
        assert order == [f"{q.name} {i}" for q in Queue for i in (1, 2)]

    async def test_delayed_work_waits(self, shop: Shop) -> None:
        worker = shop.worker()
        await shop.add("later", delay=timedelta(minutes=1))
        assert await worker.drain() == 0
        await shop.pass_time(timedelta(minutes=1))
        assert await worker.drain() == 1

    async def test_kinds_without_a_handler_are_left_to_others(self, home: Shop) -> None:
        await home.add("x", kind=JobType("somebody.elses", Task))
        assert await home.worker().drain() == 0
        assert await home.states() == [State.READY]

    async def test_jobs_of_one_key_run_one_at_a_time(self, shop: Shop) -> None:
        """Also on two workers; jobs of other keys go on meanwhile."""
        running: Counter[str] = Counter()
        highest: Counter[str] = Counter()

        async def work(_context: JobContext, task: Task) -> None:
            key = task.name[0]
            running[key] += 1
            highest[key] = max(highest[key], running[key])
            await asyncio.sleep(0.005)
            running[key] -= 1

        for key in "ab":
            await shop.add(*(f"{key}{i}" for i in range(5)), serial=key)
        workers = [shop.worker(handler=work) for _ in range(2)]
        while State.READY in await shop.states():
            await asyncio.gather(*(w.drain() for w in workers))
        assert highest == {"a": 1, "b": 1}
        assert set(await shop.states()) == {State.DONE}
        async with shop.database.reading(None) as session:
            assert (await session.scalars(sa.select(JobLock))).all() == []

    async def test_two_workers_never_run_a_job_twice(self, shop: Shop) -> None:
        await shop.add(*(str(i) for i in range(40)))
        elsewhere = Database(shop.database.url.render_as_string(hide_password=False))
        other = Worker(elsewhere, EmbeddedTransport())
        here = shop.worker()
        other.handle(*here._handlers[TASK.name])
        await asyncio.gather(here.drain(), other.drain(), here.drain())
        await elsewhere.close()
        assert sorted(shop.done, key=int) == [str(i) for i in range(40)]
        assert set(await shop.states()) == {State.DONE}

    async def test_a_waiting_worker_is_woken(self, home: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kanal.kit.jobs.worker.POLL_EVERY", 3600.0)
        done, stop = asyncio.Event(), asyncio.Event()

        async def note(_context: JobContext, _task: Task) -> None:
            done.set()

        worker = home.worker(handler=note)
        running = asyncio.create_task(worker.run(stop))
        await asyncio.sleep(0.05)  # it has found nothing and waits
        await home.add("now")
        await asyncio.wait_for(done.wait(), 10)
        stop.set()
        await home.transport.announce({"jobs": 1})
        await running
        assert worker.succeeded == 1

    async def test_a_stopping_worker_lets_its_jobs_end(self, home: Shop) -> None:
        begun, stop = asyncio.Event(), asyncio.Event()

        async def slow(_context: JobContext, task: Task) -> None:
            begun.set()
            await asyncio.sleep(0.1)
            home.done.append(task.name)

        await home.add("slow")
        running = asyncio.create_task(home.worker(handler=slow).run(stop))
        await begun.wait()
        stop.set()
        await running
        assert (home.done, await home.states()) == (["slow"], [State.DONE])


class TestFailing:
    async def test_a_failure_is_tried_again_later_and_buried_in_the_end(self, shop: Shop) -> None:
        seen: list[tuple[int, bool]] = []

        async def fail(context: JobContext, _task: Task) -> None:
            seen.append((context.attempt, context.last_attempt))
            raise Stop("on purpose")

        worker = shop.worker(handler=fail)
        await shop.add("x", unique="x")
        for wait in (10, 30, 60):
            before = clock.now()
            assert await worker.drain() == 1
            job = await shop.only()
            assert job.state == State.READY
            assert 0.79 * wait < (job.run_at - before).total_seconds() < 1.2 * wait + 5
            assert "on purpose" in (job.error or "")
            assert await worker.drain() == 0, "not before its time"
            await shop.pass_time(timedelta(seconds=wait * 1.3 + 5))
        await worker.drain()
        job = await shop.only()
        assert (job.state, job.attempts, job.unique_key, worker.failed) == (State.DEAD, 4, None, 4)
        assert job.finished_at is not None
        assert seen == [(1, False), (2, False), (3, False), (4, True)]

    async def test_what_cannot_succeed_is_not_tried_again(self, home: Shop) -> None:
        async def give_up(_context: JobContext, _task: Task) -> None:
            raise PermanentFailure("no such thing")

        await home.add("x")
        await home.worker(handler=give_up).drain()
        assert await home.states() == [State.DEAD]

    async def test_a_job_has_so_much_time(self, home: Shop) -> None:
        async def hang(_context: JobContext, _task: Task) -> None:
            await asyncio.sleep(60)

        hurried = JobType("test.hurried", Task, timeout=timedelta(milliseconds=20))
        await home.add("x", kind=hurried)
        await home.worker(hurried, hang).drain()
        job = await home.only()
        assert job.state == State.READY
        assert "TimeoutError" in (job.error or "")

    async def test_a_payload_that_no_longer_fits_is_a_failure_like_any_other(self, home: Shop) -> None:
        await home.add("x")
        await home.change(payload='{"title": 1}')
        await home.worker().drain()
        assert "ValidationError" in ((await home.only()).error or "")

    def test_waits_differ_so_that_nobody_asks_all_at_once(self) -> None:
        waits = {backoff(1).total_seconds() for _ in range(20)}
        assert len(waits) > 10
        assert all(8 <= w <= 12 for w in waits)
        assert 48 <= backoff(50).total_seconds() <= 72


class TestLeases:
    """A worker that dies keeps its jobs for the time of a lease, no longer."""

    async def test_the_dead_give_back_what_they_held(self, shop: Shop) -> None:
        await shop.add("x", serial="key")
        dead, heir = shop.worker(), shop.worker()
        assert len(await dead._claim(8)) == 1  # and now it is killed
        assert await heir.drain() == 0
        assert await heir.reap() == 0, "its lease still runs"
        await shop.pass_time(LEASE)
        await asyncio.sleep(0.002)
        assert await heir.reap() == 1
        assert await heir.drain() == 1
        assert (shop.done, (await shop.only()).attempts) == (["x"], 2)

    async def test_a_job_that_kills_its_workers_is_buried(self, shop: Shop) -> None:
        await shop.add("x", unique="x")
        await shop.change(attempts=3)
        worker = shop.worker()
        await worker._claim(8)
        await shop.pass_time(LEASE)
        await asyncio.sleep(0.002)
        await worker.reap()
        job = await shop.only()
        assert (job.state, job.error, job.unique_key) == (State.DEAD, "worker died", None)

    async def test_the_living_renew_their_leases(self, home: Shop) -> None:
        begun, end = asyncio.Event(), asyncio.Event()

        async def slow(_context: JobContext, _task: Task) -> None:
            begun.set()
            await end.wait()

        await home.add("x")
        worker = home.worker(handler=slow)
        await worker._start(1)
        await begun.wait()
        await home.pass_time(LEASE - timedelta(seconds=5))
        await worker._extend()
        lease = (await home.only()).lease_until
        assert lease is not None
        assert lease > clock.now() + LEASE - timedelta(seconds=2)
        end.set()
        await asyncio.gather(*worker._running.values())

    async def test_who_comes_back_from_the_dead_changes_nothing(self, shop: Shop) -> None:
        """It stalled past its lease: the job and its lock belong to the one who runs it now."""
        await shop.add("x", serial="key")
        stalled, heir = shop.worker(), shop.worker()
        (row,) = await stalled._claim(8)
        await shop.pass_time(LEASE)
        await asyncio.sleep(0.002)
        await heir.reap()
        await heir._claim(8)
        await stalled._finish(row, error=None, final=True)
        job = await shop.only()
        assert (job.state, job.owner) == (State.RUNNING, heir.owner)
        await shop.add("y", serial="key")
        assert await shop.worker().drain() == 0, "the lock still stands"


async def test_two_schedulers_start_periodic_work_once(shop: Shop) -> None:
    kind = JobType("test.periodic", Nothing)
    entries = [Periodic(kind, timedelta(hours=1))]
    elsewhere = Database(shop.database.url.render_as_string(hide_password=False))
    elsewhere.before_commit.append(jobs.store_pending)
    schedulers = [Scheduler(shop.database, entries), Scheduler(elsewhere, entries)]
    for expected in (1, 1, 2):
        await asyncio.gather(*(s.tick() for s in schedulers))
        assert len(await shop.jobs()) == expected
        if await shop.states() == [State.READY] and expected == 1:
            await shop.change(state=State.DONE, unique_key=None)
        else:
            async with shop.database.transaction(None) as session:
                await session.execute(sa.update(Schedule).values(next_at=clock.now()), execution_options=_PLAIN)
    await elsewhere.close()
