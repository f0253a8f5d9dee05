"""Redis as broker: one server, Sentinels, or a cluster."""

from kanal.realtime.brokers.redis.broker import RedisBroker

__all__ = ["RedisBroker"]
