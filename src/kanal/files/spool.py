"""An upload on its way: in a temporary file rather than in memory, hashed and counted as it comes."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from kanal.files import errors
from kanal.files.rules.types import HEAD


class Spool:
    """Use as a context manager; the file is gone afterwards."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hash = hashlib.sha256()
        self._file = tempfile.NamedTemporaryFile(prefix="kanal-upload-")  # noqa: SIM115 - closed by __exit__
        self.path = Path(self._file.name)
        self.head = b""
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Raises ``file.too_large`` as soon as the limit is passed."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise errors.too_large(self._limit)
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        self._hash.update(chunk)
        self._file.write(chunk)

    def finish(self) -> bytes:
        """Make the whole content readable at ``path``; answers its SHA-256."""
        self._file.flush()
        return self._hash.digest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.close()
