"""What reaches the log, and what never does."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest

FAILING = """
import logging, structlog
from kanal.kit import logs

logs.configure(level="info", format_="{form}", node="n1")

def work(card_number):
    raise ValueError("broken")

for log in (structlog.get_logger("own"), logging.getLogger("foreign")):
    try:
        work("4111-1111")
    except ValueError:
        log.exception("it.failed")
structlog.get_logger("own").info("signed.in", csrf_token="t0ps3cret")
"""


@cache
def _logged(form: str) -> str:
    """By a process of its own: logging is set up once per process."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(form=form)], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stderr


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_a_traceback_shows_lines_but_no_variables(form: str) -> None:
    """They hold cookies, tokens and what people wrote."""
    text = _logged(form)
    assert text.count("broken") >= 2
    assert "4111-1111" not in text.replace('work("4111-1111")', "")


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_a_value_with_a_secret_sounding_name_is_hidden(form: str) -> None:
    assert "t0ps3cret" not in _logged(form)


def test_each_line_is_json_with_node_and_level() -> None:
    """F-OP-07."""
    lines = [json.loads(line) for line in _logged("json").splitlines()]
    assert [(line["event"], line["level"], line["node"]) for line in lines] == [
        ("it.failed", "error", "n1"),
        ("it.failed", "error", "n1"),
        ("signed.in", "info", "n1"),
    ]
