"""Whose turn it is to clear away after a dead node."""

from __future__ import annotations

import zlib
from collections.abc import Collection

PATIENCE = 2  # heartbeats that each further node waits for the one before it


class Burials:
    """All nodes see a death within a heartbeat; one of them, another for each dead, acts at once. The others wait their turn,
    for it may be dying itself."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._seen: dict[str, int] = {}

    def due(self, dead: Collection[str], alive: Collection[str]) -> list[str]:
        """Called with every heartbeat: the dead for whom it is this node's turn."""
        self._seen = {node: self._seen.get(node, -1) + 1 for node in dead}
        order = sorted({*alive, self._node} - set(dead))
        if self._node not in order:  # we are taken for dead ourselves
            return []
        place = order.index(self._node)
        return [node for node, beats in self._seen.items() if beats >= PATIENCE * _turn(node, place, len(order))]


def _turn(dead: str, place: int, nodes: int) -> int:
    return (place - zlib.crc32(dead.encode())) % nodes
