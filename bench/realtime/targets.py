"""Servers to be measured: how to start them, how to talk to them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SERVER_CORE, CLIENT_CORE = 0, 1
READY_WITHIN = 30.0  # seconds
STOP_WITHIN = 5.0


@dataclass(frozen=True)
class Credentials:
    """Of an app on a Pusher-protocol server."""

    app_id: str = "1"
    key: str = "bench-key"
    secret: str = "bench-secret"


@dataclass(frozen=True)
class Target:
    """A running server. `api`: whether it takes events over the signed HTTP API. `pid` 0: not on this machine's list."""

    name: str
    port: int
    pid: int
    path: str
    credentials: Credentials = Credentials()
    api: bool = False
    socketio: bool = False


@dataclass(frozen=True)
class Command:
    """A server that the benchmark starts itself. `{port}` in arguments and environment is where it shall listen."""

    name: str
    arguments: Sequence[str]
    path: str = "/app/bench-key?protocol=7&client=bench&version=1"
    api: bool = False
    socketio: bool = False
    environment: tuple[tuple[str, str], ...] = ()

    @contextmanager
    def running(self, folder: Path) -> Iterator[Target]:
        """On the server's core, with a log in `folder`. Raises `RuntimeError` with the end of the log."""
        port = free_port()
        log = folder / f"{self.name.replace(' ', '-')}.log"
        with log.open("ab") as out, on_core(SERVER_CORE):
            process = subprocess.Popen(
                [each.replace("{port}", str(port)) for each in self.arguments],
                stdout=out,
                stderr=out,
                cwd=folder,  # no developer's .env is read
                env=_inherited() | {name: value.replace("{port}", str(port)) for name, value in self.environment},
            )
        try:
            _wait_until_open(port, process, log)
            yield Target(self.name, port, process.pid, self.path, api=self.api, socketio=self.socketio)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_WITHIN)


@dataclass(frozen=True)
class Address:
    """A server that somebody else has started on this machine, `ws://127.0.0.1:6001/app/key`."""

    name: str
    url: str
    credentials: Credentials | None

    @contextmanager
    def running(self, _folder: Path) -> Iterator[Target]:
        """Moves it to the server's core as well. Raises `ValueError` for an address that is not on loopback."""
        parts = urlsplit(self.url)
        if parts.scheme != "ws" or parts.hostname not in {"127.0.0.1", "localhost"} or not parts.port:
            raise ValueError(f"{self.url}: only ws://127.0.0.1:PORT/app/KEY can be measured")
        key = parts.path.rpartition("/")[2]
        known = self.credentials or Credentials(key=key, secret="")
        pid = _listener(parts.port)
        if pid:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {SERVER_CORE})
        path = f"{parts.path}?protocol=7&client=bench&version=1"
        yield Target(self.name, parts.port, pid, path, known, api=bool(known.secret))


Launcher = Command | Address


def kanal(broker: str = "", **limits: int) -> Command:
    """`kanal realtime` of this tree, with everything on and one app whose client events are not limited.

    ``broker`` is the address of one; it is not pinned, and what it needs beside the server is seen as others' time. ``limits`` are
    those of the app.
    """
    known = Credentials()
    app = {"id": known.app_id, "key": known.key, "secret": known.secret, "client_event_rate": 10**9, **limits}
    environment = (
        ("KANAL_PORT", "{port}"),
        ("KANAL_REALTIME_APPS", json.dumps([app])),
        ("KANAL_REALTIME_BROKER_URL", broker),
        ("KANAL_REALTIME_PREFIX", "bench:"),
    )
    name = f"kanal, {broker.partition(':')[0]}" if broker else "kanal"
    return Command(name, [sys.executable, "-m", "kanal.entrypoints.cli", "realtime"], api=True, environment=environment)


def floors(program: Path) -> list[Command]:
    """Both floors."""
    return [Command(f"floor, {mode}", [str(program), "{port}", mode]) for mode in ("plain", "gathered")]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside runs on this processor only, and so does this thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _inherited() -> dict[str, str]:
    """Without settings of whoever works here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KANAL_")}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"did not start: {log.read_text(errors='replace')[-2000:]}")


def _listener(port: int) -> int:
    """The process that listens on a port; 0 when it cannot be seen."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) in inodes:
                return int(descriptor.parts[2])
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return 0
