"""What holds of names, addresses, passwords, roles and plans. F-AC-02, F-AC-03, F-AC-05."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanal.identity import rules
from kanal.identity.rules import Membership, Permission, Plan, Role, Scope, Status
from kanal.kit.errors import KanalError, Kind


def refusal(call: object, *arguments: object, **named: object) -> KanalError:
    with pytest.raises(KanalError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" Sari@Example.COM ", "sari@example.com"),
        ("a+tag@sub.example.co.id", "a+tag@sub.example.co.id"),
        ("日本@例え.jp", "日本@例え.jp"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_an_address_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert rules.clean_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "a@",
        "@b.c",
        "a b@c.de",
        "a@b..c",
        "a@-b.c",
        "a@b.c\nBcc: d@e.f",
        "<a@b.c>",
        "a@b@c",
        "x" * 251 + "@b.c",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    assert refusal(rules.clean_email, typed).fields == {"email": "email.invalid"}


@given(st.text(max_size=400))
def test_an_accepted_address_is_printable_and_stays_as_it_is(text: str) -> None:
    try:
        email = rules.clean_email(text)
    except KanalError:
        return
    assert email.isprintable()
    assert len(email.encode()) <= 254
    assert rules.clean_email(email) == email


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Budi \t Santoso\n", "Budi Santoso"),
        ("田中 太郎", "田中 太郎"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("\U0001f469\u200d\U0001f4bb Ada", "\U0001f469\u200d\U0001f4bb Ada"),
        ("nul\x00l", "null"),
    ],
)
def test_a_name_is_one_line_without_hidden_characters(typed: str, kept: str) -> None:
    assert rules.clean_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\u200b", "\u200d\u200d", "\x00\x07"])
def test_a_name_that_shows_nothing_is_refused(typed: str) -> None:
    assert refusal(rules.clean_name, typed).fields == {"name": "field.blank"}


@given(st.text(max_size=200))
def test_a_kept_name_is_short_and_stays_as_it_is(text: str) -> None:
    try:
        name = rules.clean_name(text)
    except KanalError:
        return
    assert 0 < len(name) <= rules.NAME_LENGTH
    assert rules.clean_name(name) == name
    assert "\x00" not in name


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("123456789", "password.too_short"),
        ("x" * 201, "password.too_long"),
        ("Password123", "password.too_easy"),
        ("sari@example.com", "password.too_easy"),
        ("SariWulandari", "password.too_easy"),
        ("abababababab", "password.too_easy"),
    ],
)
def test_a_password_that_is_guessed_first_is_refused(password: str, code: str) -> None:
    error = refusal(rules.check_password, password, email="sari@example.com", name="Sari Wulandari")
    assert error.fields == {"password": code}


def test_a_sentence_is_a_fine_password() -> None:
    rules.check_password("kopi pahit di pagi hari", email="sari@example.com", name="Sari")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Toko Maju  Jaya!", "toko-maju-jaya"),
        ("Café Ünal", "cafe-unal"),
        ("株式会社", ""),
        ("x" * 90, "x" * 40),
        ("--", ""),
    ],
)
def test_slugs_are_plain(name: str, slug: str) -> None:
    assert rules.slug_of(name) == slug


def test_each_role_may_all_that_the_weaker_ones_may() -> None:
    for weaker, stronger in itertools.pairwise(Role):
        may = {p for p in Permission if rules.is_granted(p, weaker, None)}
        assert may <= {p for p in Permission if rules.is_granted(p, stronger, None)}


def test_viewers_only_read() -> None:
    may = {p for p in Permission if rules.is_granted(p, Role.VIEWER, None)}
    assert may == {
        Permission.WORKSPACE_READ,
        Permission.MEMBERS_READ,
        Permission.CHAT_READ,
        Permission.WORKSPACE_LEAVE,
    }


def test_every_permission_is_in_the_table() -> None:
    assert set(rules.GRANTS) == set(Permission)


@given(st.sampled_from(list(Permission)), st.sampled_from(list(Role)), st.frozensets(st.sampled_from(list(Scope))))
def test_a_token_never_gives_more_than_its_owner_has(
    permission: Permission, role: Role, scopes: frozenset[Scope]
) -> None:
    if rules.is_granted(permission, role, scopes):
        assert rules.is_granted(permission, role, None)
        assert rules.GRANTS[permission][1] in scopes


@pytest.mark.parametrize(
    ("actor", "target", "becomes", "allowed"),
    [
        ("owner", "owner", "viewer", True),
        ("owner", "agent", "owner", True),
        ("admin", "agent", "admin", True),
        ("admin", "admin", None, True),
        ("admin", "agent", "owner", False),
        ("admin", "owner", "agent", False),
        ("agent", "viewer", "viewer", False),
        ("viewer", "viewer", None, False),
    ],
)
def test_nobody_reaches_above_themselves(actor: str, target: str, becomes: str | None, allowed: bool) -> None:
    """F-AC-03."""
    arguments = (Role(actor), Role(target), Role(becomes) if becomes else None)
    if allowed:
        rules.check_may_manage(*arguments)
    else:
        assert refusal(rules.check_may_manage, *arguments).code == "permission.denied"


def test_the_last_owner_stays() -> None:
    """F-AC-03."""
    for becomes in (None, Role.ADMIN):
        assert refusal(rules.check_keeps_owner, Role.OWNER, becomes, 1).code == "member.last_owner"
    rules.check_keeps_owner(Role.OWNER, None, 2)
    rules.check_keeps_owner(Role.OWNER, Role.OWNER, 1)
    rules.check_keeps_owner(Role.ADMIN, None, 1)


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.CANCELLED])
def test_only_an_active_workspace_is_open(status: Status) -> None:
    """F-AC-02."""
    rules.check_open(Status.ACTIVE)
    error = refusal(rules.check_open, status)
    assert (error.code, error.kind) == (f"workspace.{status}", Kind.FORBIDDEN)


def test_every_plan_has_limits_and_a_bigger_one_has_no_smaller() -> None:
    """F-AC-02."""
    assert list(rules.LIMITS) == list(Plan)
    for smaller, bigger in itertools.pairwise(rules.LIMITS.values()):
        for limit in ("max_members", "max_sessions", "max_rooms", "max_file_bytes"):
            assert getattr(smaller, limit) <= getattr(bigger, limit)


def test_a_full_workspace_takes_nobody() -> None:
    rules.check_room_for_member(Plan.FREE, 9)
    error = refusal(rules.check_room_for_member, Plan.FREE, 10)
    assert (error.code, error.kind, error.params) == ("plan.members_reached", Kind.CONFLICT, {"limit": 10})


def test_scopes_are_known_ones_in_a_fixed_order() -> None:
    assert rules.check_scopes(["chat:write", "profile", "profile"]) == ["profile", "chat:write"]
    assert refusal(rules.check_scopes, []).fields == {"scopes": "token.scope_missing"}
    assert refusal(rules.check_scopes, ["root"]).fields == {"scopes": "token.scope_unknown"}


@pytest.mark.parametrize("name", ["UTC", "Asia/Jakarta", "Asia/Tokyo", "Asia/Calcutta", "America/Argentina/Ushuaia"])
def test_time_zones_go_by_their_names(name: str) -> None:
    rules.check_timezone(name)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "asia/jakarta"])
def test_unknown_time_zones_are_refused(name: str) -> None:
    assert refusal(rules.check_timezone, name).fields == {"settings.timezone": "timezone.unknown"}


def test_a_household_counts_as_one_address() -> None:
    """F-AC-05: of IPv6 every household has 2^64 addresses."""
    assert rules.network_of("192.0.2.7") == "192.0.2.7"
    assert rules.network_of("2001:db8::1") == rules.network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert rules.network_of("unknown") == "unknown"


def test_a_member_is_active_or_removed() -> None:
    assert [str(m) for m in Membership] == ["active", "removed"]
