"""What a call is answered: a status and a JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

DELIVERY_HEADER = "x-kanal-delivery"


class Answer(NamedTuple):
    status: int
    body: bytes
    local_only: bool = False
    """The broker could not be reached: the subscribers of this node have the events, those of other nodes do not.

    Told by the header ``X-Kanal-Delivery: local``, not by the status: SDKs would repeat what was delivered.
    """


class Refused(Exception):
    """A call that is not carried out. The message is for the person who wrote the call, and holds no secret."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def answer(self) -> Answer:
        return Answer(self.status, msgspec.json.encode({"error": self.message}))


EMPTY = Answer(200, b"{}")
EMPTY_LOCAL = Answer(200, b"{}", local_only=True)


def answer(content: Mapping[str, Any], *, local_only: bool = False) -> Answer:
    """Empty ones are ``{}``, never ``[]``: strict SDKs decode objects."""
    return Answer(200, msgspec.json.encode(content), local_only)
