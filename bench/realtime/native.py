"""Builds the C programs: the floor and the load client. Sources are in `native/`, the results in a cache folder."""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "native"
CACHE = Path(__file__).parents[2] / ".cache" / "bench-realtime"

_PROGRAMS = {
    "floor": ["floor.c", "digest.c", "buffer.c"],
    "load": ["load.c", "sockets.c", "publish.c", "meter.c", "digest.c", "buffer.c"],
}


class CannotBuildError(Exception):
    """One line for the person who started it."""


@dataclass(frozen=True)
class Programs:
    """Where they are."""

    floor: Path
    load: Path


def build() -> Programs:
    """Compiles what has changed. Raises `CannotBuildError`."""
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))).hexdigest()[:16]
    folder = CACHE / "native" / version
    for name, sources in _PROGRAMS.items():
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            _compile(folder / name, [SOURCES / source for source in sources])
    return Programs(folder / "floor", folder / "load")


def _compile(target: Path, sources: list[Path]) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotBuildError("no C compiler: `cc` is not in PATH (on Debian: apt-get install gcc libc6-dev)")
    built = subprocess.run(
        [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", str(target), *map(str, sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise CannotBuildError(f"cannot compile {target.name}:\n{built.stderr}")
