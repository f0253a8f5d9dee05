"""How long to wait before the next attempt to reach a broker."""

from __future__ import annotations

import random

FIRST = 0.1  # seconds
CAP = 5.0  # seconds; a broker that is back is found within this


def delay(attempt: int) -> float:
    """Doubles from 0.1 to 5 s, and half of it is chance, so that nodes do not come back all at once."""
    full: float = min(CAP, FIRST * 2 ** min(attempt, 16))
    return full * (0.5 + random.random() / 2)
