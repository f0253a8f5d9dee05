"""Redis for tests. It starts in milliseconds, so whoever needs one has one alone: channels are not per database."""

import socket
from collections.abc import Sequence
from pathlib import Path

from tests.support.services.base import Server, Service, find_program


class Redis(Service):
    """One empty server that writes nothing to disk, unless it is to be durable; ``options`` are for its command line."""

    name = "redis"

    def __init__(self, *, durable: bool = False, options: Sequence[str] = ()) -> None:
        super().__init__(durable=durable)
        self.options = list(options)

    def check(self) -> None:
        self._server = find_program("redis-server", package="redis-server")

    def prepare(self, folder: Path) -> None:
        pass

    def command(self, folder: Path, port: int) -> list[str]:
        keep = ["--appendonly", "yes", "--appendfsync", "always"] if self.durable else ["--appendonly", "no"]
        here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        return [self._server, *here, "--save", "", *keep, *self.options]

    def answers(self, server: Server) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    @staticmethod
    def url(server: Server) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{server.port}/0"
