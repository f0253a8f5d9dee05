"""NATS for tests, with JetStream."""

import socket
from collections.abc import Sequence
from pathlib import Path

from tests.support.services.base import Server, Service, find_program


class Nats(Service):
    """One empty server; ``options`` are for its command line."""

    name = "nats"

    def __init__(self, *, durable: bool = False, jetstream: bool = True, options: Sequence[str] = ()) -> None:
        super().__init__(durable=durable)
        self.jetstream = jetstream
        self.options = list(options)

    def check(self) -> None:
        self._server = find_program("nats-server", package="nats-server")

    def prepare(self, folder: Path) -> None:
        pass

    def command(self, folder: Path, port: int) -> list[str]:
        jetstream = ["-js", "-sd", str(folder / "jetstream")] if self.jetstream else []
        return [self._server, "-a", "127.0.0.1", "-p", str(port), *jetstream, *self.options]

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
