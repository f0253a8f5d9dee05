"""MariaDB for tests."""

from pathlib import Path

from tests.support.services.base import Server, Service, find_program

USER, PASSWORD = "kanal", "kanal"


class MariaDB(Service):
    """One server; `create_database` gives each user of it an own database and its address."""

    name = "mariadb"
    account = "mysql"

    def check(self) -> None:
        self._server = find_program("mariadbd", package="mariadb-server")
        self._install = find_program("mariadb-install-db", package="mariadb-server")
        self._client = find_program("mariadb", package="mariadb-client")

    def prepare(self, folder: Path) -> None:
        self.run(
            [
                self._install,
                "--no-defaults",
                f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ],
            folder=folder,
        )

    def command(self, folder: Path, port: int) -> list[str]:
        flush = 1 if self.durable else 0
        return [
            self._server,
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--socket={self._socket(folder)}",
            f"--pid-file={folder / 'pid'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--max-connections=400",
            "--performance-schema=OFF",
            "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=96M",
            f"--innodb-flush-log-at-trx-commit={flush}",
            f"--innodb-doublewrite={flush}",
        ]

    def answers(self, server: Server) -> bool:
        try:
            self._sql(
                server.folder,
                f"CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';"
                f"GRANT ALL ON *.* TO {USER}@'127.0.0.1'",
            )
        except RuntimeError:
            return False
        return True

    def create_database(self, server: Server, name: str) -> str:
        """Make an empty database and return its address."""
        self._sql(server.folder, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"mariadb://{USER}:{PASSWORD}@127.0.0.1:{server.port}/{name}"

    def drop_database(self, server: Server, name: str) -> None:
        """Remove a database, also one that is in use."""
        self._sql(server.folder, f"DROP DATABASE IF EXISTS {name}")

    def _sql(self, folder: Path, text: str) -> None:
        # root comes in by the socket only
        self.run(
            [self._client, "--no-defaults", f"--socket={self._socket(folder)}", "-uroot", "-e", text], folder=folder
        )

    @staticmethod
    def _socket(folder: Path) -> Path:
        return folder / "sql.sock"
