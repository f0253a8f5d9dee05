"""The servers behind a broker, as tests handle them: killed, restarted empty, frozen."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from kanal.realtime.brokers import connect
from kanal.realtime.brokers.base import Broker
from kanal.realtime.brokers.memory import MemoryBroker, MemoryBus
from kanal.realtime.brokers.nats.names import token
from tests.support.services import Cluster, Nats, Redis, Replicated, Server, SharedServices
from tests.support.services.base import find_program
from tests.support.services.redis_groups import ask

HEARTBEAT = 0.2  # seconds
NODE_TTL = 1.0  # seconds


class Engine:
    """``url`` is how a broker finds the servers."""

    def __init__(self, url: str, servers: Sequence[Server], whole: Callable[[], None] | None = None) -> None:
        self.url = url
        self.servers = servers
        self._whole = whole

    def broker(self, node: str, prefix: str, node_ttl: float = NODE_TTL) -> Broker:
        return connect(self.url, node=node, prefix=prefix, heartbeat=HEARTBEAT, node_ttl=node_ttl)

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def restart(self) -> None:
        """What has died; it comes back without its data."""
        for server in self.servers:
            if not server.alive:
                server.restart()
        if self._whole is not None:
            self._whole()

    def freeze(self) -> None:
        for server in self.servers:
            os.kill(server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for server in self.servers:
            os.kill(server.pid, signal.SIGCONT)

    def shout(self, prefix: str, topic: str, payload: bytes) -> None:
        """What somebody else sends to a topic of ours."""
        command = "SPUBLISH" if "cluster" in self.url else "PUBLISH"
        server = next(server for server in self.servers if ask(server, "ROLE").startswith("master"))
        cli = find_program("redis-cli", package="redis-tools")
        call = [cli, "-c", "-p", str(server.port), "-x", command, f"{prefix}:topic:{{{topic}}}"]
        subprocess.run(call, input=payload, check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


class MemoryEngine(Engine):
    """Nothing that could go away."""

    def __init__(self) -> None:
        super().__init__("memory:", ())
        self._buses: dict[str, MemoryBus] = {}

    def broker(self, node: str, prefix: str, node_ttl: float = NODE_TTL) -> Broker:
        return MemoryBroker(node, self._buses.setdefault(prefix, MemoryBus()))


class NatsEngine(Engine):
    def shout(self, prefix: str, topic: str, payload: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.servers[0].port)) as stranger:
            stranger.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')
            for kind in (b"log", b"roster", b"other"):
                subject = b"%b.topic.%b.%b" % (prefix.encode(), token(topic).encode(), kind)
                stranger.sendall(b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload))
                headers = b"NATS/1.0\r\nNats-Sequence: 7\r\nKanal-Log: %b\r\nKanal-Changes: x\r\n\r\n" % payload[:1]
                size = len(headers)
                sizes = b"%d %d" % (size, size + len(payload))
                stranger.sendall(b"HPUB %b %b\r\n%b%b\r\n" % (subject, sizes, headers, payload))
            stranger.sendall(b"PING\r\n")
            answer = b""
            while b"PONG" not in answer:
                answer += stranger.recv(65_536)


def make_engine(kind: str, shared: SharedServices, name: str) -> Engine:
    """Raises ``ServiceMissing``."""
    if kind == "memory":
        return MemoryEngine()
    if kind == "redis":
        server = shared.start(Redis(), name)
        return Engine(Redis.url(server), [server])
    if kind == "sentinel":
        replicated = Replicated(shared, name)
        return Engine(replicated.url, replicated.servers)
    if kind == "cluster":
        cluster = Cluster(shared, name)
        return Engine(cluster.url, cluster.servers, cluster.wait_until_whole)
    server = shared.start(Nats(), name)
    return NatsEngine(Nats.url(server), [server])
