"""One figure of one server: a run of the load client."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.realtime.noise import Clock, Noise
from bench.realtime.prepared import prepare
from bench.realtime.targets import CLIENT_CORE, Target, on_core

PREFIX = "private-bench-"  # client events are for private channels
PAYLOAD = 100  # bytes of data in each event
TIMEOUT = 240.0  # seconds for one run


class RunFailedError(Exception):
    """What the load client said."""


@dataclass(frozen=True)
class Plan:
    """What the load client does. `batch` > 0: events over the HTTP API, so many in each call."""

    key: str
    title: str
    sockets: int = 1_000
    channels: int = 1
    window: int = 16
    rate: float = 0.0
    batch: int = 0
    hold: float = 0.0
    publishers: int = 1

    def fits(self, target: Target) -> bool:
        """Whether the server has what it takes."""
        return target.api or not self.batch


PLANS = (
    Plan("connect", "connections (5,000) and their memory", sockets=5_000, channels=100, hold=1.0),
    Plan("one", "1 channel x 1,000, client events"),
    # So many under way that a channel can have more than one in a turn of the loop.
    Plan("hundred", "100 channels x 10, client events", channels=100, window=256),
    Plan("api_one", "1 channel x 1,000, HTTP API", batch=1, publishers=16),
    Plan("api_hundred", "100 channels x 10, HTTP API", channels=100, batch=1, window=256, publishers=16),
    Plan("api_batch", "100 channels x 10, HTTP API, batches of 10", channels=100, batch=10, window=256, publishers=16),
    Plan("latency", "20 events/s to 1,000 sockets", rate=20.0),
)


@dataclass(frozen=True)
class Sample:
    """What one run gave. `values` are the load client's own."""

    values: dict[str, float]
    noise: Noise


def run(plan: Plan, target: Target, load: Path, seconds: float) -> Sample:
    """Raises `RunFailedError`."""
    known = target.credentials
    arguments = [
        f"--port={target.port}",
        f"--path={target.path}",
        f"--prefix={PREFIX}",
        f"--key={known.key}",
        f"--secret={known.secret}",
        f"--server={target.pid}",
        f"--sockets={plan.sockets}",
        f"--channels={plan.channels}",
        f"--window={plan.window}",
        f"--rate={plan.rate}",
        f"--hold={plan.hold}",
        f"--publishers={plan.publishers}",
        f"--payload={PAYLOAD}",
        f"--baseline={plan.sockets // 10}",
        f"--seconds={seconds * 2 if plan.rate else seconds}",
    ]
    with tempfile.TemporaryDirectory(prefix="kanal-bench-") as folder:
        if plan.batch:
            requests = Path(folder) / "requests"
            requests.write_bytes(
                prepare(target, [f"{PREFIX}{index}" for index in range(plan.channels)], plan.batch, PAYLOAD)
            )
            arguments += [f"--requests={requests}", f"--events-per-request={plan.batch}"]
        if target.socketio:
            arguments.append("--socketio")
        split = [part for each in arguments for part in each.split("=", 1)]
        before, used, started = Clock.read(), _used(target.pid), time.monotonic()
        values = _run(load, split)
        elapsed = time.monotonic() - started
        after = Clock.read()
    ours = _used(target.pid) - used
    stage = "connect" if plan.hold else ""
    delayed = max(values[f"{stage}_{who}_delayed".lstrip("_")] for who in ("server", "client"))
    other = max(0.0, after.busy - before.busy - ours) / elapsed
    return Sample(values, Noise(delayed, (after.stolen - before.stolen) / elapsed, other))


def _run(load: Path, arguments: list[str]) -> dict[str, float]:
    try:
        with on_core(CLIENT_CORE):
            done = subprocess.run([str(load), *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise RunFailedError(f"not done after {TIMEOUT:.0f} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise RunFailedError("; ".join(dict.fromkeys((said[0], said[-1]))))
    values: dict[str, Any] = json.loads(done.stdout)
    if values.get("missing", 0) > 0:
        raise RunFailedError(f"{values['missing']:,} deliveries of {values['sent']:,} events did not come in time")
    return {name: float(value) for name, value in values.items()}


def _used(pid: int) -> float:
    """Processor seconds of the server and of everything this process has run."""
    children = os.times()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        server = 0.0
    return server + children.user + children.system + children.children_user + children.children_system
