"""`kanal` as a person starts it: what goes wrong is one clear line, what goes right survives a restart."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from kanal import __version__
from tests.support.kanal_process import KanalProcess
from tests.support.services import free_port

WAIT = 60.0  # seconds; only a failure takes as long
KEY = "only-for-tests-" * 4
Processes = Callable[..., KanalProcess]


def kanal(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KANAL_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("kanal")), *arguments],
        cwd=folder,
        env={**environment, "KANAL_DATA": str(folder / "data"), "KANAL_SECRET_KEYS": KEY, **settings},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """What it said before it gave up: one line, no trace, and an exit status that says so."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


class TestWhatCannotStart:
    def test_a_busy_port(self, tmp_path: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = str(taken.getsockname()[1])
            line = only_line(kanal(tmp_path, "serve", KANAL_PORT=port))
        assert line == f"kanal: port {port} on 127.0.0.1 is in use: set KANAL_PORT to another one"

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        line = only_line(kanal(tmp_path, "serve", KANAL_DATA=str(tmp_path / "file/data")))
        assert line.startswith(f"kanal: KANAL_DATA: cannot write to {tmp_path}/file/data: ")

    @pytest.mark.parametrize(
        ("variable", "value"),
        [("KANAL_PROT", "8000"), ("KANAL_PORT", "x"), ("KANAL_DATABASE_URL", "oracle://u:pw@h/d")],
    )
    def test_a_wrong_setting(self, tmp_path: Path, variable: str, value: str) -> None:
        line = only_line(kanal(tmp_path, "serve", **{variable: value}))
        assert line.startswith(f"kanal: {variable}: ")

    @pytest.mark.parametrize("family", ["mariadb", "postgresql"])
    def test_a_database_that_does_not_answer(self, tmp_path: Path, family: str) -> None:
        url = f"{family}://sari:rahasia@127.0.0.1:{free_port()}/kanal"
        line = only_line(kanal(tmp_path, "migrate", KANAL_DATABASE_URL=url))
        assert line.startswith(f"kanal: the database at {family}://sari:***@127.0.0.1:")
        assert "rahasia" not in line

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("not a database, though it is long enough to look like one " * 50)
        line = only_line(kanal(tmp_path, "migrate", KANAL_DATABASE_URL=f"sqlite:///{tmp_path}/notes.txt"))
        assert "notes.txt" in line

    def test_of_two_that_start_at_once_one_gets_the_port(self, tmp_path: Path, kanal_process: Processes) -> None:
        port = free_port()
        both = [kanal_process(folder=tmp_path / name, port=port) for name in ("one", "two")]
        for process in both:
            process.spawn()
        until = time.monotonic() + WAIT
        while not [p for p in both if "is in use" in p.log_tail()] and time.monotonic() < until:
            time.sleep(0.05)
        refused = next(p for p in both if "is in use" in p.log_tail())
        assert "Traceback" not in refused.log_tail()
        next(p for p in both if p is not refused).wait_until_ready()


class TestCommands:
    def test_the_version(self, tmp_path: Path) -> None:
        assert kanal(tmp_path, "version").stdout.strip() == __version__

    def test_migrating_twice_is_harmless(self, tmp_path: Path) -> None:
        for _ in range(2):
            assert kanal(tmp_path, "migrate").stdout == "The database is up to date.\n"

    def test_an_account_from_the_command_line_can_sign_in(self, tmp_path: Path, kanal_process: Processes) -> None:
        command = [
            "user",
            "add",
            "Sari@Example.com",
            "--name",
            "Sari",
            "--password",
            "correct horse",
            "--workspace",
            "Toko",
        ]
        made = kanal(tmp_path, *command)
        assert made.returncode == 0, made.stderr
        assert "toko" in made.stdout
        assert kanal(tmp_path, *command).stderr.startswith("kanal: There is already an account")
        with kanal_process(folder=tmp_path) as process:
            account = {"email": "sari@example.com", "password": "correct horse"}
            answer = httpx.post(f"{process.url}/api/v1/auth/login", json=account, timeout=WAIT)
            session = answer.raise_for_status().json()
            assert session["workspaces"][0]["name"] == "Toko"
            assert session["user"]["is_operator"]

    def test_a_rule_that_is_broken_is_said_in_words(self, tmp_path: Path) -> None:
        done = kanal(tmp_path, "user", "add", "nonsense", "--name", "Sari", "--password", "correct horse")
        assert done.returncode != 0
        assert done.stderr.startswith("kanal: ")
        assert "email" in done.stderr
        assert "Traceback" not in done.stderr
        assert only_line(kanal(tmp_path, "workspace", "suspend", "nowhere")).startswith("kanal: ")


def count(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "data/kanal.db")) as database:
        return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


class TestServing:
    def test_the_demo_is_made_once(self, tmp_path: Path, kanal_process: Processes) -> None:
        """And whoever it names can sign in; after a restart everything is as it was."""
        counted = []
        for _ in range(2):
            process = kanal_process("serve", "--demo", folder=tmp_path).start()
            counted.append([count(tmp_path, table) for table in ("workspaces", "users", "rooms", "messages")])
            accounts = httpx.get(f"{process.url}/api/v1/meta", timeout=WAIT).json()["demo"]["accounts"]
            one = accounts[0]
            account = {"email": one["email"], "password": one["password"]}
            httpx.post(f"{process.url}/api/v1/auth/login", json=account, timeout=WAIT).raise_for_status()
            assert re.search(rf"Kanal {re.escape(__version__)} is ready: +{process.url}", process.log_tail(20_000))
            assert one["email"] in process.log_tail(20_000)
            assert process.stop() == 0
        assert counted[0] == counted[1]
        assert min(counted[0]) >= 1

    def test_a_database_with_people_gets_no_demo(self, tmp_path: Path, kanal_process: Processes) -> None:
        kanal(tmp_path, "user", "add", "sari@example.com", "--name", "Sari", "--password", "correct horse")
        with kanal_process("serve", "--demo", folder=tmp_path) as process:
            assert httpx.get(f"{process.url}/api/v1/meta", timeout=WAIT).json()["demo"] is None
        assert count(tmp_path, "users") == 1

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_drains_and_ends(self, tmp_path: Path, kanal_process: Processes, number: signal.Signals) -> None:
        """Requests in flight are answered, then it ends with 0 and nothing in the log is an error."""
        process = kanal_process(folder=tmp_path).start()
        with socket.create_connection(("127.0.0.1", process.port)) as slow:
            body = b'{"email":"a@example.com","password":"x"}'
            head = ["POST /api/v1/auth/login HTTP/1.1", "Host: x", "Content-Type: application/json"]
            head += [f"Content-Length: {len(body)}", "Expect: 100-continue", "", ""]
            slow.sendall("\r\n".join(head).encode())
            slow.settimeout(WAIT)
            assert slow.recv(100).startswith(b"HTTP/1.1 100 "), "it has begun to read"
            os.kill(process.pid, number)
            until = time.monotonic() + WAIT
            while "node.draining" not in process.log_tail() and time.monotonic() < until:
                time.sleep(0.05)
            slow.sendall(body)
            assert slow.recv(100).startswith(b"HTTP/1.1 401 ")
        assert process.wait() == 0
        assert "Traceback" not in process.log_tail(20_000)
        with pytest.raises(httpx.ConnectError):
            httpx.get(process.url)

    def test_a_shared_database_is_used_under_the_prefix(self, tmp_path: Path, kanal_process: Processes) -> None:
        """F-OP-05: from sign-up to search, with every table under another name."""
        settings = {"KANAL_TABLE_PREFIX": "kn_", "KANAL_VERSION_TABLE": "alembic"}
        with (
            kanal_process(folder=tmp_path, **settings) as process,
            httpx.Client(base_url=process.url, timeout=WAIT) as http,
        ):
            account = {"name": "Sari", "email": "s@example.com", "password": uuid4().hex, "workspace_name": "Toko"}
            session = http.post("/api/v1/auth/register", json=account).raise_for_status().json()
            http.headers["x-csrf-token"] = session["csrf_token"]
            base = f"/api/v1/workspaces/{session['workspaces'][0]['id']}"
            room = http.post(f"{base}/chat/rooms", json={"name": "umum"}).raise_for_status().json()["id"]
            said = {"client_id": str(uuid4()), "body": "東京 ok"}
            sent = http.post(f"{base}/chat/rooms/{room}/messages", json=said).raise_for_status().json()
            file = http.post(f"{base}/files", files={"file": ("a.txt", b"text")}).raise_for_status().json()
            assert http.get(file["url"]).text == "text"
            hits = http.get(f"{base}/chat/search", params={"q": "東京"}).raise_for_status().json()["items"]
            assert [h["message"]["id"] for h in hits] == [sent["id"]]
            assert http.get(f"{base}/events", params={"after": 0}).raise_for_status().json()["events"]
        with closing(sqlite3.connect(tmp_path / "data/kanal.db")) as database:
            names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "kn_alembic" in names
        assert {n for n in names if not n.startswith(("kn_", "sqlite_"))} == set()
