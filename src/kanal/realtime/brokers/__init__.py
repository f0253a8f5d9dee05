"""Brokers join the nodes of a cluster: topics, the last message of a topic, and rosters (who is present where).

A topic is ``{app id}:{channel}``, or one of the hub's own, starting with ``#``. Implementations: ``memory`` (one process;
several nodes in tests) and ``redis``. All of them pass ``tests/realtime/brokers/``.
"""
