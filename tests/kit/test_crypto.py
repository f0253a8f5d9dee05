"""Keys that change while what they sealed stays readable (F-OP-06)."""

from __future__ import annotations

import pytest

from kanal.kit.crypto import KeyRing, WrongKeyError, equal, new_token, token_hash

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 32


def test_the_newest_key_seals_and_all_of_them_open() -> None:
    before, rotated, after = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])
    sealed = before.seal("秘密")
    assert rotated.open(sealed) == "秘密"
    with pytest.raises(WrongKeyError):
        after.open(sealed)
    assert after.open(rotated.seal("秘密")) == "秘密"


def test_what_was_changed_does_not_open() -> None:
    ring = KeyRing([NEW])
    sealed = ring.seal("text")
    for changed in (sealed[:20] + "AAAA" + sealed[24:], sealed[4:], sealed[:-4], "", "é"):
        with pytest.raises(WrongKeyError):
            ring.open(changed)


def test_signatures_are_bound_to_a_purpose_and_survive_rotation() -> None:
    signature = KeyRing([OLD]).sign("csrf", "session 1")
    rotated = KeyRing([NEW, OLD])
    assert rotated.verify("csrf", "session 1", signature)
    assert not rotated.verify("other", "session 1", signature)
    assert not rotated.verify("csrf", "session 2", signature)
    assert not KeyRing([OTHER]).verify("csrf", "session 1", signature)
    assert rotated.sign("csrf", "session 1") != signature, "new ones are made with the newest key"


def test_a_signature_of_any_form_is_refused_not_fatal() -> None:
    """It comes from a header, which holds what anybody likes."""
    for signature in ("", "é" * 64, "\ud800" * 64):
        assert not KeyRing([OLD]).verify("csrf", "x", signature)


def test_derived_secrets_stay_the_same_through_a_rotation() -> None:
    """The public key of the socket application must not change under the clients."""
    assert KeyRing([NEW, OLD]).secret("realtime key") == KeyRing([OLD]).secret("realtime key")
    assert KeyRing([OLD]).secret("one") != KeyRing([OLD]).secret("two")


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "short"]])
def test_weak_rings_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match=r"key"):
        KeyRing(keys)


def test_tokens_are_long_distinct_and_stored_as_hashes() -> None:
    tokens = {new_token("kanal_") for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(t) == 49 and t.startswith("kanal_") for t in tokens)
    assert len(token_hash(tokens.pop())) == 32
    assert equal("é", "é")
    assert not equal("é", "e")
