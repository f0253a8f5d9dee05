"""Rooms of python-socketio: join one, publish to it."""

import socketio

server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
app = socketio.ASGIApp(server)


@server.event
async def subscribe(sid: str, room: str) -> None:
    """Join, then say so."""
    await server.enter_room(sid, room)
    await server.emit("subscription_succeeded", room, to=sid)


@server.event
async def publish(sid: str, room: str, data: str) -> None:
    """To everybody else in the room."""
    await server.emit("m", data, room=room, skip_sid=sid)
