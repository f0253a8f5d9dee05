"""What calls ask about channels and users, over all nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from kanal.realtime.api.answers import Answer, Refused, answer
from kanal.realtime.api.bodies import CHANNEL_INFO, read_info
from kanal.realtime.apps import App
from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.envelope import open_event, topic_of
from kanal.realtime.hub import Hub
from kanal.realtime.protocol.names import parse_channel_name
from kanal.realtime.publisher import Publication
from kanal.realtime.survey import NOBODY, Found, Survey

PRESENCE = "presence-"


class Queries:
    """When the broker is away, answers say what this node knows."""

    def __init__(self, hub: Hub, survey: Survey) -> None:
        self._hub = hub
        self._survey = survey

    async def channels(self, app: App, parameters: Mapping[str, str]) -> Answer:
        prefix = parameters.get("filter_by_prefix", "")
        info = read_info(parameters.get("info", ""), CHANNEL_INFO)
        if "user_count" in info and not prefix.startswith(PRESENCE):
            raise Refused(400, "user_count is for presence channels: filter_by_prefix must begin with presence-")
        found = await self._survey.channels(app.id, prefix)
        return answer({"channels": {name: _attributes(each, info) for name, each in found.items()}})

    async def channel(self, app: App, name: str, parameters: Mapping[str, str]) -> Answer:
        info = read_info(parameters.get("info", ""), CHANNEL_INFO | {"cache"})
        if "user_count" in info and not name.startswith(PRESENCE):
            raise Refused(400, "user_count is for presence channels")
        if "cache" in info and not parse_channel_name(name).cached:
            raise Refused(400, "cache is for cache channels")
        found = await self._survey.channel(app.id, name)
        content: dict[str, Any] = {"occupied": found.subscriptions > 0}
        if "user_count" in info:
            content["user_count"] = len(await self._users(app.id, name))
        if "subscription_count" in info:
            content["subscription_count"] = found.subscriptions
        if "cache" in info:
            content["cache"] = await self._cached(app.id, name)
        return answer(content)

    async def users(self, app: App, name: str) -> Answer:
        if not name.startswith(PRESENCE):
            raise Refused(400, "Only presence channels have users")
        return answer({"users": [{"id": user} for user in sorted(await self._users(app.id, name))]})

    async def attributes(
        self, app_id: str, publications: Iterable[Publication], info: frozenset[str]
    ) -> dict[str, dict[str, int]]:
        """By channel. ``user_count`` is left out where there is none."""
        found: dict[str, dict[str, int]] = {}
        for each in publications:
            here = await self._survey.channel(app_id, each.channel) if "subscription_count" in info else NOBODY
            found[each.channel] = {}
            if "subscription_count" in info:
                found[each.channel]["subscription_count"] = here.subscriptions
            if "user_count" in info and each.channel.startswith(PRESENCE):
                found[each.channel]["user_count"] = len(await self._users(app_id, each.channel))
        return found

    async def _users(self, app_id: str, name: str) -> Collection[str]:
        topic = topic_of(app_id, name)
        try:
            return (await self._hub.broker.roster(topic)).members
        except BrokerDown:
            channel = self._hub.channels.get(topic)
            return {} if channel is None or channel.attendance is None else channel.attendance.members

    async def _cached(self, app_id: str, name: str) -> dict[str, Any] | None:
        """The last event of a cache channel: ``data`` as sent, ``ttl`` in seconds."""
        try:
            kept = await self._hub.broker.retained(topic_of(app_id, name))
        except BrokerDown:
            return None
        if kept is None:
            return None
        event = msgspec.json.decode(open_event(kept.payload).text, type=_Kept)
        return {"data": event.data, "ttl": max(1, int(kept.expires_in))}


class _Kept(msgspec.Struct):
    data: str


def _attributes(found: Found, info: frozenset[str]) -> dict[str, int]:
    attributes = {}
    if "user_count" in info:
        attributes["user_count"] = len(found.users)
    if "subscription_count" in info:
        attributes["subscription_count"] = found.subscriptions
    return attributes
