"""Hand-written SQL for the hot paths: written once with ``:name`` and ``{table}``, sent straight to the driver.

The ORM costs several times the query on the paths that carry the load (token lookup, message list and insert, event
catch-up). A `Statement` costs one dictionary look-up. Tenancy still holds: a statement that names a tenant table must
compare that table's ``workspace_id`` with ``:workspace_id``, which the connection binds itself (see `kanal.kit.tenancy`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kanal.kit.db.base import Base

TENANT = "workspace_id"
FOR_UPDATE = "{FOR UPDATE}"  # in a statement: row locks; nothing on SQLite, whose one writer holds the whole database
_TABLE = re.compile(
    r"\{(\w+)\}(?:\s+(?:AS\s+)?(?!ON\b|SET\b|WHERE\b|USING\b|VALUES\b|JOIN\b|LEFT\b|ORDER\b)([a-z]\w*))?", re.IGNORECASE
)
_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")

TENANT_TABLES: set[str] = set()
"""Names (without prefix) of the tables that belong to a workspace; filled by `kanal.kit.tenancy`."""


class UnscopedStatementError(Exception):
    """Hand-written SQL reads or writes a tenant table without naming the workspace."""


class Statement:
    """One SQL text for all databases. Values are the driver's own: ids as `UUID`, times as milliseconds.

    ``across_tenants`` is the reason why this statement may look over every workspace (retention, relay); without it a
    statement on tenant tables that is not bound to ``:workspace_id`` raises `UnscopedStatementError` when first used.
    """

    def __init__(self, sql: str, *, across_tenants: str | None = None) -> None:
        self.sql = " ".join(sql.split())
        self.across_tenants = across_tenants
        self._rendered: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}

    def render(self, dialect: str) -> tuple[str, tuple[str, ...]]:
        """The SQL in the driver's own parameter style, and the names in the order it wants them."""
        prefix = Base.metadata.tables["events"].name.removesuffix("events")
        done = self._rendered.get((dialect, prefix))
        if done is None:
            self._check_scope()
            done = self._rendered[dialect, prefix] = _render(self.sql, dialect, prefix)
        return done

    def _check_scope(self) -> None:
        if self.across_tenants:
            return
        for match in _TABLE.finditer(self.sql):
            table, alias = match.groups()
            if table not in TENANT_TABLES:
                continue
            names = [re.escape(alias) + r"\."] if alias else ["", re.escape("{" + table + "}.")]
            bound = any(re.search(rf"(?<![\w.]){n}{TENANT} = (?::{TENANT}\b|\w+\.{TENANT}\b)", self.sql) for n in names)
            inserted = re.match(rf"INSERT (?:IGNORE )?INTO \{{{table}\}} \({TENANT},", self.sql, re.IGNORECASE)
            if not bound and not inserted:
                raise UnscopedStatementError(f"{table}: {self.sql}")


def _render(sql: str, dialect: str, prefix: str) -> tuple[str, tuple[str, ...]]:
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        name = match.group(1)
        if dialect == "postgresql":
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        names.append(name)
        return "?" if dialect == "sqlite" else "%s"

    sql = sql.replace(FOR_UPDATE, "" if dialect == "sqlite" else "FOR UPDATE")
    if dialect not in ("sqlite", "postgresql"):
        sql = sql.replace("%", "%%")
    sql = re.sub(r"\{(\w+)\}", lambda m: prefix + m.group(1), sql)
    return _PARAMETER.sub(place, sql), tuple(names)


def bind(names: Sequence[str], values: Mapping[str, Any], dialect: str) -> list[Any]:
    """Values in the driver's order; only PostgreSQL takes a UUID as it is."""
    if dialect == "postgresql":
        return [values[n] for n in names]
    return [v.bytes if isinstance(v := values[n], UUID) else v for n in names]


def as_id(value: Any) -> UUID:
    """The id in a raw row, whichever driver it came from."""
    if isinstance(value, UUID):
        return value
    if isinstance(value, bytes):
        return UUID(bytes=value)
    return UUID(str(value))
