"""Apps as people write them: F-RT-07."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from kanal.realtime.apps import App, Webhook
from kanal.realtime.sources.file import AppFile
from kanal.realtime.sources.reading import read_json, read_toml
from kanal.realtime.sources.registry import AppRegistry

TOML = """
[[apps]]
id = 1001
key = "key"
secret = "secret"
allowed_origins = ["*.example.com"]
max_connections = 500
client_events = false
encryption_master_key = "{master}"

[[apps.webhooks]]
url = "https://example.com/hook"
events = ["channel_occupied", "channel_vacated"]
channel_prefix = "presence-"
headers = {{ authorization = "Bearer x" }}
"""
MASTER = b"0123456789abcdef" * 2


def test_toml_and_json_say_the_same() -> None:
    expected = App(
        id="1001",
        key="key",
        secret="secret",
        allowed_origins=("*.example.com",),
        max_connections=500,
        client_events=False,
        encryption_master_key=MASTER,
        webhooks=(
            Webhook(
                url="https://example.com/hook",
                events=frozenset({"channel_occupied", "channel_vacated"}),
                channel_prefix="presence-",
                headers={"authorization": "Bearer x"},
            ),
        ),
    )
    master = b64encode(MASTER).decode()
    assert read_toml(TOML.format(master=master)) == [expected]
    assert read_json(
        '[{"id":"1001","key":"key","secret":"secret","allowed_origins":["*.example.com"],"max_connections":500,'
        f'"client_events":false,"encryption_master_key":"{master}","webhooks":[{{"url":"https://example.com/hook",'
        '"events":["channel_occupied","channel_vacated"],"channel_prefix":"presence-",'
        '"headers":{"authorization":"Bearer x"}}]}]'
    ) == [expected]


@pytest.mark.parametrize(
    ("app", "complaint"),
    [
        ('{"id":"7","key":"k"}', "app 7: Object missing required field `secret`"),
        ('{"id":"7","key":"k","secret":"hush","colour":1}', "app 7: there is no 'colour'"),
        ('{"id":"7","key":"k","secret":"hush","webhooks":[{"url":"https://a","event":[]}]}', "there is no 'event'"),
        ('{"id":"7","key":"k","secret":"hush","webhooks":[{"url":"ftp://user:hush@a"}]}', "http or https"),
        ('{"id":"7","key":"k","secret":"hush","webhooks":[{"url":"https://a","events":["x"]}]}', "no such event: x"),
        ('{"id":"7","key":"k","secret":"hush","max_connections":"many"}', "app 7: Expected `int | null`"),
        ('{"id":"7","key":"k","secret":"hush","activity_timeout":0}', "app 7: activity_timeout"),
        ('{"id":"7","key":"k","secret":"hush","encryption_master_key":"aHVzaA=="}', "must have 32 bytes"),
        ('{"id":"a:b","key":"k","secret":"hush"}', "app id 'a:b'"),
        ('{"id":"7","key":"a/b","secret":"hush"}', "has a slash"),
        ("7", "a table with id, key and secret"),
    ],
)
def test_what_is_wrong_is_named_without_secrets(app: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as caught:
        read_json(f"[{app}]")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"apps":{}}', '{"apps":[],"more":1}', "[" * 100_000])
def test_what_is_no_list_of_apps_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|list|no 'more'"):
        read_json(text)


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "apps.json"

    @pytest.fixture
    def registry(self) -> AppRegistry:
        return AppRegistry()

    def write(self, path: Path, *apps: dict[str, Any]) -> None:
        """As editors do it: a new file in the old one's place."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"apps": [{"key": f"key-{app['id']}", "secret": "s"} | app for app in apps]}))
        fresh.replace(path)

    def test_it_must_be_usable_at_start(self, path: Path, registry: AppRegistry) -> None:
        with pytest.raises(ValueError, match=r"apps\.json: No such file"):
            AppFile(path, registry).load()
        path.write_text("{")
        with pytest.raises(ValueError, match=r"apps\.json: this is not JSON"):
            AppFile(path, registry).load()

    async def test_changes_are_taken_while_it_runs(self, path: Path, registry: AppRegistry) -> None:
        self.write(path, {"id": "1"})
        file = AppFile(path, registry)
        file.load()
        following = asyncio.create_task(file.follow(0.01))
        try:
            self.write(path, {"id": "1", "max_connections": 5}, {"id": "2"})
            async with asyncio.timeout(5):
                while registry.by_id("2") is None:  # noqa: ASYNC110 - files have no events
                    await asyncio.sleep(0.01)
            one = registry.by_id("1")
            assert one is not None
            assert one.max_connections == 5
        finally:
            following.cancel()

    def test_a_file_that_breaks_changes_nothing_until_it_is_mended(self, path: Path, registry: AppRegistry) -> None:
        self.write(path, {"id": "1"})
        file = AppFile(path, registry)
        file.load()
        path.write_text("{")
        file.look()
        path.unlink()
        file.look()
        self.write(path, {"id": "1"}, {"id": "1"})
        file.look()
        assert [app.id for app in registry.all()] == ["1"]
        self.write(path, {"id": "3"})
        file.look()
        assert [app.id for app in registry.all()] == ["3"]
