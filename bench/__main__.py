"""`python -m bench [SECTION…]`: measures, prints a table, keeps the figures in `bench/results/`.

`python -m bench realtime` is a programme of its own, with its own arguments.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from bench import accept, deliver, figures, history, scroll, size
from bench.figures import Figure
from bench.realtime import command
from tests.support.services import MariaDB, ServiceMissing

Section = Callable[[Path], Coroutine[Any, Any, list[Figure]]]


async def on_sqlite(folder: Path) -> list[Figure]:
    """Messages accepted and history read on the embedded database."""
    return [*await accept.measure(folder / "accept", "SQLite"), *await history.measure_sqlite(folder / "history")]


async def on_mariadb(folder: Path) -> list[Figure]:
    """The same on a MariaDB that keeps every commit."""
    service = MariaDB(durable=True)
    server = service.start(folder / "mariadb")
    try:
        return [
            *await accept.measure(folder / "accept", "MariaDB", service.create_database(server, "accept")),
            *await history.measure_mariadb(folder / "history", service.create_database(server, "history")),
        ]
    finally:
        server.stop()


async def sizes(folder: Path) -> list[Figure]:
    """Memory and script."""
    return [*size.measure_memory(folder), *size.measure_script()]


SECTIONS: dict[str, Section] = {
    "sqlite": on_sqlite,
    "mariadb": on_mariadb,
    "deliver": deliver.measure,
    "size": sizes,
    "scroll": scroll.measure,
}


def main() -> int:
    """Run the sections named, or all."""
    if sys.argv[1:2] == ["realtime"]:
        return command.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION", help=", ".join(SECTIONS))
    chosen = parser.parse_args().sections or list(SECTIONS)
    measured: list[Figure] = []
    for name in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kanal-bench-") as folder:
            Path(folder).chmod(0o711)  # a database server may run as another user
            try:
                measured += uvloop.run(SECTIONS[name](Path(folder)))
            except ServiceMissing as missing:
                print(f"{name}: skipped, {missing}", file=sys.stderr)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(figures.table(measured))
    print(f"\nkept in {figures.save(measured).relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
