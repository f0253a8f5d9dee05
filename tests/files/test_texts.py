"""Every refusal of this package has its text in every language (F-UI-04)."""

from __future__ import annotations

import re
from pathlib import Path

import kanal.files
from kanal.kit.i18n import LOCALES, Catalog

CODE = re.compile(r'"(file\.[a-z_]+)"')


def test_every_code_has_its_text_in_every_language() -> None:
    folder = Path(kanal.files.__path__[0])
    used = set(CODE.findall((folder / "errors.py").read_text())) | {"file.not_found"}
    catalog = Catalog(["kanal.files"])
    for locale in LOCALES:
        assert catalog.codes(locale) == used, locale
