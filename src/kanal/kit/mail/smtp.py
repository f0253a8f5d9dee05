"""Handing a message to an SMTP server."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

TIMEOUT = 30.0  # seconds per command; RFC 5321 4.5.3.2 allows minutes, a worker does not wait that long
PORTS = {"smtp": 587, "smtps": 465}


class RefusedError(Exception):
    """The server will never take this message; the text is its answer."""


@dataclass(frozen=True)
class SmtpServer:
    """``tls`` from the first byte (smtps), otherwise STARTTLS whenever the server offers it."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """``smtp://user:password@host:587`` or ``smtps://…``. Raises ``ValueError``."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("use smtp://user:password@host:587 or smtps://user:password@host:465")
        return cls(
            parts.hostname,
            parts.port or PORTS[parts.scheme],
            parts.scheme == "smtps",
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )

    async def deliver(self, message: EmailMessage) -> None:
        """Raises `RefusedError` when trying again is no use, ``OSError`` or `aiosmtplib.SMTPException` when it may be."""
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                use_tls=self.tls,
                username=self.username,
                password=self.password,
                timeout=TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            answers = [(refused.code, refused.message) for refused in error.recipients]
            if all(code >= 500 for code, _ in answers):
                raise RefusedError("; ".join(f"{code} {text}" for code, text in answers)) from error
            raise
        except aiosmtplib.SMTPAuthenticationError:
            raise  # the operator may mend the password while the letter waits
        except aiosmtplib.SMTPResponseException as error:
            if error.code >= 500:
                raise RefusedError(f"{error.code} {error.message}") from error
            raise
