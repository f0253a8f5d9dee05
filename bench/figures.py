"""Figures of a run: what was measured, what it is compared with, what was promised."""

import json
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured value. `goal` is a limit in words; `met` says whether it was kept, None where there is none."""

    what: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


def at_least(what: str, value: float, unit: str, goal: float) -> Figure:
    """A value that should reach a goal."""
    return Figure(what, value, unit, f"≥ {goal:,g}", value >= goal)


def at_most(what: str, value: float, unit: str, goal: float) -> Figure:
    """A value that should stay under a goal."""
    return Figure(what, value, unit, f"≤ {goal:,g}", value <= goal)


def percentile(values: list[float], part: float) -> float:
    """The value that `part` of the values (0 to 1) do not exceed; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def table(figures: Iterable[Figure]) -> str:
    """Figures in aligned columns."""
    rows = [("what", "value", "unit", "goal", "")]
    rows += [
        (f.what, f"{f.value:,.4g}" if f.value < 1000 else f"{f.value:,.0f}", f.unit, f.goal, _word(f)) for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}  {e}".rstrip()
        for a, b, c, d, e in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def save(figures: Iterable[Figure]) -> Path:
    """Write the run as JSON and return where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    run = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        "figures": [asdict(figure) for figure in figures],
    }
    path.write_text(json.dumps(run, indent=2, ensure_ascii=False))
    return path


def _word(figure: Figure) -> str:
    return "" if figure.met is None else "met" if figure.met else "MISSED"
