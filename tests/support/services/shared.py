"""One MariaDB and one PostgreSQL for all processes of a test run, and servers that one test has alone.

Whichever worker first needs a shared server starts it, under a file lock; the process that controls the run stops
all of them. What a run that was killed left behind is stopped by the next one.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services.base import Server, Service
from tests.support.services.mariadb import MariaDB
from tests.support.services.nats import Nats
from tests.support.services.postgres import Postgres
from tests.support.services.redis import Redis

KINDS: dict[str, type[Service]] = {
    "mariadb": MariaDB,
    "postgres": Postgres,
    "redis": Redis,
    "redis-sentinel": Redis,
    "nats": Nats,
}
RUNS = Path(tempfile.gettempdir()) / f"kanal-tests-{os.getuid()}"


class SharedServices:
    """The servers of one run, known to its processes by the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Server] = []  # kept, or Python would warn of running children nobody refers to

    @classmethod
    def open_run(cls) -> "SharedServices":
        """Called once by the controlling process: clears dead runs away, makes a folder for this one."""
        RUNS.mkdir(mode=0o711, exist_ok=True)
        for run in RUNS.iterdir():
            if not Path(f"/proc/{run.name}").exists():
                cls(run).close_run()
        folder = RUNS / str(os.getpid())
        folder.mkdir(mode=0o711)
        return cls(folder)

    def close_run(self) -> None:
        """Stop what was started and remove its files."""
        for note in self.folder.glob("*.json"):
            if (server := self._read(note)) is not None:
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, service: Service) -> Server:
        """The running server of this kind, started now if nobody has needed it before."""
        service.check()
        with self._locked(service.name):
            return self._read(self._note(service.name)) or self.start(service, service.name)

    def start(self, service: Service, name: str) -> Server:
        """Start another server; at the latest it ends with the run."""
        server = service.start(self.folder / name)
        self._started.append(server)
        self._note(name).write_text(json.dumps({"kind": service.name, "pid": server.pid, "port": server.port}))
        return server

    def _note(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _read(note: Path) -> Server | None:
        if not note.exists():
            return None
        known = json.loads(note.read_text())
        service = KINDS[known["kind"]]()
        service.check()
        server = Server(service, note.with_suffix(""), known["port"], known["pid"])
        # The number may belong to another program by now.
        if server.alive and str(server.folder) in Path(f"/proc/{server.pid}/cmdline").read_text(errors="replace"):
            return server
        return None
