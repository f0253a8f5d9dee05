"""Queue, send, list and forget letters."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import aiosmtplib
import msgspec
import sqlalchemy as sa
import structlog

from kanal.kit import clock
from kanal.kit.crypto import KeyRing, WrongKeyError
from kanal.kit.db import Session
from kanal.kit.ids import new_id
from kanal.kit.jobs import JobContext, JobType, Periodic, PermanentFailure, Queue, Worker, enqueue
from kanal.kit.jobs.schedule import Nothing
from kanal.kit.mail.letters import Letter, as_message
from kanal.kit.mail.models import Mail
from kanal.kit.mail.smtp import RefusedError, SmtpServer

KEEP = timedelta(days=30)
ERROR_LENGTH = 500

log = structlog.get_logger(__name__)


class SendMail(msgspec.Struct):
    """The payload of `SEND`."""

    mail_id: UUID


SEND = JobType("mail.send", SendMail, queue=Queue.HIGH, timeout=timedelta(minutes=2))
PRUNE = JobType("mail.prune", Nothing, queue=Queue.LOW)
PERIODIC = [Periodic(PRUNE, timedelta(days=1))]


class SentMail(msgspec.Struct, kw_only=True):
    """A letter as operators see it. ``link`` is there only while nobody else could have received it."""

    id: UUID
    to: str
    subject: str
    kind: str
    link: str | None
    state: str
    error: str | None
    created_at: datetime


class Mailer:
    """Writes letters into the database and has them sent. Without a ``server`` they are logged."""

    def __init__(self, keys: KeyRing, *, server: SmtpServer | None, sender: str) -> None:
        self._keys = keys
        self._server = server
        self._sender = sender

    def bind(self, worker: Worker) -> None:
        """Have this worker send."""
        worker.handle(SEND, self.send)
        worker.handle(PRUNE, prune)

    def queue(self, session: Session, letter: Letter) -> None:
        """Send it once this transaction has committed."""
        mail = Mail(id=new_id(), kind=letter.kind, content=self._seal(letter), state="queued", created_at=clock.now())
        session.add(mail)
        enqueue(session, SEND, SendMail(mail.id))

    async def send(self, context: JobContext, payload: SendMail) -> None:
        """The handler of `SEND`. At least once: a worker that dies after the server's yes sends it again."""
        async with context.database.reading(None) as session:
            mail = await session.get(Mail, payload.mail_id)
        if mail is None or mail.state != "queued":
            return
        letter = self._open(mail)
        if self._server is None:
            log.info("mail.logged", kind=letter.kind, to=letter.to, subject=letter.subject, link=letter.link)
            await self._note(context, mail.id, state="logged")
            return
        try:
            await self._server.deliver(as_message(letter, sender=self._sender, message_id=str(mail.id)))
        except RefusedError as error:
            await self._note(context, mail.id, state="failed", error=str(error))
            raise PermanentFailure from error
        except (OSError, aiosmtplib.SMTPException) as error:
            state = "failed" if context.last_attempt else "queued"
            await self._note(context, mail.id, state=state, error=f"{type(error).__name__}: {error}")
            raise
        await self._note(context, mail.id, state="sent", content=self._seal(letter.without_content()))

    async def _note(
        self, context: JobContext, mail_id: UUID, *, state: str, error: str | None = None, content: str | None = None
    ) -> None:
        values: dict[str, object] = {"state": state, "error": error[:ERROR_LENGTH] if error else None}
        if state != "queued":
            values["done_at"] = clock.now()
        if content is not None:
            values["content"] = content
        async with context.database.transaction(None) as session:
            await session.execute(sa.update(Mail).where(Mail.id == mail_id).values(**values))

    async def page(self, session: Session, *, before: UUID | None, size: int) -> list[SentMail]:
        """Newest first; at most ``size + 1`` of them, so that the caller sees whether there are more."""
        query = sa.select(Mail).order_by(Mail.id.desc()).limit(size + 1)
        if before is not None:
            query = query.where(Mail.id < before)
        return [self._shown(mail) for mail in await session.scalars(query)]

    def _shown(self, mail: Mail) -> SentMail:
        try:
            letter = self._open(mail)
        except WrongKeyError:
            letter = Letter(kind=mail.kind, to="", subject="")
        return SentMail(
            id=mail.id,
            to=letter.to,
            subject=letter.subject,
            kind=mail.kind,
            link=letter.link,
            state=mail.state,
            error=mail.error,
            created_at=mail.created_at,
        )

    def _seal(self, letter: Letter) -> str:
        return self._keys.seal(msgspec.json.encode(letter).decode())

    def _open(self, mail: Mail) -> Letter:
        return msgspec.json.decode(self._keys.open(mail.content), type=Letter)


async def prune(context: JobContext, _payload: Nothing) -> None:
    """The handler of `PRUNE`: letters older than 30 days."""
    async with context.database.transaction(None) as session:
        await session.execute(
            sa.delete(Mail).where(Mail.created_at < clock.now() - KEEP),
            execution_options={"synchronize_session": False},
        )
