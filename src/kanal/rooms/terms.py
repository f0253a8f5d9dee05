"""Words for the full-text index, the same on SQLite (FTS5), MariaDB (FULLTEXT) and PostgreSQL (GIN).

The databases' own tokenizers disagree: MariaDB drops words under three letters and common English words, none of them
splits Japanese. So the words are cut here and written in an ASCII alphabet that every tokenizer leaves alone: words of
scripts with spaces as ``xx`` + the word, scripts without spaces as overlapping pairs of characters. ``ok`` becomes
``xxok``, ``東京都`` becomes ``xxu6771zu4eacz xxu4eaczu90fdz xxu90fdz``. Every term can be matched by its beginning.
"""

from __future__ import annotations

import re
import unicodedata

TERM_LIMIT = 80  # characters; MariaDB indexes words up to 84
TERMS_PER_MESSAGE = 600
QUERY_TERMS = 12

_ASCII_WORD = re.compile(r"[a-z0-9]+")
# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, Han, Hangul, and their extensions.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")


def terms_of(text: str) -> list[str]:
    """Terms of a text, each once, in order."""
    if text.isascii():
        words = ["xx" + w[: TERM_LIMIT - 2] for w in _ASCII_WORD.findall(text.lower())]
        return list(dict.fromkeys(words))[:TERMS_PER_MESSAGE]
    found: list[str] = []
    for run in _RUN.findall(_fold(text)):
        if _is_unspaced(run[0]):
            found.extend(_encode(run[i : i + 2]) for i in range(len(run)))
        else:
            found.append(_encode(run))
    return list(dict.fromkeys(found))[:TERMS_PER_MESSAGE]


def query_terms(text: str) -> list[str]:
    """Terms a message must have, each as a beginning (``xxkop`` finds "kopi")."""
    found: list[str] = []
    for run in _RUN.findall(_fold(text)):
        if _is_unspaced(run[0]) and len(run) > 1:
            found.extend(_encode(run[i : i + 2]) for i in range(len(run) - 1))
        else:
            found.append(_encode(run))
    return list(dict.fromkeys(found))[:QUERY_TERMS]


def _fold(text: str) -> str:
    """Case, width and accents aside: ``Ｃafé`` is found by ``cafe``. Japanese voicing marks are kept."""
    text = unicodedata.normalize("NFKC", text).casefold()
    decomposed = unicodedata.normalize("NFD", text)
    kept = (c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", "".join(kept))


def _is_unspaced(character: str) -> bool:
    return re.match(f"[{_UNSPACED}]", character) is not None


def _encode(word: str) -> str:
    if word.isascii():
        return "xx" + word[: TERM_LIMIT - 2]
    return ("xx" + "".join([c if c.isascii() else f"u{ord(c):x}z" for c in word]))[:TERM_LIMIT]
