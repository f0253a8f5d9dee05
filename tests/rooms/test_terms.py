"""Words of the full-text index: one cut for three databases (F-RO-02)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.rooms.terms import QUERY_TERMS, TERM_LIMIT, TERMS_PER_MESSAGE, query_terms, terms_of

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
MIXED = st.lists(
    st.sampled_from(["ok", "kopi", "東京都", "Ｃafé", "ไทย", "ば", "한국어", "don't", "a_b", "ß", "İ", "①"]),
    max_size=12,
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("ok", ["xxok"]),
        ("Kopi, kopi!", ["xxkopi"]),
        ("the and", ["xxthe", "xxand"]),  # words that MariaDB would not index
        ("a_b c-d", ["xxa", "xxb", "xxc", "xxd"]),
        ("東京都", ["xxu6771zu4eacz", "xxu4eaczu90fdz", "xxu90fdz"]),
        ("東", ["xxu6771z"]),
        ("Ｃａｆé", ["xxcafe"]),
        ("ば", ["xxu3070z"]),  # a voiced kana is a letter of its own, not an accent
        ("…!?", []),
        ("", []),
    ],
)
def test_words_become_terms(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("ko", "kopi"),
        ("東京", "東京都"),
        ("京都", "東京都"),
        ("都", "東京都"),
        ("CAFE", "café"),
        ("xx", "xxl"),
        ("strasse", "Straße"),
    ],
)
def test_queries_match_by_the_beginning(query: str, text: str) -> None:
    assert all(any(t.startswith(q) for t in terms_of(text)) for q in query_terms(query))


@given(WORDS)
def test_terms_are_plain_short_and_few(text: str) -> None:
    """Every tokenizer leaves them alone, and a query holds no operator of any database."""
    found = terms_of(text)
    assert all(re.fullmatch(r"xx[a-z0-9]{1,78}", t) for t in [*found, *query_terms(text)])
    assert all(len(t) <= TERM_LIMIT for t in found)
    assert len(set(found)) == len(found) <= TERMS_PER_MESSAGE
    assert len(query_terms(text)) <= QUERY_TERMS


@given(WORDS | MIXED.map(" ".join) | MIXED.map("".join))
def test_a_text_is_found_by_itself(text: str) -> None:
    terms = terms_of(text)
    assert [q for q in query_terms(text) if not any(t.startswith(q) for t in terms)] == []


@given(st.text(st.characters(max_codepoint=127), max_size=100))
def test_the_short_way_for_ascii_cuts_alike(text: str) -> None:
    """A message in ASCII and the same one with one more letter from elsewhere."""
    assert terms_of(text) == [t for t in terms_of(text + " é") if t != "xxe" or "xxe" in terms_of(text)]
