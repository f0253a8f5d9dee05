"""Writes the files that are made from sources: `generate.py`, or `generate.py --check` to only compare."""

import argparse
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def kanal(*arguments: str) -> Callable[[], bytes]:
    """What `kanal` prints with these arguments."""
    return lambda: _output([str(BIN / "kanal"), *arguments])


def _openapi_types() -> bytes:
    """TypeScript types of the document written before."""
    script = "node_modules/openapi-typescript/bin/cli.js"
    from hatch_build import node_command

    return _output(node_command(script, "src/api/openapi.json"), folder="web")


# In this order: a later file may be made from an earlier one.
FILES: dict[str, Callable[[], bytes]] = {
    "web/src/api/openapi.json": kanal("export", "openapi"),
    "web/src/api/schema.d.ts": _openapi_types,
    "web/src/api/events.d.ts": kanal("export", "events"),
    "docs/configuration.md": kanal("export", "configuration"),
    ".env.example": kanal("export", "env"),
}


def _output(command: list[str], *, folder: str = ".") -> bytes:
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            command, cwd=ROOT / folder, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{errors.read().decode()}")
    return done.stdout


def _differences(name: str, old: bytes, new: bytes) -> Iterator[str]:
    lines = difflib.unified_diff(
        old.decode().splitlines(), new.decode().splitlines(), f"{name} (committed)", f"{name} (generated)", lineterm=""
    )
    yield from list(lines)[:60]


def main() -> int:
    """Write or compare every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is not up to date")
    check = parser.parse_args().check
    stale = False
    for name, make in FILES.items():
        path = ROOT / name
        new = make()
        old = path.read_bytes() if path.exists() else b""
        if new == old:
            continue
        if check:
            stale = True
            print(f"{name} is not up to date; run `make generate`")
            print("\n".join(_differences(name, old, new)))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(new)
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
