"""What identity needs from outside, put together once by bootstrap."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec

from kanal.identity.access import Gate
from kanal.identity.passwords import Passwords
from kanal.identity.schemas import RealtimeInfo
from kanal.kit.crypto import KeyRing
from kanal.kit.db import Database
from kanal.kit.i18n import Catalog
from kanal.kit.mail import Mailer
from kanal.kit.throttle import Limit


class Throttles(msgspec.Struct, frozen=True):
    """How often strangers may try. Successful sign-ins do not count."""

    login_account: Limit = Limit("login.account", 10, timedelta(minutes=15))  # one e-mail address from one IP address
    login_ip: Limit = Limit("login.ip", 100, timedelta(minutes=15))  # an office may sit behind one address
    password: Limit = Limit("password.account", 10, timedelta(minutes=15))  # the current one, asked for a change
    register_ip: Limit = Limit("register.ip", 20, timedelta(hours=1))
    forgot_email: Limit = Limit("forgot.email", 3, timedelta(hours=1))  # nobody's mailbox is flooded
    forgot_ip: Limit = Limit("forgot.ip", 20, timedelta(hours=1))
    token_ip: Limit = Limit("token.ip", 60, timedelta(minutes=15))  # links of invitations and resets
    invite: Limit = Limit("invite.workspace", 200, timedelta(days=1))


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The tools and settings of identity's actions and routes.

    ``public_url`` has no slash at its end and is where links in e-mails lead.
    """

    database: Database
    keys: KeyRing
    texts: Catalog
    mailer: Mailer
    passwords: Passwords
    realtime: RealtimeInfo
    public_url: str
    session_idle: timedelta = timedelta(days=7)
    session_lifetime: timedelta = timedelta(days=30)
    allow_registration: bool = True
    throttles: Throttles = field(default_factory=Throttles)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", Gate(self.database, session_idle=self.session_idle))

    @property
    def secure_cookies(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    def link(self, path: str) -> str:
        return self.public_url + path

    async def close(self) -> None:
        """Before the database is closed."""
        await self.gate.close()
        self.passwords.close()
