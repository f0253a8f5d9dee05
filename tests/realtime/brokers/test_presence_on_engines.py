"""Presence across nodes, as specified for hubs, on every engine."""

from tests.realtime.test_presence import *  # noqa: F403
