"""Rules of rooms: pure, no database, no clock of their own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypedDict
from uuid import UUID

from kanal.kit.ids import NIL, parse_id

BODY_LIMIT = 8_000  # characters
NAME_LIMIT = 80  # characters, of a room
TOPIC_LIMIT = 500  # characters
PREVIEW_LIMIT = 140  # characters
EDIT_WINDOW = timedelta(hours=24)
REACTION_KINDS = 20  # different emoji on one message
REACTION_USERS = 500  # people listed per emoji
DIRECT_LIMIT = 9  # people in one direct conversation, the one who starts it included
READ_RECEIPT_LIMIT = 20  # rooms with more members do not announce each member's read marker
EVERYBODY = "all"

_MENTION = re.compile(r"<@([0-9a-fA-F-]{36}|all)>")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_FORBIDDEN = {c for c in range(0x20) if chr(c) not in "\n\t"} | set(range(0x7F, 0xA0)) | set(range(0xD800, 0xE000))
_FORBIDDEN |= {0xFFFE, 0xFFFF}
_REMOVE = dict.fromkeys(_FORBIDDEN)
_COMBINING_RUN = 8  # marks on one letter; no script needs more, "zalgo" text does
_INVISIBLE_RUN = re.compile("[\u200b\u2060\ufeff]{3,}")
_MARKS = re.compile(r"(<@(?:[0-9a-fA-F-]{36}|all)>)|[*_~`>#\[\]]+")
_HALF_MENTION = re.compile(r"<@[0-9a-z-]*\Z", re.IGNORECASE)


def clean_body(text: str) -> str:
    """Text as it is stored: NFC, no control characters, no endless marks or invisible runs, no space around.

    Direction marks and joiners stay: languages and emoji need them; pages isolate them.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").translate(_REMOVE))
    if not text.isascii():
        if any(map(unicodedata.combining, text)):
            text = _limit_marks(text)
        text = _INVISIBLE_RUN.sub("\u200b", text)
    return text.strip("\n\t ")


def _limit_marks(text: str) -> str:
    run, kept = 0, []
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _COMBINING_RUN:
            kept.append(character)
    return "".join(kept)


def is_blank(text: str) -> bool:
    """Nothing a person could see."""
    return all(unicodedata.category(character)[0] in "CZ" for character in text)


def clean_line(text: str) -> str:
    """A name or topic: one line, single spaces."""
    return " ".join(clean_body(text).split())


def mentioned(body: str) -> list[str]:
    """Ids (or ``all``) named as ``<@id>`` outside code, each once, in order."""
    if "<@" not in body:
        return []
    found = dict.fromkeys(m.lower() for m in _MENTION.findall(_CODE.sub(" ", body)))
    return [m for m in found if m == EVERYBODY or parse_id(m) not in (None, NIL)]


def preview(body: str) -> str:
    """One line for lists and quotes: Markdown marks taken away, mentions kept as ``<@id>``."""
    text = body.replace("](", "] (")[: PREVIEW_LIMIT * 4]
    line = " ".join(_MARKS.sub(lambda found: found.group(1) or "", text).split())
    if len(line) <= PREVIEW_LIMIT:
        return line
    return _HALF_MENTION.sub("", line[: PREVIEW_LIMIT - 1]).rstrip() + "…"


def is_emoji(text: str) -> bool:
    """One emoji, as far as it matters: short, no letters, at least one symbol or a flag or keycap."""
    if not 1 <= len(text) <= 16:
        return False
    symbols = [c for c in text if _is_symbol(c, alone=len(text) <= 2)]
    others = [c for c in text if c not in symbols]
    return bool(symbols) and all(_is_part(c, keycap="\u20e3" in text) for c in others)


def _is_symbol(character: str, *, alone: bool) -> bool:
    category = unicodedata.category(character)
    return (
        (category == "So" and character not in "\ufffc\ufffd")  # not the stand-ins for what could not be read
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U0001f1e6" <= character <= "\U0001f1ff"  # letters of flags
        or character in "\u203c\u2049\u20e3"
        or (category == "Sm" and alone and character > "\u2000")  # arrows and squares, but not "+"
    )


def _is_part(character: str, *, keycap: bool) -> bool:
    """What joins or varies symbols, and the characters of keycaps and of regional flags."""
    return (
        character in "\u200d\ufe0f\ufe0e"
        or "\U000e0020" <= character <= "\U000e007f"
        or (character in "0123456789#*" and keycap)
    )


def may_edit(created_at: datetime, now: datetime) -> bool:
    return now - created_at <= EDIT_WINDOW


def direct_key(user_ids: Iterable[UUID]) -> str:
    """The same for the same set of people, whoever starts the conversation."""
    return sha256(b"".join(sorted(u.bytes for u in set(user_ids)))).hexdigest()


class Reaction(TypedDict):
    """As it is stored on the message."""

    emoji: str
    user_ids: list[str]


def add_reaction(reactions: Sequence[Reaction], emoji: str, user_id: str) -> list[Reaction] | None:
    """The reactions with one more; ``None`` when it was there already. Raises ``OverflowError`` at `REACTION_KINDS`."""
    changed: list[Reaction] = [{"emoji": r["emoji"], "user_ids": list(r["user_ids"])} for r in reactions]
    for reaction in changed:
        if reaction["emoji"] == emoji:
            users = reaction["user_ids"]
            if user_id in users or len(users) >= REACTION_USERS:
                return None
            users.append(user_id)
            return changed
    if len(changed) >= REACTION_KINDS:
        raise OverflowError(emoji)
    changed.append({"emoji": emoji, "user_ids": [user_id]})
    return changed


def remove_reaction(reactions: Sequence[Reaction], emoji: str, user_id: str) -> list[Reaction] | None:
    """The reactions without it; ``None`` when it was not there."""
    if not any(r["emoji"] == emoji and user_id in r["user_ids"] for r in reactions):
        return None
    changed: list[Reaction] = []
    for reaction in reactions:
        users = [u for u in reaction["user_ids"] if not (reaction["emoji"] == emoji and u == user_id)]
        if users:
            changed.append({"emoji": reaction["emoji"], "user_ids": users})
    return changed
