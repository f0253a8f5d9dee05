"""What Kanal takes when nothing happens: memory of the process, and script of the first page."""

import gzip
import re
import time
from pathlib import Path

from bench.figures import Figure, at_most
from bench.world import running

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src/kanal/entrypoints/static"
GOAL_MEMORY = 150.0  # MB, resident
GOAL_SCRIPT = 250.0  # kB, gzipped
SETTLE = 5.0  # seconds until start-up work is over
FIRST_SCRIPT = re.compile(r'<(?:script[^>]*\bsrc|link[^>]*\brel="modulepreload"[^>]*\bhref)="/?([^"]+\.js)"')


def measure_memory(folder: Path) -> list[Figure]:
    """Resident memory of `kanal serve` with all its roles, idle."""
    with running(folder) as world:
        time.sleep(SETTLE)
        status = Path(f"/proc/{world.process.pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match is not None
    return [at_most("idle `kanal serve`, resident", int(match[1]) / 1000, "MB", GOAL_MEMORY)]


def measure_script() -> list[Figure]:
    """Scripts that the page names itself, so that it fetches them before anybody signs in."""
    names = FIRST_SCRIPT.findall((STATIC / "index.html").read_text())
    size = sum(len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in names)
    return [at_most(f"script of the first page, gzipped ({len(names)} files)", size / 1000, "kB", GOAL_SCRIPT)]
