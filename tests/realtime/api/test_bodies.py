"""Bodies of calls, without a server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.realtime.api.answers import Refused
from kanal.realtime.api.bodies import read_batch, read_event
from kanal.realtime.publisher import Publication
from tests.realtime.harness import APP

EVENT = {"name": "e", "channels": ["news"], "data": "{}"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def status_of(content: Any, **limits: Any) -> int:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        read_event(replace(APP, **limits), body)
    except Refused as refusal:
        return refusal.status
    return 200


def test_one_publication_for_each_channel_once() -> None:
    event = read_event(APP, json.dumps(EVENT | {"channels": ["a", "b", "a"], "socket_id": "1.2"}).encode())
    assert event.publications == [Publication(APP.id, name, "e", "{}", "1.2") for name in ("a", "b")]


def test_an_empty_socket_id_is_none() -> None:
    assert read_event(APP, json.dumps(EVENT | {"socket_id": ""}).encode()).publications[0].except_socket is None


def test_data_that_is_no_string_is_passed_on_as_the_text_it_was() -> None:
    event = read_event(APP, b'{"name":"e","channel":"a","data":{ "b": [1.50, "\xc3\xa9"] }}')
    assert event.publications[0].data == '{ "b": [1.50, "é"] }'


def test_data_counts_in_bytes() -> None:
    fits = {**EVENT, "data": "é" * 5_120}
    assert status_of(fits) == 200
    assert status_of({**EVENT, "data": "é" * 5_120 + "x"}) == 413
    assert status_of({**EVENT, "data": "\x00" * 10_240}) == 200, "however it is escaped"


def test_a_user_is_a_channel_too() -> None:
    event = read_event(APP, json.dumps(EVENT | {"channels": ["#server-to-user-ayu@example.com"]}).encode())
    assert event.publications[0].channel == "#server-to-user-ayu@example.com"


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": 5},
        {"channels": []},
        {"channels": ["a b"]},
        {"channels": ["#other"]},
        {"channels": ["#server-to-user-"]},
        {"channels": ["#server-to-user-a\nb"]},
        {"channels": ["x" * 201]},
        {"channels": [f"c{n}" for n in range(101)]},
        {"channels": "news"},
        {"channels": [None]},
        {"socket_id": "1"},
        {"socket_id": "1.2\n"},
        {"info": "everything"},
    ],
)
def test_what_is_not_allowed_is_a_400(change: dict[str, Any]) -> None:
    assert status_of(EVENT | change) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"name":"e","channels":["news"]}',
        b'{"name":"e","data":"{}"}',
        b'{"name":"e","channels":["news"],"data":"\xff"}',
        b'{"name":"e","channels":["news"],"data":{"a":"\xff"}}',
        b'{"name":"e","channels":["news"],"data":"\\ud800"}',
        b'{"name":"\xff","channels":["news"],"data":"x"}',
        b'{"name":"e","channels":["\xff"],"data":"x"}',
    ],
)
def test_what_cannot_be_read_is_a_400(body: bytes) -> None:
    assert status_of(body) == 400


def test_a_batch_has_at_most_ten_events_of_one_channel_each() -> None:
    one = {"name": "e", "channel": "a", "data": "x"}
    assert len(read_batch(APP, json.dumps({"batch": [one] * 10}).encode())) == 10
    assert read_batch(APP, b'{"batch":[]}') == []
    for batch in ([one] * 11, [{"name": "e", "channels": ["a"], "data": "x"}], [one, {"name": "e"}], "text"):
        with pytest.raises(Refused) as caught:
            read_batch(APP, json.dumps({"batch": batch}).encode())
        assert caught.value.status == 400


@given(JSON)
def test_any_json_is_read_or_refused(content: Any) -> None:
    body = json.dumps(content).encode()
    assert status_of(body) in {200, 400, 413}
    assert status_of(json.dumps({**EVENT, "data": content}).encode()) in {200, 413}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    assert status_of(body) in {200, 400, 413}
    assert status_of(b'{"name":"e","channel":"a","data":"' + body + b'"}') in {200, 400, 413}
