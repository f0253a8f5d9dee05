"""The real-time server against its floor and its peers: `python -m bench realtime`."""
