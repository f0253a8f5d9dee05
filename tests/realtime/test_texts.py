"""Every refusal of this package has its text in every language (F-UI-04)."""

from __future__ import annotations

import re
from pathlib import Path

import kanal.realtime
from kanal.kit.i18n import LOCALES, Catalog

CODE = re.compile(r'"((?:app|console)\.[a-z_]+)"')


def test_every_code_has_its_text_in_every_language() -> None:
    folder = Path(kanal.realtime.__path__[0])
    sources = [folder / "console/errors.py", *(folder / "sources").glob("*.py")]
    used = {code for path in sources for code in CODE.findall(path.read_text())} | {"app.not_found"}
    catalog = Catalog(["kanal.realtime"])
    for locale in LOCALES:
        assert catalog.codes(locale) == used, locale
