"""The console: what the real-time server is doing, over all nodes, and what passes on one channel.

``service`` answers questions; ``routes`` (operators of Kanal) and ``asgi`` (holders of the console token, no database needed)
bring them. ``reader``, ``rates`` and ``terminal`` are the other side: ``kanal realtime top``.
"""
