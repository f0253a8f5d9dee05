"""What must hold of texts, names, mentions, previews and reactions (F-RO-02, F-RO-05)."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.rooms import rules
from kanal.rooms.rules import Reaction

SARI = "0197a3a0-0000-7000-8000-000000000001"
BUDI = "0197a3a0-0000-7000-8000-000000000002"
NIL = "00000000-0000-0000-0000-000000000000"

ANY_TEXT = st.text(st.characters(), max_size=300)
"""Lone surrogates and unassigned characters too."""
AWKWARD = st.text(
    st.sampled_from("ae\u0301\u0300\u200b\u2060\ufeff\u202e\u200d\x00\x07\r\n\t <@>`*_[]()👍🏽🇮🇩1\u20e3\ufe0f"),
    max_size=120,
)


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("  hello \n", "hello"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("bell\x07 nul\x00", "bell nul"),
        ("cafe\u0301", "café"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # shown as text by the page, never as markup
        ("a\u200b\u200b\u200b\u200bb", "a\u200bb"),
        ("\u202eright to left", "\u202eright to left"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("z" + "\u0336" * 50, "z" + "\u0336" * 8),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("東京タワー", "東京タワー"),
    ],
)
def test_bodies_keep_what_languages_need_and_lose_the_rest(given_text: str, kept: str) -> None:
    assert rules.clean_body(given_text) == kept


@given(ANY_TEXT | AWKWARD)
def test_a_clean_body_can_be_stored_and_is_clean(text: str) -> None:
    """F-RO-05: no database and no page stumbles over it, and cleaning again changes nothing."""
    body = rules.clean_body(text)
    body.encode()
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in body)
    assert rules.clean_body(body) == body


@given(ANY_TEXT | AWKWARD)
def test_names_are_one_line(text: str) -> None:
    line = rules.clean_line(text)
    assert "\n" not in line
    assert line == line.strip()
    assert "  " not in line


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "\u202e\u2066", "\ufeff", "\u00ad", "\u3000"])
def test_nothing_to_see_is_blank(text: str) -> None:
    assert rules.is_blank(text)


@pytest.mark.parametrize("text", ["a", ".", "👍", "東", "\u200bx"])
def test_anything_to_see_is_not(text: str) -> None:
    assert not rules.is_blank(text)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f"<@{SARI}> and <@{BUDI}>", [SARI, BUDI]),
        (f"<@{SARI}> <@{SARI.upper()}>", [SARI]),
        ("<@all>, lunch!", ["all"]),
        (f"`<@{SARI}>` is how to mention", []),
        (f"```\n<@{SARI}>\n```", []),
        (f"`<@{SARI}>` <@{BUDI}>", [BUDI]),
        ("<@everyone> <@nobody>", []),
        (f"<@{'z' * 36}>", []),
        (f"<@{'-' * 36}>", []),
        (f"<@----{SARI.replace('-', '')}>", []),  # another way to write the same id would count twice
        (f"<@all> <@{NIL}>", ["all"]),  # nobody has the nil id, under which everybody is kept
        (f"@{SARI}", []),
    ],
)
def test_mentions_stand_outside_of_code_and_count_once(body: str, found: list[str]) -> None:
    assert rules.mentioned(body) == found


@given(ANY_TEXT | AWKWARD, st.lists(st.sampled_from([SARI, BUDI, SARI.upper(), NIL, "all"]), max_size=5))
def test_mentioned_ids_are_distinct_and_canonical(text: str, ids: list[str]) -> None:
    found = rules.mentioned(text + "".join(f"<@{i}>" for i in ids))
    people = [UUID(m) for m in found if m != rules.EVERYBODY]
    assert [str(p) for p in people] == [m for m in found if m != rules.EVERYBODY]
    assert len(set(found)) == len(found)
    assert UUID(NIL) not in people


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("**bold** and _soft_", "bold and soft"),
        ("# Title\ntext", "Title text"),
        ("[page](https://example.com)", "page (https://example.com)"),
        ("> quoted\n\nanswer", "quoted answer"),
        ("", ""),
        ("x" * 200, "x" * 139 + "…"),
    ],
)
def test_previews_are_one_plain_line(body: str, line: str) -> None:
    assert rules.preview(body) == line


@pytest.mark.parametrize("who", [SARI, "all"])
def test_previews_keep_mentions_for_the_page_to_name(who: str) -> None:
    assert rules.preview(f"**hi** <@{who}>, come") == f"hi <@{who}>, come"


def test_previews_do_not_end_within_a_mention() -> None:
    assert rules.preview("x" * 120 + f" <@{SARI}> and more") == "x" * 120 + "…"


@given(ANY_TEXT | AWKWARD)
def test_previews_hold_their_limit(text: str) -> None:
    line = rules.preview(text * 3)
    assert len(line) <= rules.PREVIEW_LIMIT
    assert "\n" not in line


@pytest.mark.parametrize("text", ["👍", "👍🏽", "❤️", "🇮🇩", "1️⃣", "👩‍💻", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "©", "➕", "‼️"])
def test_emoji_are_emoji(text: str) -> None:
    assert rules.is_emoji(text)


@pytest.mark.parametrize(
    "text", ["", " ", "a", "1", "ok", "👍a", "👍 👍", "<b>", "\u200d", "東", "👍" * 17, "../x", "==", "+", "^", "`"]
)
def test_other_texts_are_not(text: str) -> None:
    assert not rules.is_emoji(text)


@given(ANY_TEXT | AWKWARD)
def test_is_emoji_decides_about_any_text(text: str) -> None:
    if rules.is_emoji(text):
        assert len(text) <= 16
        assert not any(c.isalpha() for c in text)


def test_editing_ends_after_a_day() -> None:
    sent = datetime(2026, 1, 1, tzinfo=UTC)
    assert rules.may_edit(sent, sent + timedelta(hours=24))
    assert not rules.may_edit(sent, sent + timedelta(hours=24, milliseconds=1))


@given(st.lists(st.uuids(), min_size=1, max_size=9, unique=True), st.randoms())
def test_a_direct_conversation_is_its_set_of_people(people: list[UUID], random: Random) -> None:
    shuffled = people.copy()
    random.shuffle(shuffled)
    assert rules.direct_key(people) == rules.direct_key([*shuffled, shuffled[0]])
    assert rules.direct_key(people) != rules.direct_key([*people, uuid4()])


EMOJI = st.sampled_from("👍🎉❤")
STEPS = st.lists(st.tuples(st.booleans(), EMOJI, st.sampled_from([SARI, BUDI])), max_size=20)


@given(STEPS)
def test_reactions_are_a_set_of_emoji_and_person(steps: list[tuple[bool, str, str]]) -> None:
    """F-RO-02: doing either twice changes nothing, and an emoji without people is gone."""
    stored: list[Reaction] = []
    expected: set[tuple[str, str]] = set()
    for adding, emoji, who in steps:
        change = rules.add_reaction if adding else rules.remove_reaction
        changed = change(stored, emoji, who)
        assert (changed is None) == (((emoji, who) in expected) is adding)
        stored = stored if changed is None else changed
        (expected.add if adding else expected.discard)((emoji, who))
    assert {(r["emoji"], u) for r in stored for u in r["user_ids"]} == expected
    assert all(r["user_ids"] for r in stored)


def test_one_message_takes_twenty_different_emoji() -> None:
    full: list[Reaction] = [{"emoji": chr(0x1F600 + i), "user_ids": [SARI]} for i in range(rules.REACTION_KINDS)]
    with pytest.raises(OverflowError):
        rules.add_reaction(full, "👍", BUDI)
    assert rules.add_reaction(full, chr(0x1F600), BUDI) is not None


def test_five_hundred_people_are_listed_per_emoji() -> None:
    crowd: list[Reaction] = [{"emoji": "👍", "user_ids": [str(i) for i in range(rules.REACTION_USERS)]}]
    assert rules.add_reaction(crowd, "👍", BUDI) is None
