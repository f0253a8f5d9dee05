"""Waiting for what the server does in its own time: jobs, events, what another browser sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LIMIT = 30.0  # seconds; two cores are shared with other tests
PAUSE = 0.1  # seconds between two looks

T = TypeVar("T")


def comes_to(read: Callable[[], T], wanted: T, *, within: float = LIMIT) -> None:
    """Return as soon as `read()` gives what is wanted; fail with what it gave last.

    Events of a page are not handled meanwhile: what a page shows is waited for with Playwright's `expect`.
    """
    until = time.monotonic() + within
    while (seen := read()) != wanted and time.monotonic() < until:
        time.sleep(PAUSE)
    assert seen == wanted, f"still so after {within:g} s"
