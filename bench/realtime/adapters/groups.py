"""Groups of Django Channels: just enough of Pusher's protocol, with the layer in memory."""

import json
from typing import Any

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["channels"],
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1_000_000}}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - needs the settings
from channels.routing import ProtocolTypeRouter  # noqa: E402

HELLO = json.dumps(
    {"event": "pusher:connection_established", "data": json.dumps({"socket_id": "1.1", "activity_timeout": 120})}
)


class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One connection."""

    async def connect(self) -> None:
        """Greets."""
        self.joined: set[str] = set()
        await self.accept()
        await self.send(text_data=HELLO)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Subscribes or publishes."""
        event: dict[str, Any] = json.loads(text_data or "")
        if event["event"] == "pusher:subscribe":
            channel = event["data"]["channel"]
            self.joined.add(channel)
            await self.channel_layer.group_add(channel, self.channel_name)
            answer = {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"}
            await self.send(text_data=json.dumps(answer))
        elif event["event"].startswith("client-"):
            message = {"type": "passed.on", "text": text_data, "sender": self.channel_name}
            await self.channel_layer.group_send(event["channel"], message)

    async def passed_on(self, message: dict[str, str]) -> None:
        """An event of the group."""
        if message["sender"] != self.channel_name:
            await self.send(text_data=message["text"])

    async def disconnect(self, code: int) -> None:
        """Leaves its groups."""
        for channel in self.joined:
            await self.channel_layer.group_discard(channel, self.channel_name)


app = ProtocolTypeRouter({"websocket": Consumer.as_asgi()})
