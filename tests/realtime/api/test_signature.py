"""Signatures of calls: F-RT-04."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.realtime.api.answers import Refused
from kanal.realtime.api.signature import Signer, check, check_body, check_ordinary, parse_query, text_to_sign
from tests.realtime.api.caller import sign
from tests.realtime.harness import APP

NOW = 1_800_000_000.0
PATH = f"/apps/{APP.id}/events"
SIGNER = Signer(APP.key, APP.secret)


def status_of(query: str, path: str = PATH, now: float = NOW) -> int:
    try:
        check(SIGNER, "POST", path, parse_query(query), now)
    except Refused as refusal:
        return refusal.status
    return 200


def accepted(query: str, path: str = PATH) -> bool:
    status = status_of(query, path)
    assert status in {200, 401}
    return status == 200


@given(st.text(min_size=1, max_size=200), st.binary(max_size=300))
def test_the_signer_makes_what_the_standard_library_makes(secret: str, text: bytes) -> None:
    assert Signer("key", secret).sign(text) == hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def test_the_example_of_pushers_documentation() -> None:
    """https://pusher.com/docs/channels/library_auth_reference/rest-api#worked-authentication-example"""
    parameters = {
        "auth_key": "278d425bdf160c739803",
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": "ec365a775a4cd0599faeb73354201b6f",
    }
    text = text_to_sign("POST", "/apps/3/events", parameters)
    signature = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    assert Signer("278d425bdf160c739803", "7ad3773142a6692b25b8").sign(text.encode()) == signature


def test_parameters_are_sorted_by_key_in_lower_case() -> None:
    parameters = parse_query("b=2&A=1&a-b=3&auth_signature=x")
    assert text_to_sign("GET", "/p", parameters) == "GET\n/p\na=1&a-b=3&b=2"


def test_parameters_are_signed_as_they_are_before_escaping() -> None:
    query = sign("POST", PATH, at=NOW, filter_by_prefix="presence-@,;")
    assert accepted(query.replace("presence-@,;", quote("presence-@,;")))
    assert accepted(query)


def test_body_md5_on_a_call_without_a_body_is_one_more_parameter() -> None:
    query = sign("POST", PATH, at=NOW, body_md5=hashlib.md5(b"").hexdigest())
    assert accepted(query)
    check_body(parse_query(query), b"")


@pytest.mark.parametrize("seconds", [-600, -1, 0, 1, 600])
def test_ten_minutes_to_either_side_are_accepted(seconds: int) -> None:
    assert accepted(sign("POST", PATH, at=NOW - seconds))


@pytest.mark.parametrize("seconds", [-86_400, -602, 601, 10**11])
def test_beyond_ten_minutes_is_refused(seconds: int) -> None:
    assert not accepted(sign("POST", PATH, at=NOW + seconds))


@pytest.mark.parametrize(
    "change",
    [
        {"auth_signature": None},
        {"auth_signature": "0" * 64},
        {"auth_signature": "é\ud800"},
        {"auth_key": "another"},
        {"auth_key": None},
        {"auth_version": "2.0"},
        {"auth_version": None},
        {"auth_timestamp": None},
        {"auth_timestamp": "1e9"},
        {"auth_timestamp": "٣"},
        {"auth_timestamp": "9" * 400},
    ],
)
def test_what_is_missing_or_wrong_is_refused(change: dict[str, str | None]) -> None:
    assert not accepted(sign("POST", PATH, **({"at": NOW} | change)))  # type: ignore[arg-type]


def test_a_signature_fits_one_method_one_path_one_set_of_parameters() -> None:
    query = sign("POST", PATH, at=NOW)
    assert accepted(query)
    assert not accepted(query, path="/apps/1001/batch_events")
    assert not accepted(query + "&info=user_count")
    assert not accepted(sign("GET", PATH, at=NOW))


def test_a_path_may_be_signed_escaped_or_not() -> None:
    plain, escaped = (
        "/apps/1001/users/ayu smith/terminate_connections",
        "/apps/1001/users/ayu%20smith/terminate_connections",
    )
    for signed in (plain, escaped):
        assert accepted(sign("POST", signed, at=NOW), path=escaped)


@pytest.mark.parametrize("query", ["info=a&info=b", "info=a&INFO=b", "info=a&%69nfo=b"])
def test_a_parameter_given_twice_is_refused(query: str) -> None:
    """One of them would be signed, the other used."""
    with pytest.raises(Refused) as caught:
        parse_query(query)
    assert caught.value.status == 400


def test_a_body_needs_its_digest() -> None:
    body = b'{"a":1}'
    check_body({"body_md5": hashlib.md5(body).hexdigest()}, body)
    for parameters in ({}, {"body_md5": ""}, {"body_md5": hashlib.md5(b"other").hexdigest()}, {"body_md5": "é\ud800"}):
        with pytest.raises(Refused) as caught:
            check_body(parameters, body)
        assert caught.value.status == 401
    check_body({}, b"")


@given(st.text(max_size=300))
def test_any_query_is_refused_that_nobody_signed(query: str) -> None:
    assert status_of(query) in {400, 401}


class TestOrdinaryQueries:
    """The quick way says yes only where the thorough one does, and hands everything else on to it."""

    BEGINNING = f"POST\n{PATH}\n".encode()

    def quick(self, query: str) -> dict[str, str] | None:
        return check_ordinary(SIGNER, self.BEGINNING, query.encode(), NOW)

    def test_the_orders_in_which_sdks_send_parameters(self) -> None:
        body = b"{}"
        at_the_end = sign("POST", PATH, body, at=NOW)
        sorted_in = "&".join(sorted(at_the_end.split("&")))
        assert sorted_in != at_the_end
        for query in (at_the_end, sorted_in):
            assert self.quick(query) == {"body_md5": hashlib.md5(body).hexdigest()}
        assert self.quick(sign("POST", PATH, at=NOW)) == {}

    @pytest.mark.parametrize("more", [{"info": "user_count"}, {"auth_key": "other"}, {"auth_version": "2.0"}])
    def test_others_are_handed_on(self, more: dict[str, str]) -> None:
        assert self.quick(sign("POST", PATH, at=NOW, **more)) is None  # type: ignore[arg-type]

    def test_two_signatures_are_handed_on(self) -> None:
        query = sign("POST", PATH, at=NOW)
        signature = query.rpartition("&")[2]
        assert self.quick(query.replace("&auth_timestamp", f"&{signature}&auth_timestamp")) is None

    @given(st.data())
    def test_what_was_changed_is_not_accepted(self, data: st.DataObject) -> None:
        query = sign("POST", PATH, b"{}", at=NOW)
        if data.draw(st.booleans()):
            query = "&".join(sorted(query.split("&")))
        at = data.draw(st.integers(0, len(query) - 1))
        changed = query[:at] + data.draw(st.text(max_size=3)) + query[at + data.draw(st.integers(0, 3)) :]
        found = check_ordinary(SIGNER, self.BEGINNING, changed.encode(errors="replace"), NOW)
        if found is not None:
            assert accepted(changed)
            assert found == {"body_md5": parse_query(changed)["body_md5"]}
