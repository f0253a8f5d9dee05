"""File names: what a stranger calls a file, made safe to keep, to show and to save under."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

NAME_LENGTH = 200  # characters
NAMELESS = "file"

_JOINERS = "\u200c\u200d"  # several scripts and most emoji families need them
_REPLACED = str.maketrans(dict.fromkeys('<>:"|?*', "_"))  # not allowed in names on Windows
_DROPPED = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}


def clean_name(declared: str) -> str:
    """The last part of a path, in one line, without characters that hide, reverse or end anything; never empty.

    Every script is kept. A name that is too long loses its middle, not its extension.
    """
    last = declared.replace("\\", "/").rpartition("/")[2]
    composed = unicodedata.normalize("NFC", last.encode(errors="ignore").decode())
    visible = "".join(" " if c.isspace() else c for c in composed if c.isspace() or c in _JOINERS or _is_visible(c))
    name = " ".join(visible.translate(_REPLACED).split()).strip(". " + _JOINERS)
    return _shorten(name) or NAMELESS


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in _DROPPED


def _shorten(name: str) -> str:
    if len(name) <= NAME_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 20:
        return name[:NAME_LENGTH].rstrip(". ")
    return stem[: NAME_LENGTH - len(extension) - 1].rstrip(". ") + dot + extension


def disposition(kind: str, name: str) -> str:
    """A Content-Disposition header (RFC 6266): the name in ASCII for the oldest, in UTF-8 (RFC 8187) for all others."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join("_" if c in '"\\%' else c for c in plain).strip(". ") or NAMELESS
    header = f'{kind}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def human_size(size: int) -> str:
    """``25 MB``, for people."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"
