"""Who wants to know what happens on channels: webhooks, consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kanal.realtime.apps import App


class Observer(Protocol):
    """Called on the event loop, in the middle of the work: be quick, do not raise.

    Only apps with webhooks are observed; that is decided once per channel, not per event, so that the others pay nothing.
    Every joining is followed by one leaving; a channel or app that is observed from some moment on is told as if everybody
    had come in that moment, and the other way round.
    """

    def channel_opened(self, app: App, channel: str) -> None:
        """The first subscriber on this node."""

    def channel_emptied(self, app: App, channel: str) -> None:
        """The last subscriber on this node has left."""

    def member_joined(self, app: App, channel: str, user_id: str) -> None:
        """The first socket of this user on this node; comes after ``channel_opened``."""

    def member_left(self, app: App, channel: str, user_id: str) -> None:
        """The last socket of this user on this node; comes before ``channel_emptied``."""

    def client_event(  # noqa: PLR0917 - what a webhook of a client event carries
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None:
        """A client of this node sent an event. ``data`` is a JSON string token; ``user_id`` is there on presence channels."""

    def cache_missed(self, app: App, channel: str) -> None:
        """A subscriber of this node met an empty cache channel."""

    def counted(self, app: App, channel: str, count: int) -> None:
        """The number of subscriptions in the whole cluster changed, as clients are told; on one of the nodes only."""

    def census_left(self, app: App, names: Sequence[str]) -> None:
        """A node died or stopped and this one took it off: it was the last to hold these names in the broker's census."""

    def broker_lost(self) -> None:
        """The census cannot be asked; what happens on this node is told as before."""

    def broker_restored(self) -> None:
        """The census can be asked again, and may have lost, or have been told to forget, what this node registered."""
