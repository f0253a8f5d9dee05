"""The system's Chromium for tests, started so that it talks to nobody but this machine."""

import contextlib
import os

from tests.support.services.base import ServiceMissing, find_program

ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--no-first-run",
]


def find_chromium() -> str:
    """Path of the browser. Raises `ServiceMissing`."""
    for name in ("chromium-browser", "google-chrome"):
        with contextlib.suppress(ServiceMissing):
            return find_program(name, package="chromium")
    return find_program("chromium", package="chromium")


def launch_options() -> dict[str, object]:
    """Arguments for Playwright's `chromium.launch`."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to sandbox for root
    return {"executable_path": find_chromium(), "headless": True, "args": [*ARGUMENTS, *sandbox]}
