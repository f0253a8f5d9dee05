"""Waiting for what has no place on a page: jobs, what the server stores, what a test holds back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

LIMIT = 30.0  # seconds; two cores are shared with other tests
PAUSE = 0.1  # seconds between two looks


def comes_to(read: Callable[[], Any], wanted: Any, *, page: Page | None = None) -> None:
    """Return as soon as `read()` gives what is wanted; fail with what it gave last.

    A route that the test itself answers is heard of only while `page` is given. What a page shows is waited for with
    Playwright's `expect`; what a script of several steps finds out there is waited for here, because Playwright's
    `wait_for_function` takes the promise itself for a yes.
    """
    until = time.monotonic() + LIMIT
    while (seen := read()) != wanted and time.monotonic() < until:
        if page:
            page.wait_for_timeout(PAUSE * 1000)
        else:
            time.sleep(PAUSE)
    assert seen == wanted, f"still so after {LIMIT:g} s"
