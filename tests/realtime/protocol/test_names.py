"""Channel names and what their prefixes mean."""

import pytest

from kanal.realtime.protocol.errors import InvalidChannelName
from kanal.realtime.protocol.names import Kind, parse_channel_name


@pytest.mark.parametrize(
    ("text", "kind", "cached"),
    [
        ("news", Kind.PUBLIC, False),
        ("cache-news", Kind.PUBLIC, True),
        ("private-news", Kind.PRIVATE, False),
        ("private-cache-news", Kind.PRIVATE, True),
        ("private-encrypted-news", Kind.ENCRYPTED, False),
        ("private-encrypted-cache-news", Kind.ENCRYPTED, True),
        ("presence-news", Kind.PRESENCE, False),
        ("presence-cache-news", Kind.PRESENCE, True),
        ("privately", Kind.PUBLIC, False),
        ("presence", Kind.PUBLIC, False),
        ("#server-to-user-1", Kind.USER, False),
    ],
)
def test_the_prefix_decides_the_kind(text: str, kind: Kind, cached: bool) -> None:  # F-RT-01
    name = parse_channel_name(text)
    assert (name.kind, name.cached) == (kind, cached)


def test_only_private_and_presence_channels_take_client_events() -> None:  # F-RT-03
    taking = {"private-a", "presence-a", "private-cache-a", "presence-cache-a"}
    others = {"a", "cache-a", "private-encrypted-a", "private-encrypted-cache-a"}
    assert all(parse_channel_name(name).allows_client_events for name in taking)
    assert not any(parse_channel_name(name).allows_client_events for name in others)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "#a", "#server-to-user-", "ä", "a\n", "a" * 201, "a:b", "a\x00"])
def test_other_characters_and_longer_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidChannelName):
        parse_channel_name(text)


def test_every_documented_character_and_200_of_them_pass() -> None:
    for text in ("-_=@,.;aZ09", "a" * 200):
        assert parse_channel_name(text).text == text


def test_a_server_to_user_channel_names_a_user_whose_id_may_have_any_printable_character() -> None:
    assert parse_channel_name("#server-to-user-auth0|7 ü").user_id == "auth0|7 ü"
    assert parse_channel_name("news").user_id is None
    for text in ("#server-to-user-a\n", "#server-to-user-" + "a" * 200):
        with pytest.raises(InvalidChannelName):
            parse_channel_name(text)
