"""The job ledger: a job is a row, written in the same transaction as the work it stands for.

The row is outbox, state and dashboard in one. Workers claim rows under a lease and renew it; a reaper gives back what a
dead worker held. A transport only wakes workers sooner, so losing it delays and never loses.
"""

from kanal.kit.jobs.ledger import JobType, Queue, enqueue, store_pending
from kanal.kit.jobs.models import Job, JobLock, Schedule
from kanal.kit.jobs.schedule import Periodic, Scheduler
from kanal.kit.jobs.transport import EmbeddedTransport, Transport
from kanal.kit.jobs.worker import JobContext, PermanentFailure, Worker

__all__ = [
    "EmbeddedTransport",
    "Job",
    "JobContext",
    "JobLock",
    "JobType",
    "Periodic",
    "PermanentFailure",
    "Queue",
    "Schedule",
    "Scheduler",
    "Transport",
    "Worker",
    "enqueue",
    "store_pending",
]
