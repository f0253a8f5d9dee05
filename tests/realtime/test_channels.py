"""Channels come and go by the ten thousand on a node that runs for weeks."""

import gc
import weakref

from tests.realtime.harness import Running


async def test_a_channel_that_everybody_left_is_freed_without_the_garbage_collector(server: Running) -> None:
    async with await server.client() as client:
        await client.subscribe("news")
        (channel,) = map(weakref.ref, server.hub.channels.values())
        gc.disable()
        try:
            client.send("pusher:unsubscribe", {"channel": "news"})
            await client.quiet()
            assert channel() is None
        finally:
            gc.enable()
