"""What must hold of people, workspaces and their rights. Pure: values in, an answer or a `KanalError` out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from ipaddress import IPv6Address, IPv6Network, ip_address

from babel.core import get_global

from kanal.kit.errors import KanalError, conflict, field_error, forbidden

NAME_LENGTH = 80  # characters, of people, workspaces and tokens
EMAIL_LENGTH = 254  # octets; RFC 5321 4.5.3.1.3 leaves this much for the address itself
PASSWORD_MIN = 10  # characters; NIST SP 800-63B 5.1.1.2 asks for 8 at least
PASSWORD_MAX = 200  # characters; long enough for any phrase, short enough not to be a way to keep us busy
SLUG_LENGTH = 40
INVITATION_LIFETIME = timedelta(days=7)
RESET_LIFETIME = timedelta(hours=1)


class Locale(StrEnum):
    """A language Kanal speaks."""

    ENGLISH = "en"
    INDONESIAN = "id"
    JAPANESE = "ja"


class Theme(StrEnum):
    """How somebody wants the pages to look."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Role(StrEnum):
    """A member's place in a workspace, weakest first."""

    VIEWER = "viewer"
    AGENT = "agent"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def reaches(self, other: Role) -> bool:
        """Whether this role may do what ``other`` may."""
        return self.rank >= other.rank


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Scope(StrEnum):
    """What an API token may be used for, at most; its owner's role counts as well."""

    PROFILE = "profile"
    WORKSPACE_READ = "workspace:read"
    WORKSPACE_WRITE = "workspace:write"
    CHAT_READ = "chat:read"
    CHAT_WRITE = "chat:write"


class Permission(StrEnum):
    """Something that a route or an action asks for before it goes on."""

    WORKSPACE_READ = "workspace.read"
    WORKSPACE_UPDATE = "workspace.update"
    WORKSPACE_LEAVE = "workspace.leave"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    INVITATIONS_MANAGE = "invitations.manage"
    AUDIT_READ = "audit.read"
    CHAT_READ = "chat.read"
    CHAT_WRITE = "chat.write"
    ROOMS_CREATE = "rooms.create"
    ROOMS_MODERATE = "rooms.moderate"


GRANTS: dict[Permission, tuple[Role, Scope]] = {
    Permission.WORKSPACE_READ: (Role.VIEWER, Scope.WORKSPACE_READ),
    Permission.WORKSPACE_UPDATE: (Role.ADMIN, Scope.WORKSPACE_WRITE),
    Permission.WORKSPACE_LEAVE: (Role.VIEWER, Scope.WORKSPACE_WRITE),
    Permission.MEMBERS_READ: (Role.VIEWER, Scope.WORKSPACE_READ),
    Permission.MEMBERS_MANAGE: (Role.ADMIN, Scope.WORKSPACE_WRITE),
    Permission.INVITATIONS_MANAGE: (Role.ADMIN, Scope.WORKSPACE_WRITE),
    Permission.AUDIT_READ: (Role.ADMIN, Scope.WORKSPACE_READ),
    Permission.CHAT_READ: (Role.VIEWER, Scope.CHAT_READ),
    Permission.CHAT_WRITE: (Role.AGENT, Scope.CHAT_WRITE),
    Permission.ROOMS_CREATE: (Role.AGENT, Scope.CHAT_WRITE),
    Permission.ROOMS_MODERATE: (Role.ADMIN, Scope.CHAT_WRITE),
}
"""The weakest role that has the permission, and the scope a token needs for it."""


def is_granted(permission: Permission, role: Role, scopes: frozenset[str] | None) -> bool:
    """``scopes`` is None for a person signed in by cookie, who is not limited by any."""
    weakest, scope = GRANTS[permission]
    return role.reaches(weakest) and (scopes is None or scope in scopes)


class Plan(StrEnum):
    """What a workspace pays for."""

    FREE = "free"
    BASIC = "basic"
    PREMIUM = "premium"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True)
class Limits:
    """``max_sessions``: linked WhatsApp devices. ``max_file_bytes``: one uploaded file."""

    max_members: int
    max_sessions: int
    max_rooms: int
    max_file_bytes: int


MEGABYTE = 1024 * 1024
LIMITS = {
    Plan.FREE: Limits(10, 1, 50, 25 * MEGABYTE),
    Plan.BASIC: Limits(25, 3, 200, 25 * MEGABYTE),
    Plan.PREMIUM: Limits(250, 10, 2_000, 100 * MEGABYTE),
    Plan.ENTERPRISE: Limits(10_000, 100, 20_000, 500 * MEGABYTE),
}


class Status(StrEnum):
    """Of a workspace. Everything but ACTIVE shuts everybody out."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class Membership(StrEnum):
    """Whether a member is one now or was one once."""

    ACTIVE = "active"
    REMOVED = "removed"


def check_open(status: str) -> None:
    """Raises ``workspace.suspended`` or ``workspace.cancelled`` (both forbidden)."""
    if status != Status.ACTIVE:
        raise forbidden(f"workspace.{status}")


def check_room_for_member(plan: str, members: int) -> None:
    """``members``: active ones and, when inviting, open invitations. Raises ``plan.members_reached``."""
    limit = LIMITS[Plan(plan)].max_members
    if members >= limit:
        raise conflict("plan.members_reached", limit=limit)


def check_may_manage(actor: Role, target: Role, becomes: Role | None = None) -> None:
    """Whether ``actor`` may change or remove a member who is ``target``, or give somebody the role ``becomes``.

    Nobody reaches above themselves, so only owners deal with owners.
    """
    if not actor.reaches(Role.ADMIN) or not actor.reaches(target) or (becomes and not actor.reaches(becomes)):
        raise forbidden()


def check_keeps_owner(target: Role, becomes: Role | None, owners: int) -> None:
    """``becomes`` is None when the member goes. Raises ``member.last_owner``."""
    if target is Role.OWNER and becomes is not Role.OWNER and owners <= 1:
        raise conflict("member.last_owner")


# A local part of the characters people use, a domain of labels. Stricter than RFC 5322 on purpose: no quoting, no comments.
_EMAIL = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)*[^\W_](?:[\w-]{0,61}[^\W_])?"
)


def clean_email(text: str, field: str = "email") -> str:
    """The form in which an address is stored and compared. Raises ``email.invalid`` for the field."""
    email = unicodedata.normalize("NFC", text.strip()).lower()
    if len(email.encode()) > EMAIL_LENGTH or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise field_error(field, "email.invalid")
    return email


_JOINERS = "\u200c\u200d"  # Persian words and compound emoji need them
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean_name(text: str, field: str = "name", *, length: int = NAME_LENGTH) -> str:
    """A name in one line, without characters that hide or turn what follows. Raises ``field.blank``, ``field.too_long``."""
    visible = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", text)
        if char.isspace() or char in _JOINERS or unicodedata.category(char) not in _HIDDEN
    )
    name = " ".join(visible.split())
    if not name.strip(_JOINERS + " "):
        raise field_error(field, "field.blank")
    if len(name) > length:
        raise field_error(field, "field.too_long")
    return name


_COMMON = frozenset(
    {"password", "password1", "password12", "password123", "passw0rd", "12345678", "123456789", "1234567890"}
    | {"87654321", "qwertyui", "qwertyuiop", "qwerty123", "1q2w3e4r", "abc12345", "abcd1234", "iloveyou", "sunshine"}
    | {"princess", "football", "baseball", "superman", "trustno1", "letmein1", "welcome1", "changeme", "kanal123"}
    | {"administrator", "indonesia", "bismillah", "sayang123"}
)


def check_password(password: str, *, email: str = "", name: str = "", field: str = "password") -> None:
    """Long enough and not the first guess. Raises ``password.too_short``, ``password.too_long``, ``password.too_easy``."""
    if len(password) < PASSWORD_MIN:
        raise field_error(field, "password.too_short", minimum=PASSWORD_MIN)
    if len(password) > PASSWORD_MAX:
        raise field_error(field, "password.too_long", maximum=PASSWORD_MAX)
    plain = password.casefold()
    own = {email.casefold(), email.partition("@")[0].casefold(), name.casefold(), name.replace(" ", "").casefold()}
    if plain in _COMMON or plain in own or len(set(plain)) < 3:
        raise field_error(field, "password.too_easy")


def slug_of(name: str) -> str:
    """A workspace's name as part of an address: ``Toko Maju Jaya`` becomes ``toko-maju-jaya``; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].strip("-")


@cache
def _timezones() -> frozenset[str]:
    """The names of the CLDR, the same on every machine, old spellings included."""
    return frozenset(get_global("zone_territories")) | frozenset(get_global("zone_aliases"))


def check_timezone(name: str) -> None:
    """Raises ``timezone.unknown`` for the field ``settings.timezone``."""
    if name not in _timezones():
        raise field_error("settings.timezone", "timezone.unknown")


def check_scopes(scopes: list[str]) -> list[str]:
    """At least one and only known ones, in a fixed order. Raises ``token.scope_unknown``, ``token.scope_missing``."""
    if not scopes:
        raise field_error("scopes", "token.scope_missing")
    if unknown := set(scopes) - set(Scope):
        raise field_error("scopes", "token.scope_unknown", scope=min(unknown)[:40])
    return [scope for scope in Scope if scope in scopes]


def network_of(ip: str) -> str:
    """What is counted as one address: of IPv6 the first 64 bits, since every household is given that many."""
    try:
        parsed = ip_address(ip)
    except ValueError:
        return ip
    return str(IPv6Network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else ip


def initial_settings(locale: str) -> dict[str, str]:
    """Of a new workspace."""
    return {"default_locale": locale, "timezone": "UTC"}


def check_matches_invitation(invited: str, email: str) -> None:
    """An invitation is for one address. Raises ``invitation.other_email``."""
    if invited != email:
        raise KanalError("invitation.other_email", forbidden().kind)
