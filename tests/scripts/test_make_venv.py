"""A machine that cannot run Kanal is told why in one line, before anything is written."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/make_venv.sh"


def fake_python(folder: Path, *, version: str, has_venv: bool) -> Path:
    """An interpreter that only answers what the script asks it."""
    new_enough = 0 if version >= "3.11" else 1
    program = folder / "python-fake"
    program.write_text(
        f"""#!/bin/sh
case "$2" in
*ensurepip*) exit {0 if has_venv else 1} ;;
*sys.exit*) exit {new_enough} ;;
*print*) echo {version} ;;
esac
"""
    )
    program.chmod(0o755)
    return program


def make_venv(folder: Path, python: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT)],
        cwd=folder,
        env={"PYTHON": str(python), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("version", "has_venv", "said"),
    [
        ("3.10", True, "Python 3.11 or newer is needed, {python} is 3.10"),
        ("3.12", False, "sudo apt-get install python3.12-venv"),
    ],
)
def test_an_unfit_python_is_named_with_its_remedy(tmp_path: Path, version: str, has_venv: bool, said: str) -> None:
    python = fake_python(tmp_path, version=version, has_venv=has_venv)
    done = make_venv(tmp_path, python)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("kanal: ")
    assert done.stderr.count("\n") == 1
    assert said.format(python=python) in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = make_venv(tmp_path, "/no/such/python")
    assert done.returncode == 1
    assert done.stderr == "kanal: PYTHON=/no/such/python is not a program that can be run\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    done = make_venv(tmp_path, "python3")
    assert done.returncode == 1
    assert "not writable" in done.stderr
