"""The signed HTTP API of the Pusher protocol, which server SDKs call.

``signature`` and ``bodies`` are pure; ``core`` answers calls; ``carrier`` (a lean HTTP/1.1 protocol) and ``asgi`` (what
uvicorn takes in) bring calls to it.
"""
