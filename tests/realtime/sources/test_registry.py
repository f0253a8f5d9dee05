"""Apps from several sources at once: F-RT-07."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kanal.realtime.apps import App
from kanal.realtime.sources.registry import AppRegistry

ONE = App(id="1", key="one", secret="s")
TWO = App(id="2", key="two", secret="s")


@pytest.fixture
def registry() -> AppRegistry:
    return AppRegistry()


@pytest.fixture
def told(registry: AppRegistry) -> list[tuple[App | None, App]]:
    """What watchers were told."""
    heard: list[tuple[App | None, App]] = []
    registry.watch(lambda new, old: heard.append((new, old)))
    return heard


def test_all_parts_are_found(registry: AppRegistry) -> None:
    registry.put("settings", [ONE])
    registry.put("file", [TWO])
    assert registry.by_id("1") is ONE
    assert registry.by_key("two") is TWO
    assert list(registry.all()) == [ONE, TWO]
    assert registry.by_key("three") is None


def test_a_change_is_told_with_the_old_app_and_an_addition_is_not(
    registry: AppRegistry, told: list[tuple[App | None, App]]
) -> None:
    registry.put("file", [ONE, TWO])
    assert told == []
    changed = replace(ONE, max_connections=5)
    registry.put("file", [changed, replace(TWO)])
    assert told == [(changed, ONE)]
    assert registry.by_id("2") is TWO, "equal is unchanged"
    registry.put("file", [changed])
    assert told[1:] == [(None, TWO)]
    assert registry.by_key("two") is None


def test_watchers_find_the_new_state(registry: AppRegistry) -> None:
    found: list[App | None] = []
    registry.put("file", [ONE])
    registry.watch(lambda _new, _old: found.append(registry.by_key("new-key")))
    changed = replace(ONE, key="new-key")
    registry.put("file", [changed])
    assert found == [changed]
    assert registry.by_key("one") is None


@pytest.mark.parametrize("other", [replace(TWO, id="1"), replace(TWO, key="one")])
def test_an_id_or_key_used_twice_is_refused_and_changes_nothing(
    registry: AppRegistry, told: list[tuple[App | None, App]], other: App
) -> None:
    registry.put("settings", [ONE])
    registry.put("file", [TWO])
    with pytest.raises(ValueError, match="used"):
        registry.put("file", [other])
    assert registry.by_id("2") is TWO
    assert told == []
    registry.put_what_fits("database", [other, App(id="3", key="three", secret="s")])
    assert [app.id for app in registry.all()] == ["1", "2", "3"]
