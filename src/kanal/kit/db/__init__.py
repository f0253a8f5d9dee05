"""Three databases, one way in: sessions opened for a workspace, and hand-written SQL where it counts."""

from kanal.kit.db.base import TABLE_OPTIONS, Base, apply_prefix
from kanal.kit.db.database import Database, Session
from kanal.kit.db.drivers import ConflictError, DuplicateError, is_conflict
from kanal.kit.db.statement import Statement, UnscopedStatementError, as_id
from kanal.kit.db.types import BigKey, Digest, Id, Instant, Json, LongText

__all__ = [
    "TABLE_OPTIONS",
    "Base",
    "BigKey",
    "ConflictError",
    "Database",
    "Digest",
    "DuplicateError",
    "Id",
    "Instant",
    "Json",
    "LongText",
    "Session",
    "Statement",
    "UnscopedStatementError",
    "apply_prefix",
    "as_id",
    "is_conflict",
]
