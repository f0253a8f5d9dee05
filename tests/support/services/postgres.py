"""PostgreSQL for tests."""

import signal
from pathlib import Path

from tests.support.services.base import Server, Service, find_program

USER, PASSWORD = "kanal", "kanal"


class Postgres(Service):
    """One server; `create_database` gives each user of it an own database and its address."""

    name = "postgres"
    account = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them

    def check(self) -> None:
        # Debian keeps the programs of each version in a folder of its own, off PATH.
        versions = sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
        )
        for name in ("postgres", "initdb", "psql"):
            setattr(self, f"_{name}", find_program(name, folders=tuple(versions), package="postgresql"))

    _postgres: str
    _initdb: str
    _psql: str

    def prepare(self, folder: Path) -> None:
        self.run(
            [
                self._initdb,
                f"--pgdata={folder / 'data'}",
                f"--username={USER}",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ],
            folder=folder,
        )

    def command(self, folder: Path, port: int) -> list[str]:
        on_disk = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "max_connections": 300,
            "shared_buffers": "128MB",
            "fsync": on_disk,
            "synchronous_commit": on_disk,
            "full_page_writes": on_disk,
            "log_min_messages": "warning",
            "autovacuum": on_disk,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._postgres, "-D", str(folder / "data"), *options]

    def answers(self, server: Server) -> bool:
        try:
            self._sql(server, "SELECT 1")
        except RuntimeError:
            return False
        return True

    def create_database(self, server: Server, name: str) -> str:
        """Make an empty database and return its address."""
        self._sql(server, f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/{name}"

    def drop_database(self, server: Server, name: str) -> None:
        """Remove a database, also one that is in use."""
        self._sql(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _sql(self, server: Server, text: str) -> None:
        connect = ["-h", str(server.folder), "-p", str(server.port), "-U", USER, "-d", "postgres"]
        self.run([self._psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", *connect, "-c", text], folder=server.folder)
