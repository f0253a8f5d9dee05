"""Settings: wrong ones are one line that names the variable, before anything starts."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from kanal.settings import SettingsError, load, secret_keys

KEY = "k" * 32


def test_nothing_has_to_be_set(tmp_path: Path) -> None:
    settings = load({}, env_file=tmp_path / "none")
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8000)
    assert settings.database_url.startswith("sqlite:////")
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.node_id


def test_an_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    assert load({"KANAL_PORT": ""}, env_file=tmp_path / "none").http.port == 8000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KANAL_PORT", "eighty"),
        ("KANAL_PORT", "65536"),
        ("KANAL_MAX_BODY", "0"),
        ("KANAL_ALLOW_REGISTRATION", "maybe"),
        ("KANAL_TRUSTED_PROXIES", "10.0.0.0/8, home"),
        ("KANAL_LOG_LEVEL", "loud"),
        ("KANAL_SESSION_IDLE_MINUTES", "-1"),
        ("KANAL_SECRET_KEYS", "short"),
        ("KANAL_SECRET_KEYS", f"{KEY},short"),
        ("KANAL_PUBLIC_URL", "chat.example.com"),
        ("KANAL_PUBLIC_URL", "ftp://chat.example.com"),
        ("KANAL_TABLE_PREFIX", "1st_"),
        ("KANAL_TABLE_PREFIX", "x; DROP"),
        ("KANAL_TABLE_PREFIX", "twenty_one_letters_xx"),
        ("KANAL_VERSION_TABLE", "a b"),
        ("KANAL_APP_ID", "main"),
        ("KANAL_DATABASE_URL", "nonsense"),
        ("KANAL_DATABASE_URL", "oracle://u:p@h/d"),
        ("KANAL_DATABASE_URL", "mariadb://u:p@h:port/d"),
        ("KANAL_STORAGE_URL", "ftp://h/d"),
        ("KANAL_SMTP_URL", "http://h"),
        ("KANAL_REDIS_URL", "http://h"),
        ("KANAL_NOT_THERE", "x"),
        ("KANAL_DATABSE_URL", "sqlite:////x"),
    ],
)
def test_a_wrong_value_names_its_variable(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable}: ") as refused:
        load({"KANAL_SECRET_KEYS": KEY, variable: value}, env_file=tmp_path / "none")
    assert "\n" not in str(refused.value)


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load({"KANAL_DATABASE_URL": "oracle://sari:rahasia@h/d"}, env_file=tmp_path / "none")
    assert "rahasia" not in str(refused.value)


def test_a_database_server_needs_a_key_that_all_nodes_share(tmp_path: Path) -> None:
    url = {"KANAL_DATABASE_URL": "postgresql://h/d"}
    with pytest.raises(SettingsError, match="KANAL_SECRET_KEYS"):
        load(url, env_file=tmp_path / "none")
    load({**url, "KANAL_SECRET_KEYS": KEY}, env_file=tmp_path / "none")


def test_values_become_what_they_mean(tmp_path: Path) -> None:
    settings = load(
        {
            "KANAL_HOST": "0.0.0.0",
            "KANAL_PORT": "9000",
            "KANAL_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "KANAL_SESSION_IDLE_MINUTES": "30",
            "KANAL_ALLOW_REGISTRATION": "No",
            "KANAL_SECRET_KEYS": f"{KEY}, {'o' * 40}",
            "KANAL_DATA": str(tmp_path / "x/../data"),
            "HOME": "/ignored",
        },
        env_file=tmp_path / "none",
    )
    assert [str(n) for n in settings.http.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.security.session_idle == timedelta(minutes=30)
    assert settings.security.allow_registration is False
    assert settings.security.secret_keys == (KEY, "o" * 40)
    assert settings.database_url == f"sqlite:///{tmp_path / 'data' / 'kanal.db'}"
    assert settings.public_url == "http://127.0.0.1:9000", "nobody opens 0.0.0.0 in a browser"


def test_a_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# comment\n\nexport KANAL_PORT=9000\nKANAL_NODE_ID = 'blue'\nOTHER=1\n")
    settings = load({"KANAL_PORT": "9001"}, env_file=file)
    assert (settings.http.port, settings.node_id) == (9001, "blue")


@pytest.mark.parametrize("line", ["KANAL_PORT 9000", "KANAL_PROT=9000"])
def test_a_wrong_line_in_the_file_is_an_error(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"A=1\n{line}\n")
    with pytest.raises(SettingsError):
        load({}, env_file=file)


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = load({"KANAL_DATA": str(tmp_path)}, env_file=tmp_path / "none")
    first = secret_keys(settings)
    assert secret_keys(settings) == first
    assert len(first[0]) >= 32
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
