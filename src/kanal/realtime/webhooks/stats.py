"""Plain counters; whoever exports them reads them when asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class WebhookStats:
    """Of one app, all its addresses together; since the start of this node, except ``waiting``, which is now.

    All but ``requests``, ``failed`` and ``retried`` count events.
    """

    sent: int = 0
    """Taken by the receiver with a 2xx."""
    dropped: int = 0
    """Given up: refused for five minutes, pushed out of a full queue, or left over at the end of this node."""
    waiting: int = 0
    requests: int = 0
    """POSTs made."""
    failed: int = 0
    """POSTs without a 2xx."""
    retried: int = 0
    """POSTs of something that was sent before."""
