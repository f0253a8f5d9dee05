"""The declarative base, names of constraints, and the table prefix of a shared database."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
TABLE_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    # In the general and unicode collations two different emoji compare equal.
    "mysql_collate": "utf8mb4_bin",
}


class Base(DeclarativeBase):
    """Every table of Kanal; each ends its ``__table_args__`` with `TABLE_OPTIONS`."""

    metadata = sa.MetaData(naming_convention=NAMING)


def apply_prefix(prefix: str) -> None:
    """Rename every table (and with it, through the naming convention, every constraint) before first use.

    Meant for a database shared with another application. Calling it again with another prefix replaces the first one.
    """
    for key, table in Base.metadata.tables.items():
        table.name = prefix + key
        table.fullname = prefix + key
