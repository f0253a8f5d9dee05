"""How a server of any kind is found, started, waited for and stopped."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY_WITHIN = 60.0  # seconds; a first start on a busy two-core machine
STOP_WITHIN = 15.0  # seconds before SIGKILL


class ServiceMissing(Exception):
    """The program is not on this machine; the text says what to install."""


def free_port() -> int:
    """A port of the loopback address that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_program(name: str, *, folders: tuple[Path, ...] = (), package: str) -> str:
    """Path of a program, looked for in these folders first, then on PATH and where Debian keeps servers."""
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServiceMissing(f"{name} is not installed (Debian: {package}; or run `make services`)")
    return found


@dataclass
class Server:
    """A running server. `pid` is the process that is stopped, `folder` holds all it writes."""

    service: "Service"
    folder: Path
    port: int
    pid: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        """Whether the process is there and not merely waiting to be buried."""
        if self.process is not None:
            return self.process.poll() is None
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return status.rpartition(")")[2].split()[0] != "Z"

    def kill(self) -> None:
        """End it as a power cut would."""
        self._signal(signal.SIGKILL)
        self._wait(STOP_WITHIN)

    def stop(self) -> None:
        """End it in order, or by force when it does not answer."""
        self._signal(self.service.stop_signal)
        if not self._wait(STOP_WITHIN):
            self.kill()

    def restart(self) -> None:
        """Start it again on the same port with the same data."""
        again = self.service.start(self.folder, port=self.port)
        self.pid, self.process = again.pid, again.process

    def _signal(self, number: int) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def _wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


class Service(ABC):
    """One kind of server. `durable` keeps every flush to disk; without it tests run several times faster."""

    name: str
    account: str | None = None  # the user it runs as when the tests run as root, for servers that refuse root
    stop_signal: int = signal.SIGTERM

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable

    @abstractmethod
    def check(self) -> None:
        """Raise `ServiceMissing` unless everything needed is installed."""

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Write what a first start needs into an empty folder."""

    @abstractmethod
    def command(self, folder: Path, port: int) -> list[str]:
        """The command that runs the server in the foreground."""

    @abstractmethod
    def answers(self, server: Server) -> bool:
        """Whether it serves requests yet."""

    def start(self, folder: Path, *, port: int | None = None) -> Server:
        """Start in this folder, which is made and filled when it is new, and return when requests are served."""
        self.check()
        if not folder.exists():
            folder.mkdir(parents=True)
            if (user := self._user()) is not None:
                account = pwd.getpwnam(user)
                os.chown(folder, account.pw_uid, account.pw_gid)
            self.prepare(folder)
        port = port or free_port()
        with (folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(folder, port),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity(),
            )
        server = Server(self, folder, port, process.pid, process)
        self._wait_until_ready(server)
        return server

    def run(self, command: list[str], *, folder: Path) -> str:
        """Run a helper program as the server's user and return what it printed."""
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            command, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._identity()
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode:
            raise RuntimeError(f"{self.name}: {command[0]} ended with {done.returncode}\n{output}")
        return output

    def _wait_until_ready(self, server: Server) -> None:
        until = time.monotonic() + READY_WITHIN
        while not self.answers(server):
            if not server.alive or time.monotonic() > until:
                log = (server.folder / "server.log").read_text(errors="replace")[-4000:]
                raise RuntimeError(f"{self.name} did not start\n{log}")
            time.sleep(0.02)

    def _user(self) -> str | None:
        return self.account if os.geteuid() == 0 else None

    def _identity(self) -> dict[str, Any]:
        user = self._user()
        return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def port_answers(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
