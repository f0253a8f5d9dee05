"""NATS with JetStream as broker."""

from kanal.realtime.brokers.nats.broker import NatsBroker

__all__ = ["NatsBroker"]
