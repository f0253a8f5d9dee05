"""Several Redis servers that belong together: a master with a replica and a Sentinel, and a cluster."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.support.services.base import READY_WITHIN, Server, find_program, free_port
from tests.support.services.redis import Redis
from tests.support.services.shared import SharedServices

SERVICE = "kanal-master"  # what Sentinels call the master


def ask(server: Server, *command: str) -> str:
    """What `redis-cli` prints."""
    cli = find_program("redis-cli", package="redis-tools")
    return server.service.run([cli, "-p", str(server.port), *command], folder=server.folder)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + READY_WITHIN
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"redis: {what} has not come about")
        time.sleep(0.05)


class Sentinel(Redis):
    """Watches one master, and promotes its replica a second after the master's last sign of life."""

    name = "redis-sentinel"

    def __init__(self, *, durable: bool = False, master: int = 0) -> None:
        super().__init__(durable=durable)
        self._master = master

    def prepare(self, folder: Path) -> None:
        (folder / "sentinel.conf").write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._master} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 4000\n"
        )

    def command(self, folder: Path, port: int) -> list[str]:
        here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        return [self._server, str(folder / "sentinel.conf"), *here, "--sentinel"]


class Replicated:
    """A master, its replica, and a Sentinel; any of them may be killed and restarted."""

    def __init__(self, shared: SharedServices, name: str) -> None:
        self.first = shared.start(Redis(), f"{name}-one")
        replica = Redis(options=["--replicaof", f"127.0.0.1 {self.first.port}", "--repl-diskless-sync-delay", "0"])
        self.second = shared.start(replica, f"{name}-two")
        self.sentinel = shared.start(Sentinel(master=self.first.port), f"{name}-sentinel")
        self.servers = [self.first, self.second, self.sentinel]
        wait_until(lambda: "num-slaves\n1\n" in ask(self.sentinel, "SENTINEL", "MASTER", SERVICE), "a known replica")

    @property
    def master(self) -> Server:
        port = int(ask(self.sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE).split()[1])
        return next(server for server in self.servers if server.port == port)

    @property
    def url(self) -> str:
        """With a Sentinel that is not there besides the one that is."""
        return f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{self.sentinel.port}/{SERVICE}"


class Cluster:
    """Three masters with a replica each."""

    def __init__(self, shared: SharedServices, name: str) -> None:
        self.servers: list[Server] = []
        addresses = []
        for number in range(6):
            bus = free_port()
            options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port", str(bus)]
            options += ["--repl-diskless-sync-delay", "0"]
            server = shared.start(Redis(options=options), f"{name}-{number}")
            self.servers.append(server)
            addresses.append(f"127.0.0.1:{server.port}@{bus}")
        ask(self.servers[0], "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes")
        self.wait_until_whole()

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers[:3])

    def wait_until_whole(self) -> None:
        def whole() -> bool:
            return all(
                "cluster_state:ok" in ask(server, "CLUSTER", "INFO")
                and ask(server, "CLUSTER", "NODES").count("slave ") == 3
                for server in self.servers
            )

        wait_until(whole, "a whole cluster")

    def id_of(self, server: Server) -> str:
        return ask(server, "CLUSTER", "MYID").strip()

    def masters(self) -> list[Server]:
        return [server for server in self.servers if server.alive and ask(server, "ROLE").startswith("master")]

    def master_of(self, slot: int) -> Server:
        for server in self.masters():
            for line in ask(server, "CLUSTER", "NODES").splitlines():
                fields = line.split()
                if "myself" in fields[2] and any(_within(slot, each) for each in fields[8:]):
                    return server
        raise LookupError(slot)

    def move(self, slot: int, to: Server) -> None:
        """As resharding does it: keys first, then the slot."""
        source = self.master_of(slot)
        ask(to, "CLUSTER", "SETSLOT", str(slot), "IMPORTING", self.id_of(source))
        ask(source, "CLUSTER", "SETSLOT", str(slot), "MIGRATING", self.id_of(to))
        for key in ask(source, "CLUSTER", "GETKEYSINSLOT", str(slot), "1000").split():
            ask(source, "MIGRATE", "127.0.0.1", str(to.port), key, "0", "5000")
        for server in (to, source):
            ask(server, "CLUSTER", "SETSLOT", str(slot), "NODE", self.id_of(to))


def _within(slot: int, field: str) -> bool:
    first, _, last = field.partition("-")
    return first.isdigit() and int(first) <= slot <= int(last or first)


__all__ = ["Cluster", "Replicated", "Sentinel", "ask"]
