"""An observer, one for each node, that writes down what it is told, and holds it to what observers are promised."""

from collections.abc import Sequence

from kanal.realtime.apps import App


class Onlooker:
    """Checks on the way that everything comes in pairs: no member without a channel, no leaving without a joining."""

    def __init__(self, counts: list[tuple[str, int]] | None = None) -> None:
        """Observers of several nodes may share ``counts``."""
        self.open: dict[str, set[str]] = {}
        self.told: list[tuple[str, ...]] = []
        self.counts = [] if counts is None else counts
        self.client_events: list[tuple[str, str, bytes, str, str | None]] = []
        self.left_census: list[str] = []

    def channel_opened(self, app: App, channel: str) -> None:
        assert channel not in self.open
        self.open[channel] = set()
        self.told.append(("opened", channel))

    def channel_emptied(self, app: App, channel: str) -> None:
        assert self.open.pop(channel) == set()
        self.told.append(("emptied", channel))

    def member_joined(self, app: App, channel: str, user_id: str) -> None:
        assert user_id not in self.open[channel]
        self.open[channel].add(user_id)
        self.told.append(("joined", channel, user_id))

    def member_left(self, app: App, channel: str, user_id: str) -> None:
        self.open[channel].remove(user_id)
        self.told.append(("left", channel, user_id))

    def client_event(  # noqa: PLR0917 - the interface has them
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None:
        self.client_events.append((channel, event, data, socket_id, user_id))

    def cache_missed(self, app: App, channel: str) -> None:
        self.told.append(("missed", channel))

    def counted(self, app: App, channel: str, count: int) -> None:
        self.counts.append((channel, count))

    def census_left(self, app: App, names: Sequence[str]) -> None:
        self.left_census.extend(names)

    def broker_lost(self) -> None:
        self.told.append(("broker lost",))

    def broker_restored(self) -> None:
        self.told.append(("broker restored",))
