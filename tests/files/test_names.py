"""File names come from strangers (F-RO-05, F-WA-11)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.files.rules.names import NAME_LENGTH, clean_name, disposition, human_size


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ("laporan.pdf", "laporan.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\budi\\foto liburan.jpg", "foto liburan.jpg"),
        ("請求書 2026年.pdf", "請求書 2026年.pdf"),
        ("e\u0301te\u0301.txt", "été.txt"),
        ("👩‍👩‍👧.png", "👩‍👩‍👧.png"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u2066b\u2069c\u200fd\u061c.txt", "abcd.txt"),
        ("zero\u200bwidth\ufeff.txt", "zerowidth.txt"),
        ("new\r\nSet-Cookie: a=b.txt", "new Set-Cookie_ a=b.txt"),
        ("nul\0byte\x1b[31m.txt", "nulbyte[31m.txt"),
        ('a"b<c>d|e?f*g.txt', "a_b_c_d_e_f_g.txt"),
        (".htaccess", "htaccess"),
        ("trailing. . .", "trailing"),
        ("   ", "file"),
        ("..", "file"),
        ("", "file"),
        ("\u202e\u200b", "file"),
        ("half \ud800 of a pair.txt", "half of a pair.txt"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("x" * 300, "x" * 200),
        ("a." + "x" * 300, "a." + "x" * 198),
    ],
)
def test_names_are_cleaned_and_keep_their_script(declared: str, kept: str) -> None:
    assert clean_name(declared) == kept


@given(st.text(st.characters(), max_size=400))
def test_any_name_becomes_one_safe_line(declared: str) -> None:
    name = clean_name(declared)
    assert 0 < len(name) <= NAME_LENGTH
    assert not set(name) & set('/\\<>:"|?*')
    assert all(unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"} for c in name)
    assert name == name.strip()
    assert clean_name(name) == name
    name.encode()


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("été.txt", "attachment; filename=\"ete.txt\"; filename*=UTF-8''%C3%A9t%C3%A9.txt"),
        ("東京.png", "attachment; filename=\"png\"; filename*=UTF-8''%E6%9D%B1%E4%BA%AC.png"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ],
)
def test_content_disposition_carries_any_name(name: str, header: str) -> None:
    assert disposition("attachment", name) == header


@given(st.text(max_size=100))
def test_content_disposition_is_always_a_plain_header(declared: str) -> None:
    header = disposition("inline", clean_name(declared))
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.parametrize(
    ("size", "text"), [(25 * 1024 * 1024, "25 MB"), (1536, "1.5 kB"), (12, "12 B"), (2 * 1024**3, "2 GB")]
)
def test_sizes_are_told_to_people(size: int, text: str) -> None:
    assert human_size(size) == text
