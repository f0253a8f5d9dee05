"""Who may read a file is decided by the domain that holds it; here they say how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from kanal.files.queries import StoredFile
from kanal.identity.access import WorkspaceAccess
from kanal.kit.db import Database

Reader = Callable[[Database, WorkspaceAccess, UUID], Awaitable[bool]]
"""Given a person in a workspace and a holder's id: may they read what it holds?"""


class FileReaders:
    """One reader per kind of holder; bootstrap registers them."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def register(self, holder_kind: str, reader: Reader) -> None:
        """Raises ``ValueError`` when the kind has a reader already."""
        if holder_kind in self._readers:
            raise ValueError(f"files of a {holder_kind} have a reader already")
        self._readers[holder_kind] = reader

    async def may_read(self, database: Database, access: WorkspaceAccess, file: StoredFile) -> bool:
        """An unattached file is its uploader's alone; one whose holder has no reader is nobody's."""
        if file.holder_kind is None or file.holder_id is None:
            return file.uploaded_by == access.user_id
        reader = self._readers.get(file.holder_kind)
        return reader is not None and await reader(database, access, file.holder_id)
