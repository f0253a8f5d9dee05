"""Every text there is, in every language. F-UI-04."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import kanal.identity
from kanal.identity.rules import Role, Status
from kanal.kit.i18n import LOCALES, Catalog

FOLDER = Path(kanal.identity.__file__).parent
CATALOG = Catalog(["kanal.kit", "kanal.identity"])
MAKERS = {"KanalError", "conflict", "forbidden", "unprocessable", "rate_limited"}


def raised_codes() -> set[str]:
    """The codes in the source: of errors, of fields, and of "… not found"."""
    found = {f"workspace.{status}" for status in Status if status is not Status.ACTIVE} | {f"role.{r}" for r in Role}
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if node.func.id in MAKERS:
                found.update(texts[:1])
            elif node.func.id == "field_error":
                found.update(text for text in texts if "." in text and not text.startswith("settings."))
            elif node.func.id == "not_found":
                found.update(f"{text}.not_found" for text in texts)
    return found


@pytest.mark.parametrize("locale", LOCALES)
def test_every_error_has_a_text(locale: str) -> None:
    assert raised_codes() - CATALOG.codes(locale) == set()


def test_the_languages_say_the_same_things_with_the_same_placeholders() -> None:
    for code in CATALOG.codes("en"):
        wanted = sorted(set(re.findall(r"\{(\w+)\}", CATALOG.text("en", code))))
        for locale in LOCALES:
            assert code in CATALOG.codes(locale), (locale, code)
            given = sorted(set(re.findall(r"\{(\w+)\}", CATALOG.text(locale, code))))
            assert set(given) <= set(wanted), (locale, code)
    assert CATALOG.codes("en") == CATALOG.codes("id") == CATALOG.codes("ja")
