"""Where the parts meet: settings become a node, with everything it needs and nothing global."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import msgspec
import structlog

import kanal.entrypoints.models  # noqa: F401 - the prefix is applied to every table
from kanal.entrypoints.app_sources import AppSources
from kanal.entrypoints.kanal_app import kanal_app, make_hub
from kanal.entrypoints.metrics import Metrics
from kanal.files import jobs as file_jobs
from kanal.files.config import Files
from kanal.identity import jobs as identity_jobs
from kanal.identity.config import Identity
from kanal.identity.events import MEMBER_REMOVED
from kanal.identity.passwords import Passwords
from kanal.identity.schemas import RealtimeInfo
from kanal.kit import events, jobs, mail
from kanal.kit.crypto import KeyRing
from kanal.kit.db import Database, apply_prefix
from kanal.kit.db.database import listen_for_slow_queries
from kanal.kit.events.log import REVOKE, TERMINATE, StoredEvent
from kanal.kit.events.relay import Relay
from kanal.kit.events.relay import prune as prune_events
from kanal.kit.i18n import Catalog
from kanal.kit.jobs.schedule import Nothing
from kanal.kit.jobs.worker import prune as prune_jobs
from kanal.kit.storage import Storage
from kanal.realtime.apps import App
from kanal.realtime.console.service import Console
from kanal.realtime.hub import Hub
from kanal.realtime.publisher import Delivery, Publication
from kanal.realtime.sources.table import AppTable
from kanal.realtime.webhooks.observer import Webhooks
from kanal.rooms import queries
from kanal.rooms import reactions as room_reactions
from kanal.rooms.sending import HOLDER, Sender
from kanal.settings import Settings, secret_keys

PACKAGES = ("kanal.kit", "kanal.identity", "kanal.files", "kanal.realtime", "kanal.rooms", "kanal.entrypoints")
PRUNE_LOGS = jobs.JobType("logs.prune", Nothing, queue=jobs.Queue.LOW)

log = structlog.get_logger(__name__)


class HubOutlet:
    """Events become publications on Kanal's app, commands become terminations and revocations."""

    def __init__(self, hub: Hub, app_id: str) -> None:
        self._hub = hub
        self._app_id = app_id

    async def deliver(self, events: Sequence[StoredEvent]) -> bool:
        publications = [
            Publication(self._app_id, channel, event.name, event.data(), event.except_socket)
            for event in events
            for channel in event.channels
        ]
        complete = True
        if publications:
            complete = await self._hub.publish(publications) is Delivery.CLUSTER
        for event in events:
            if not event.channels:
                complete = await self._command(event) and complete
        return complete

    async def _command(self, event: StoredEvent) -> bool:
        content = msgspec.json.decode(event.payload)
        if event.name == TERMINATE:
            done = await self._hub.terminate(self._app_id, content["scope"], code=content["code"])
        elif event.name == REVOKE:
            done = await self._hub.revoke(self._app_id, content["channel"], content["scope"])
        else:
            log.error("events.no_channels", name=event.name, sequence=event.sequence)
            return True
        return done is Delivery.CLUSTER


@dataclass(kw_only=True)
class Node:
    """One process of Kanal. ``start`` runs the background parts, ``stop`` ends them within their budget."""

    settings: Settings
    keys: KeyRing
    database: Database
    texts: Catalog
    metrics: Metrics
    hub: Hub
    sources: AppSources
    webhooks: Webhooks
    console: Console
    relay: Relay
    sender: Sender
    identity: Identity
    files: Files
    worker: jobs.Worker | None
    scheduler: jobs.Scheduler | None
    app: App
    demo_accounts: list[tuple[str, str, str]] = field(default_factory=list)
    draining: bool = False
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """The relay always, worker and scheduler when this node has those roles. The hub is the server's to start."""
        await self.sources.start()
        self._tasks.append(asyncio.create_task(self.relay.run(self._stopping)))
        self._tasks.append(asyncio.create_task(self.database.maintain(self._stopping)))
        if self.worker is not None:
            self._tasks.append(asyncio.create_task(self.worker.run(self._stopping)))
        if self.scheduler is not None:
            self._tasks.append(asyncio.create_task(self.scheduler.run(self._stopping)))

    async def stop(self) -> None:
        self._stopping.set()
        await self.sources.stop()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("node.stop_failed", exc_info=result)
        await self.identity.close()
        await self.database.close()


def build(settings: Settings, *, work: bool = True) -> Node:
    """Put a node together; nothing is connected yet. ``work``: whether it runs jobs and schedules.

    Raises ``OSError`` when the data folder cannot be written and ``ValueError`` for an address that makes no sense.
    """
    apply_prefix(settings.data.table_prefix)
    keys = KeyRing(secret_keys(settings))
    database = Database(settings.database_url, pool_size=settings.data.pool_size)
    listen_for_slow_queries(database, settings.log.slow_query / 1000, _report_slow)
    app = kanal_app(settings, keys)
    sources = AppSources(settings.server, app)
    sources.table = AppTable(database, keys, sources.registry)
    hub = make_hub(settings, sources)
    webhooks = Webhooks(hub, private=settings.server.webhooks_private)
    relay = Relay(database, HubOutlet(hub, app.id))
    transport = jobs.EmbeddedTransport()
    database.before_commit += [events.store_pending, jobs.store_pending]
    database.after_commit += [relay.announce, transport.announce]
    texts = Catalog(PACKAGES)
    smtp = mail.SmtpServer.from_url(settings.mail.smtp_url) if settings.mail.smtp_url else None
    mailer = mail.Mailer(keys, server=smtp, sender=settings.mail.sender)
    identity = Identity(
        database=database,
        keys=keys,
        texts=texts,
        mailer=mailer,
        passwords=Passwords(),
        realtime=RealtimeInfo(key=app.key),
        public_url=settings.public_url,
        session_idle=settings.security.session_idle,
        session_lifetime=settings.security.session_lifetime,
        allow_registration=settings.security.allow_registration,
    )
    files = Files(database=database, storage=Storage(settings.storage_url))
    files.readers.register(HOLDER, queries.may_read_room_file)
    worker = jobs.Worker(database, transport) if work else None
    if worker is not None:
        mailer.bind(worker)
        identity_jobs.bind(worker, identity)
        file_jobs.bind(worker, files, on_ready={HOLDER: room_reactions.on_thumbnail_ready})
        worker.handle(PRUNE_LOGS, partial(_prune_logs, database))
    periodic = [
        *mail.PERIODIC,
        *identity_jobs.PERIODIC,
        *file_jobs.PERIODIC,
        jobs.Periodic(PRUNE_LOGS, timedelta(hours=1)),
    ]
    events.react_to(MEMBER_REMOVED, room_reactions.on_member_removed)
    metrics = Metrics()
    metrics.watch(hub, webhooks, relay, worker)
    return Node(
        settings=settings,
        keys=keys,
        database=database,
        texts=texts,
        metrics=metrics,
        hub=hub,
        sources=sources,
        webhooks=webhooks,
        console=Console(hub),
        relay=relay,
        sender=Sender(database),
        identity=identity,
        files=files,
        worker=worker,
        scheduler=jobs.Scheduler(database, periodic) if work else None,
        app=app,
    )


async def _prune_logs(database: Database, _context: jobs.JobContext, _payload: Nothing) -> None:
    """The event log and the job ledger keep days, not years."""
    events_removed, jobs_removed = await prune_events(database), await prune_jobs(database)
    if events_removed or jobs_removed:
        log.info("logs.pruned", events=events_removed, jobs=jobs_removed)


def _report_slow(sql: str, seconds: float) -> None:
    log.warning("database.slow", milliseconds=round(seconds * 1000), sql=sql[:300])
