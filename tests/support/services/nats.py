"""NATS for tests, with JetStream in memory and on disk."""

import socket
from pathlib import Path

from tests.support.services.base import Server, Service, find_program


class Nats(Service):
    """One empty server."""

    name = "nats"

    def check(self) -> None:
        self._server = find_program("nats-server", package="nats-server")

    def prepare(self, folder: Path) -> None:
        pass

    def command(self, folder: Path, port: int) -> list[str]:
        return [self._server, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "jetstream")]

    def answers(self, server: Server) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
                return connection.recv(16).startswith(b"INFO ")
        except OSError:
            return False

    @staticmethod
    def url(server: Server) -> str:
        """Its address."""
        return f"nats://127.0.0.1:{server.port}"
