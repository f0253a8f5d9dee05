"""Texts in three languages, complete; and whose language an answer has (F-UI-04)."""

from __future__ import annotations

import ast
import re
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kanal
from kanal.entrypoints.bootstrap import PACKAGES
from kanal.kit.i18n import LOCALES, Catalog, choose, negotiate

CATALOG = Catalog(PACKAGES)
PLACEHOLDER = re.compile(r"\{(\w+)\}")
SOURCES = sorted(Path(kanal.__file__).parent.rglob("*.py"))
# Functions whose arguments are codes, by the position of the code.
RAISERS = {"KanalError": 0, "forbidden": 0, "conflict": 0, "unprocessable": 0, "field_error": 1, "rate_limited": 0}
TEXTED = [p for p in PACKAGES if (resources.files(p) / "locales/en.json").is_file()]


def texts(package: str, locale: str) -> dict[str, str]:
    source = resources.files(package) / "locales" / f"{locale}.json"
    return msgspec.json.decode(source.read_bytes(), type=dict[str, str])


@pytest.mark.parametrize("package", TEXTED)
@pytest.mark.parametrize("locale", LOCALES[1:])
def test_every_text_is_there_in_every_language(package: str, locale: str) -> None:
    english, other = texts(package, "en"), texts(package, locale)
    assert set(other) == set(english)
    for code, text in english.items():
        assert set(PLACEHOLDER.findall(other[code])) == set(PLACEHOLDER.findall(text)), code
        assert other[code].strip() == other[code] != "", code


def test_no_code_means_two_things() -> None:
    seen: dict[str, str] = {}
    for package in TEXTED:
        for code in texts(package, "en"):
            assert seen.setdefault(code, package) == package, f"{code} is in {seen[code]} and {package}"


def raised_codes() -> set[str]:
    """Every code that the sources name as a constant."""
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = RAISERS.get(name)
            if at is not None and len(node.args) > at and isinstance(node.args[at], ast.Constant):
                found.add(str(node.args[at].value))  # type: ignore[attr-defined]
            if name == "not_found" and node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value) + ".not_found")
            for keyword in node.keywords:
                if keyword.arg == "fields" and isinstance(keyword.value, ast.Dict):
                    found |= {str(v.value) for v in keyword.value.values if isinstance(v, ast.Constant)}
    return found


def test_every_error_has_a_text() -> None:
    codes = raised_codes()
    assert len(codes) > 40, "the search finds nothing any more"
    assert codes - CATALOG.codes("en") == set()


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("id-ID,id;q=0.9,en;q=0.8", "id"),
        ("en;q=0.1, ja-JP;q=0.9", "ja"),
        ("fr, de;q=0.9", "en"),
        ("fr;q=1, id;q=0.2", "id"),
        ("id;q=0, en", "en"),
        ("ID", "id"),
        ("ja;q=abc", "en"),
        ("*", "en"),
    ],
)
def test_the_browsers_best_language_that_we_speak(header: str, locale: str) -> None:
    assert negotiate(header) == locale


@given(
    st.text(max_size=300) | st.lists(st.sampled_from(["en", "ID", "ja-JP", "Ja", ";q=", "1", "x", "-"])).map(",".join)
)
def test_any_header_leads_to_some_language(header: str) -> None:
    assert negotiate(header) in LOCALES


def test_the_address_wins_over_the_account_and_that_over_the_browser() -> None:
    assert choose({"lang": "ja"}, "id", "en") == "ja"
    assert choose({"lang": "xx"}, "id", "en") == "id"
    assert choose(None, None, "id") == "id"
    assert choose(None, "fr", None) == "en"


def test_a_text_never_fails() -> None:
    assert CATALOG.text("ja", "no.such.code") == "no.such.code"
    assert "{limit}" in CATALOG.text("en", "message.too_long", other=1)
    assert "8000" in CATALOG.text("id", "message.too_long", limit=8000)
    assert CATALOG.text("xx", "not_found") == CATALOG.text("en", "not_found")
