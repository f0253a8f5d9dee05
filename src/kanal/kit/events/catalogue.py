"""The typed catalogue of events: one entry per name, from which the web app's types are generated."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Payload = TypeVar("Payload", bound=msgspec.Struct)

CATALOGUE: dict[str, EventType[msgspec.Struct]] = {}


class EventType(Generic[Payload]):
    """An event's name, the shape of its payload, and one sentence of what it announces."""

    def __init__(self, name: str, payload: type[Payload], summary: str) -> None:
        if name in CATALOGUE:
            raise ValueError(f"event {name} is in the catalogue already")
        self.name = name
        self.payload = payload
        self.summary = summary
        CATALOGUE[name] = self  # type: ignore[assignment]
