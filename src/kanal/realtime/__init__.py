"""The Pusher Channels server: protocol 7 over WebSocket, many apps, many nodes.

``protocol`` is pure and decides; ``hub`` carries its decisions out over sockets and a broker; ``publisher`` is all that
the rest of Kanal sees.
"""
