"""An SMTP server of a few lines that keeps what it is given, or refuses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class SmtpStub:
    """``refuse_recipient`` and ``refuse_data`` are replies given instead of taking the message."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    refuse_recipient: str | None = None
    refuse_data: str | None = None
    hang_up: bool = False

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection (RFC 5321, the commands a client needs)."""

        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        if self.hang_up:
            writer.close()
            return
        say("220 stub")
        with contextlib.suppress(ConnectionError):
            while line := (await reader.readline()).decode().strip():
                command = line.split(":")[0].split()[0].upper()
                if command in ("EHLO", "HELO"):
                    say("250 stub")
                elif command == "RCPT" and self.refuse_recipient:
                    say(self.refuse_recipient)
                elif command == "DATA":
                    say("354 go on")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    if self.refuse_data:
                        say(self.refuse_data)
                    else:
                        parsed = message_from_bytes(body[:-5].replace(b"\r\n..", b"\r\n."), policy=policy.default)
                        assert isinstance(parsed, EmailMessage)
                        self.messages.append(parsed)
                        say("250 taken")
                elif command == "QUIT":
                    say("221 bye")
                    break
                else:
                    say("250 ok")
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def smtp_server() -> AsyncIterator[SmtpStub]:
    """A running one on a free port."""
    stub = SmtpStub()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    stub.port = server.sockets[0].getsockname()[1]
    async with server:
        yield stub
