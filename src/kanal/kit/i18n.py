"""Texts by code, in en, id and ja.

Each package keeps its texts in ``locales/{en,id,ja}.json`` beside its code: a flat object from code to text, with
``{name}`` placeholders. A code that is missing in one language is a failing test, not a fallback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from babel import negotiate_locale

LOCALES = ("en", "id", "ja")
DEFAULT = "en"


class Catalog:
    """All texts of the packages given, e.g. ``["kanal.kit", "kanal.rooms"]``."""

    def __init__(self, packages: Iterable[str]) -> None:
        self._texts: dict[str, dict[str, str]] = {locale: {} for locale in LOCALES}
        for package in packages:
            folder = resources.files(package) / "locales"
            for locale in LOCALES:
                source = folder / f"{locale}.json"
                if source.is_file():
                    self._texts[locale].update(msgspec.json.decode(source.read_bytes(), type=dict[str, str]))

    def text(self, locale: str, code: str, **params: Any) -> str:
        """The text, with placeholders filled; the code itself when nobody wrote a text for it."""
        texts = self._texts.get(locale) or self._texts[DEFAULT]
        template = texts.get(code) or self._texts[DEFAULT].get(code)
        if template is None:
            return code
        return template.format_map(_Lenient(params)) if params else template

    def codes(self, locale: str) -> set[str]:
        return set(self._texts[locale])


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@cache
def negotiate(accept_language: str) -> str:
    """The best of our locales for an ``Accept-Language`` header; quality values count, regions are ignored."""
    ranked: list[tuple[float, str]] = []
    for part in accept_language[:200].split(","):
        tag, _, options = part.strip().partition(";")
        try:
            quality = float(options.partition("q=")[2] or 1)
        except ValueError:
            quality = 0.0
        if tag and quality > 0:
            ranked.append((-quality, tag.strip()))
    wanted = [tag for _, tag in sorted(ranked, key=lambda pair: pair[0])]
    return negotiate_locale([t.partition("-")[0].lower() for t in wanted], LOCALES) or DEFAULT


def choose(query: Mapping[str, Any] | None, account: str | None, accept_language: str | None) -> str:
    """``?lang=`` wins over the account's own language, which wins over the browser's."""
    asked = str((query or {}).get("lang", ""))
    if asked in LOCALES:
        return asked
    if account in LOCALES:
        return str(account)
    return negotiate(accept_language or "")
