"""The tables ``jobs``, ``job_locks`` and ``schedules``."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, BigKey, Id, Instant, LongText


class State(IntEnum):
    """READY waits for ``run_at``; DEAD has used up its attempts and stays for a person to look at."""

    READY = 0
    RUNNING = 1
    DONE = 2
    DEAD = 3


class Job(Base):
    """One piece of work. Times of the lease are milliseconds by the database users' clocks, seconds apart at most."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    workspace_id: Mapped[UUID | None] = mapped_column(Id)
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    name: Mapped[str] = mapped_column(sa.String(80))
    payload: Mapped[str] = mapped_column(LongText)
    state: Mapped[int] = mapped_column(sa.SmallInteger, default=State.READY, server_default="0")
    run_at: Mapped[datetime] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    owner: Mapped[str | None] = mapped_column(sa.String(80))
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, default=0, server_default="0")
    max_attempts: Mapped[int] = mapped_column(sa.SmallInteger)
    unique_key: Mapped[str | None] = mapped_column(sa.String(120))
    serial_key: Mapped[str | None] = mapped_column(sa.String(120))
    error: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    __table_args__ = (
        sa.UniqueConstraint("unique_key"),
        sa.Index(None, "state", "priority", "run_at"),
        sa.Index(None, "state", "lease_until"),
        TABLE_OPTIONS,
    )


class JobLock(Base):
    """Held while a job with this ``serial_key`` runs: one at a time per key, whoever claims."""

    __tablename__ = "job_locks"
    serial_key: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.BigInteger)
    __table_args__ = (TABLE_OPTIONS,)


class Schedule(Base):
    """When a periodic job is due next; whoever moves ``next_at`` forward enqueues it."""

    __tablename__ = "schedules"
    name: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    next_at: Mapped[datetime] = mapped_column(Instant)
    __table_args__ = (TABLE_OPTIONS,)
