"""Redis for tests. It starts in milliseconds, so whoever needs one has one alone: channels are not per database."""

import socket
from pathlib import Path

from tests.support.services.base import Server, Service, find_program


class Redis(Service):
    """One empty server that writes nothing to disk, unless it is to be durable."""

    name = "redis"

    def check(self) -> None:
        self._server = find_program("redis-server", package="redis-server")

    def prepare(self, folder: Path) -> None:
        pass

    def command(self, folder: Path, port: int) -> list[str]:
        keep = ["--appendonly", "yes", "--appendfsync", "always"] if self.durable else ["--appendonly", "no"]
        return [self._server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *keep]

    def answers(self, server: Server) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @staticmethod
    def url(server: Server) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{server.port}/0"
