"""Peers from the registries, each behind an adapter in `adapters/` that speaks just enough for the load client."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.realtime.native import CACHE
from bench.realtime.targets import Command

ADAPTERS = Path(__file__).parent / "adapters"
SOCKETIO_PATH = "/socket.io/?EIO=4&transport=websocket"

_UVICORN = ["--host=127.0.0.1", "--port={port}", "--loop=uvloop", "--log-level=critical", "--backlog=4096"]


class MissingError(Exception):
    """Why a peer cannot be had."""


def uvicorn() -> Command:
    """uvicorn's own WebSocket, without anything above it."""
    arguments = [_python(), "-m", "uvicorn", "plain:app", *_UVICORN, "--ws=websockets-sansio", f"--app-dir={ADAPTERS}"]
    return Command("uvicorn", arguments)


def python_socketio() -> Command:
    """python-socketio on uvicorn."""
    arguments = [_python(), "-m", "uvicorn", "rooms:app", *_UVICORN, f"--app-dir={ADAPTERS}"]
    return Command("python-socketio", arguments, path=SOCKETIO_PATH, socketio=True)


def channels() -> Command:
    """Django Channels with Daphne, layer in memory."""
    arguments = [_python(), "-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "-v", "0", "groups:app"]
    return Command("channels", arguments, environment=(("PYTHONPATH", str(ADAPTERS)),))


def socketio() -> Command:
    """socket.io on Node."""
    node = shutil.which("node")
    if node is None:
        raise MissingError("`node` is not in PATH")
    folder = CACHE / "node"
    if not (folder / "node_modules" / "socket.io").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", "rooms.mjs"):
            shutil.copy(ADAPTERS / name, folder / name)
        _install(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    shutil.copy(ADAPTERS / "rooms.mjs", folder / "rooms.mjs")
    arguments = [node, str(folder / "rooms.mjs"), "{port}"]
    return Command("socket.io", arguments, path=SOCKETIO_PATH, socketio=True)


PEERS: dict[str, Callable[[], Command]] = {
    "uvicorn": uvicorn,
    "python-socketio": python_socketio,
    "channels": channels,
    "socket.io": socketio,
}


def _python() -> str:
    """The interpreter of an environment that holds the Python peers."""
    requirements = ADAPTERS / "requirements.txt"
    folder = CACHE / "python"
    marker = folder / "installed.txt"
    if not marker.exists() or marker.read_bytes() != requirements.read_bytes():
        _install([sys.executable, "-m", "venv", "--clear", str(folder)], CACHE.parent)
        _install([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(requirements)], CACHE)
        shutil.copy(requirements, marker)
    return str(folder / "bin" / "python")


def _install(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError:
        raise MissingError(f"`{command[0]}` is not in PATH") from None
    except subprocess.TimeoutExpired:
        raise MissingError(f"`{' '.join(command[:3])}` took too long") from None
    except subprocess.CalledProcessError as failure:
        raise MissingError(f"`{' '.join(command[:3])}`: {failure.stderr.strip()[-300:]}") from None
