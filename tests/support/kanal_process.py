"""Runs `kanal` as a user would: a process of its own, with its own folder, on a free port."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.support.services import free_port

READY_WITHIN = 90.0  # seconds; a cold start beside other tests on two cores
STOP_WITHIN = 60.0  # seconds an orderly end may take before it counts as hung


class KanalProcess:
    """One `kanal serve` (or another role). Settings are given as on a command line: `KANAL_…` variables;
    an empty value is as good as none.

    Starts with `start()`, which returns when `/health/ready` says 200, or raises with the end of the log.
    """

    def __init__(self, folder: Path, *arguments: str, port: int | None = None, **settings: str) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.arguments = arguments or ("serve",)
        self.log = folder / "kanal.log"
        self.settings = {
            "KANAL_HOST": "127.0.0.1",
            "KANAL_PORT": str(self.port),
            "KANAL_DATA": str(folder / "data"),
            "KANAL_SECRET_KEYS": "only-for-tests-" * 4,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self, *, ready_path: str = "/health/ready") -> "KanalProcess":
        """Start, and wait until it can be used."""
        self.spawn()
        self.wait_until_ready(ready_path)
        return self

    def spawn(self) -> None:
        """Start without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KANAL_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("kanal")), *self.arguments],
                cwd=self.folder,  # so that no .env of the developer's is read
                env={**inherited, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self, path: str = "/health/ready") -> None:
        """Return when a GET of this path answers 200."""
        until = time.monotonic() + READY_WITHIN
        while not self._is_ready(path):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"kanal ended while starting\n{self.log_tail()}")
            if time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"kanal was not ready in {READY_WITHIN} s\n{self.log_tail()}")
            time.sleep(0.03)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        assert self._process is not None, "not started"
        return self._process.wait(STOP_WITHIN)

    def stop(self) -> int:
        """Ask it to end and return its exit status; one that hangs is killed and raises."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"kanal did not end within {STOP_WITHIN} s\n{self.log_tail()}") from None

    def log_tail(self, size: int = 4000) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def __enter__(self) -> "KanalProcess":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:  # the test failed already: say no second thing
            self.kill()

    def _is_ready(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
