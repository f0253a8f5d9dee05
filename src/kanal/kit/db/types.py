"""Column types that mean the same on SQLite, MariaDB/MySQL and PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from kanal.kit import clock


class Id(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, 16 bytes elsewhere (half the size of text in every index)."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=True))
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.BINARY(16))
        return dialect.type_descriptor(sa.LargeBinary(16))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        if value is None or dialect.name == "postgresql":
            return value  # type: ignore[no-any-return]
        return UUID(bytes=bytes(value))


class Digest(TypeDecorator[bytes]):
    """A SHA-256 digest: exactly 32 bytes, so that MySQL can index it."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.BINARY(32))
        return dialect.type_descriptor(sa.LargeBinary(32))


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as milliseconds since 1970 (docs/decisions/0003).

    One integer has no time zone, no rounding and no ``DATETIME(6)`` to forget; it sorts and compares alike everywhere.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else clock.to_milliseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else clock.from_milliseconds(value)


class Json(TypeDecorator[Any]):
    """A JSON document kept as text: hot paths put it into an answer without decoding it."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.MEDIUMTEXT())
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An auto-increment key: SQLite counts up only in a column declared INTEGER."""

LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
"""Text without MySQL's 64 kB limit."""
