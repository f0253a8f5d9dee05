"""Sign-in, server-to-user events and watchlists across nodes, as specified for hubs, on every engine."""

from tests.realtime.test_users import *  # noqa: F403
