"""The Pusher Channels protocol without a socket, a clock or a broker: text in, effects out."""
