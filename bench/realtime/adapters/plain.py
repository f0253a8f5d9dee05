"""Just enough of Pusher's protocol on bare ASGI: what uvicorn's WebSocket costs by itself."""

import json
from collections import defaultdict
from typing import Any

Send = Any

HELLO = json.dumps(
    {"event": "pusher:connection_established", "data": json.dumps({"socket_id": "1.1", "activity_timeout": 120})}
)

channels: defaultdict[str, set[Send]] = defaultdict(set)


async def app(scope: Any, receive: Any, send: Send) -> None:
    """One connection."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": HELLO})
    joined = set()
    while (message := await receive())["type"] != "websocket.disconnect":
        event = json.loads(message["text"])
        if event["event"] == "pusher:subscribe":
            channel = event["data"]["channel"]
            channels[channel].add(send)
            joined.add(channel)
            answer = {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"}
            await send({"type": "websocket.send", "text": json.dumps(answer)})
        elif event["event"].startswith("client-"):
            out = {"type": "websocket.send", "text": json.dumps(event)}
            for subscriber in list(channels[event["channel"]]):
                if subscriber is not send:
                    await subscriber(out)
    for channel in joined:
        channels[channel].discard(send)
