"""Letters: stored with what they are about, sent by a job, forgotten after. Issue: e-mail over SMTP or the operator's page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kanal.kit import clock, events, jobs
from kanal.kit.crypto import KeyRing
from kanal.kit.db import Base, Database
from kanal.kit.jobs.models import State
from kanal.kit.jobs.schedule import Nothing
from kanal.kit.mail import Letter, Mail, Mailer, SentMail, SmtpServer
from kanal.kit.mail.letters import as_html, as_text
from kanal.kit.mail.mailer import PRUNE
from tests.support.smtp import smtp_server

KEYS = KeyRing(["k" * 40])
LETTER = Letter(
    kind="invitation",
    to="tanaka@example.com",
    locale="ja",
    subject="Sari さんから <Toko> への招待",
    paragraphs=["Sari さんが <b>招待</b> しています。"],
    button="参加する",
    link="http://127.0.0.1:8000/invitations/secret?a=1&b=2",
    footer="お心当たりがない場合は無視してください。",
)


@dataclass
class Post:
    """A database with a mailer and the worker that sends."""

    database: Database
    mailer: Mailer
    worker: jobs.Worker

    async def send(self, letter: Letter = LETTER) -> SentMail:
        async with self.database.transaction(None) as session:
            self.mailer.queue(session, letter)
        await self.worker.drain()
        return await self.newest()

    async def newest(self) -> SentMail:
        async with self.database.reading(None) as session:
            return (await self.mailer.page(session, before=None, size=1))[0]


@asynccontextmanager
async def post(url: str, smtp: str | None = None) -> AsyncIterator[Post]:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    database.before_commit += [events.store_pending, jobs.store_pending]
    server = SmtpServer.from_url(smtp) if smtp else None
    mailer = Mailer(KEYS, server=server, sender="Kanal <kanal@example.org>")
    worker = jobs.Worker(database, jobs.EmbeddedTransport())
    mailer.bind(worker)
    yield Post(database, mailer, worker)
    await database.close()


async def test_a_letter_arrives_in_both_forms(database_url: str) -> None:
    async with smtp_server() as smtp, post(database_url, smtp.url) as office:
        sent = await office.send()
    assert (sent.state, sent.error, sent.link) == ("sent", None, None)
    message = smtp.messages[0]
    assert (message["To"], message["From"]) == ("tanaka@example.com", "Kanal <kanal@example.org>")
    assert message["Subject"] == LETTER.subject
    assert message["Message-ID"] == f"<{sent.id}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    plain, page = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert LETTER.link in plain.get_content()
    assert "&lt;b&gt;招待&lt;/b&gt;" in page.get_content()
    assert 'href="http://127.0.0.1:8000/invitations/secret?a=1&amp;b=2"' in page.get_content()


async def test_without_a_server_the_link_is_on_the_operators_page(sqlite_url: str) -> None:
    async with post(sqlite_url) as office:
        logged = await office.send()
    assert (logged.state, logged.link, logged.to) == ("logged", LETTER.link, LETTER.to)


async def test_what_is_stored_is_sealed_and_what_was_sent_forgotten(sqlite_url: str) -> None:
    async with smtp_server() as smtp, post(sqlite_url, smtp.url) as office:
        async with office.database.transaction(None) as session:
            office.mailer.queue(session, LETTER)
        async with office.database.reading(None) as session:
            before = (await session.scalars(sa.select(Mail.content).order_by(Mail.id.desc()))).first()
        assert before is not None
        assert "secret" not in before
        assert "tanaka" not in before
        assert "secret" in KEYS.open(before)
        await office.worker.drain()
        async with office.database.reading(None) as session:
            after = (await session.scalars(sa.select(Mail.content).order_by(Mail.id.desc()))).first()
        assert after is not None
        assert "secret" not in KEYS.open(after)


async def test_a_letter_of_a_failed_transaction_is_not_sent(sqlite_url: str) -> None:
    async with smtp_server() as smtp, post(sqlite_url, smtp.url) as office:

        async def fail() -> None:
            async with office.database.transaction(None) as session:
                office.mailer.queue(session, LETTER)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        await office.worker.drain()
    assert smtp.messages == []


@pytest.mark.parametrize("where", ["refuse_recipient", "refuse_data"])
async def test_a_final_no_is_not_asked_again(sqlite_url: str, where: str) -> None:
    async with smtp_server() as smtp, post(sqlite_url, smtp.url) as office:
        setattr(smtp, where, "550 nobody here")
        failed = await office.send()
        assert (failed.state, failed.link) == ("failed", LETTER.link)
        assert failed.error == "550 nobody here"
        async with office.database.reading(None) as session:
            job = (await session.scalars(sa.select(jobs.Job).order_by(jobs.Job.id.desc()))).first()
    assert job is not None
    assert (job.state, job.attempts) == (State.DEAD, 1)


async def test_a_server_that_is_busy_is_asked_again(sqlite_url: str) -> None:
    async with smtp_server() as smtp, post(sqlite_url, smtp.url) as office:
        smtp.refuse_recipient = "451 try later"
        waiting = await office.send()
        assert waiting.state == "queued"
        assert waiting.error is not None
        assert "451" in waiting.error
        smtp.refuse_recipient = None
        async with office.database.transaction(None) as session:
            await session.execute(sa.update(jobs.Job).values(run_at=clock.now()))
        await office.worker.drain()
        sent = await office.newest()
    assert (sent.state, sent.error, len(smtp.messages)) == ("sent", None, 1)


async def test_after_the_last_attempt_the_letter_has_failed(sqlite_url: str) -> None:
    async with smtp_server() as smtp, post(sqlite_url, smtp.url) as office:
        smtp.hang_up = True
        assert (await office.send()).state == "queued"
        for _ in range(3):
            async with office.database.transaction(None) as session:
                await session.execute(
                    sa.update(jobs.Job).where(jobs.Job.state == State.READY).values(run_at=clock.now())
                )
            await office.worker.drain()
        latest = await office.newest()
    assert (latest.state, latest.link) == ("failed", LETTER.link)


async def test_old_letters_are_removed(sqlite_url: str) -> None:
    async with post(sqlite_url) as office:
        old = await office.send()
        async with office.database.transaction(None) as session:
            change = sa.update(Mail).where(Mail.id == old.id)
            await session.execute(change.values(created_at=clock.now() - timedelta(days=31)))
            jobs.enqueue(session, PRUNE, Nothing())
        await office.worker.drain()
        async with office.database.reading(None) as session:
            assert await session.get(Mail, old.id) is None


async def test_a_letter_under_a_lost_key_is_listed_without_its_content(sqlite_url: str) -> None:
    async with post(sqlite_url) as office:
        await office.send()
        stranger = Mailer(KeyRing(["x" * 40]), server=None, sender="x@example.org")
        async with office.database.reading(None) as session:
            shown = (await stranger.page(session, before=None, size=1))[0]
    assert (shown.to, shown.link, shown.kind) == ("", None, "invitation")


def test_the_text_form_has_everything() -> None:
    text = as_text(LETTER)
    for part in (*LETTER.paragraphs, LETTER.link or "", LETTER.footer or ""):
        assert part in text


def test_the_html_form_runs_nothing_a_stranger_wrote() -> None:
    evil = Letter(
        kind="x", to="a@b.c", subject="</title><script>", paragraphs=["<script>"], button='"><img>', link="http://x/?<>"
    )
    page = as_html(evil)
    assert "<script>" not in page
    assert "<img>" not in page


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.example.com", 587, False),
        ("smtps://u%40x:p%2Fw@mail.example.com", 465, True),
        ("smtp://h:25", 25, False),
    ],
)
def test_server_addresses(url: str, port: int, tls: bool) -> None:
    server = SmtpServer.from_url(url)
    assert (server.port, server.tls) == (port, tls)
    assert "p/w" not in repr(server)


@pytest.mark.parametrize("url", ["http://x", "smtp://", "mail.example.com:25"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://"):
        SmtpServer.from_url(url)
