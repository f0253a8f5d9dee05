"""Servers the tests start themselves: MariaDB, PostgreSQL, Redis in its three forms and NATS, on private ports and in private folders."""

from tests.support.services.base import Server, Service, ServiceMissing, free_port
from tests.support.services.mariadb import MariaDB
from tests.support.services.nats import Nats
from tests.support.services.postgres import Postgres
from tests.support.services.redis import Redis
from tests.support.services.redis_groups import Cluster, Replicated
from tests.support.services.shared import SharedServices

__all__ = [
    "Cluster",
    "MariaDB",
    "Nats",
    "Postgres",
    "Redis",
    "Replicated",
    "Server",
    "Service",
    "ServiceMissing",
    "SharedServices",
    "free_port",
]
