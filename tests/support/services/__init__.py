"""Servers the tests start themselves: MariaDB, PostgreSQL and Redis, on private ports and in private folders."""

from tests.support.services.base import Server, Service, ServiceMissing, free_port
from tests.support.services.mariadb import MariaDB
from tests.support.services.postgres import Postgres
from tests.support.services.redis import Redis
from tests.support.services.shared import SharedServices

__all__ = ["MariaDB", "Postgres", "Redis", "Server", "Service", "ServiceMissing", "SharedServices", "free_port"]
