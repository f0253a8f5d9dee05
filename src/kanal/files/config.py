"""What files need from outside, put together once by bootstrap."""

from __future__ import annotations

from dataclasses import dataclass, field

from kanal.files.readers import FileReaders
from kanal.kit.db import Database
from kanal.kit.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Files:
    """The tools of the routes and jobs. ``readers`` are registered by bootstrap, one per kind of holder."""

    database: Database
    storage: Storage
    readers: FileReaders = field(default_factory=FileReaders)
