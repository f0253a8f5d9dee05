"""The demo's story reads well at whatever time of the day it is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kanal.entrypoints.demo import FOUNDED
from kanal.entrypoints.demo_story import DIRECT_TALK, TALK, WIB, ZONE, Before

HOURS = [datetime(2026, 3, 9, hour, minute, tzinfo=UTC) for hour in range(24) for minute in (0, 1, 59)]


@pytest.mark.parametrize("now", HOURS, ids=str)
def test_lines_are_said_in_the_order_they_are_written(now: datetime) -> None:
    """After the rooms were made, before now, and each answer after what it answers."""
    moments = [line.said_at(now) for line in TALK]
    assert moments == sorted(moments)
    assert now - FOUNDED < moments[0]
    assert all(line.said_at(now) < now for line in (*TALK, *DIRECT_TALK))


@pytest.mark.parametrize("now", HOURS, ids=str)
def test_earlier_days_are_days_of_the_workspace_in_working_hours(now: datetime) -> None:
    days: dict[int, set[object]] = {}
    for line in TALK:
        if isinstance(line.when, Before):
            local = line.said_at(now).astimezone(ZoneInfo(ZONE))
            assert 8 <= local.hour < 17
            days.setdefault(line.when.days, set()).add(local.date())
    today = now.astimezone(WIB).date()
    assert days == {back: {today - timedelta(days=back)} for back in (1, 2, 3)}
