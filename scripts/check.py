"""Runs the checks a change has to pass: `check.py GROUP…`, where `python` runs all tests and comes last.

Each check's output is shown only when it fails. The groups before `python` share the machine's cores.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
WEB = [str(BIN / "python"), "hatch_build.py", "npm", "web"]


@dataclass(frozen=True)
class Check:
    """A command that passes when it exits with 0."""

    name: str
    command: list[str]


GROUPS = {
    "lint": [
        Check("ruff", [str(BIN / "ruff"), "check", "--quiet", "."]),
        Check("ruff format", [str(BIN / "ruff"), "format", "--check", "--quiet", "--diff", "."]),
        Check("layers", [str(BIN / "lint-imports")]),
    ],
    "types": [Check("mypy", [str(BIN / "mypy")])],
    "generated": [Check("generated files", [str(BIN / "python"), "scripts/generate.py", "--check"])],
    "web": [
        Check("eslint", [*WEB, "run", "--silent", "lint"]),
        Check("vue-tsc", [*WEB, "run", "--silent", "types"]),
        Check("vitest", [*WEB, "run", "--silent", "test"]),
    ],
}


def run(check: Check) -> bool:
    """Run one check and say how it ended; its output follows when it failed."""
    started = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},  # its output goes through a pipe
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    passed = done.returncode == 0
    line = f"{'ok  ' if passed else 'FAIL'} {check.name} ({time.monotonic() - started:.1f} s)\n"
    output = b"" if passed else done.stdout
    sys.stdout.buffer.write(line.encode() + output)
    sys.stdout.flush()
    return passed


def run_pytest() -> bool:
    """Run all tests in parallel; their summary is the last thing printed."""
    workers = os.environ.get("TEST_WORKERS", "2")
    command = [str(BIN / "pytest"), "-n", workers, "--dist", "loadfile"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Run the groups named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="+", choices=[*GROUPS, "python"])
    groups = parser.parse_args().groups
    checks = [check for group in groups if group in GROUPS for check in GROUPS[group]]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        failed = [check.name for check, passed in zip(checks, pool.map(run, checks), strict=True) if not passed]
    if failed:
        print(f"\nfailed: {', '.join(failed)}\n", flush=True)
    if "python" in groups and not run_pytest():
        failed.append("pytest")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
