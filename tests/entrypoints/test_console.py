"""The console of real processes: two nodes over Redis, one of them killed; the terminal's side of it. F-RT-11."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kanal.realtime.apps import App
from kanal.realtime.console.figures import ClusterFigures
from kanal.realtime.console.reader import CannotRead, Reader
from kanal.realtime.console.terminal import summed_apps
from tests.entrypoints.test_commands import kanal, only_line
from tests.realtime.api.caller import Caller
from tests.realtime.harness import Client, frame, hang_up
from tests.support.kanal_process import KanalProcess
from tests.support.services import free_port

Processes = Callable[..., KanalProcess]
TOKEN = "open-sesame-for-tests"
SHOP = App(id="77", key="shop-key", secret="shop-secret")
SETTINGS = {
    "KANAL_REALTIME_APP_ID": SHOP.id,
    "KANAL_REALTIME_APP_KEY": SHOP.key,
    "KANAL_REALTIME_APP_SECRET": SHOP.secret,
    "KANAL_REALTIME_CONSOLE_TOKEN": TOKEN,
    "KANAL_SECRET_KEYS": "",
}
WAIT = 60.0  # seconds; only a failure takes as long
EXIT = 20.0  # seconds in which a process that was told to end does


@pytest.fixture(autouse=True)
async def opened() -> AsyncIterator[None]:
    yield
    await hang_up()


@pytest.fixture
def shop(kanal_process: Processes) -> KanalProcess:
    return kanal_process("realtime", **SETTINGS).start()


async def state_of(process: KanalProcess) -> ClusterFigures:
    def ask() -> ClusterFigures:
        with Reader(process.url, TOKEN) as reader:
            return reader.state()

    return await asyncio.to_thread(ask)


async def comes_to(process: KanalProcess, wanted: Callable[[ClusterFigures], bool]) -> ClusterFigures:
    async with asyncio.timeout(WAIT):
        while not wanted(state := await state_of(process)):  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.2)
    return state


# Two nodes


async def _subscribers(process: KanalProcess, number: int) -> list[Client]:
    clients = [await Client.open(process.port, SHOP) for _ in range(number)]
    for client in clients:
        await client.subscribe("news")
    return clients


async def test_known_traffic_over_two_nodes_and_then_one_is_killed(kanal_process: Processes, redis_url: str) -> None:
    nodes = [
        kanal_process("realtime", KANAL_NODE_ID=name, KANAL_REALTIME_BROKER_URL=redis_url, **SETTINGS)
        for name in ("one", "two")
    ]
    for node in nodes:
        node.spawn()
    for node in nodes:
        node.wait_until_ready()
    first, second = nodes
    clients = await _subscribers(first, 5) + await _subscribers(second, 8)
    await comes_to(first, lambda state: len(state.nodes) == 2)
    api = await Caller.open(first.port, app=SHOP)
    for number in range(20):
        assert (await api.trigger(["news"], "said", {"number": number})).status == 200
    size = 0
    for client in clients:
        for _ in range(20):
            opcode, payload = await client.frame()
            assert opcode == 1
            size += len(frame(1, payload, masked=False))
    # A look may be some tenths of a second old; it is the same from either node.
    states = [await comes_to(node, lambda state: summed_apps(state.nodes)[SHOP.id].api_calls == 20) for node in nodes]
    for state in states:
        app = summed_apps(state.nodes)[SHOP.id]
        assert (app.connections, app.opened, app.channels) == (13, 13, 2)
        assert (app.messages_out, app.bytes_out) == (20 * 13, size)
        assert (app.messages_in, app.api_calls, app.api_refused) == (13, 20, 0)
        assert {node.total.connections for node in state.nodes} == {5, 8}
        assert state.silent == []
    killed = next(node.node for node in states[0].nodes if node.total.connections == 8)
    second.kill()
    state = await comes_to(first, lambda state: state.silent == [killed])
    assert [node.total.connections for node in state.nodes] == [5]
    await comes_to(first, lambda state: not state.silent and len(state.nodes) == 1)


# kanal realtime top


def test_once_prints_a_state_for_scripts(shop: KanalProcess, tmp_path: Path) -> None:
    done = kanal(tmp_path, "realtime", "top", "--url", shop.url, "--token", TOKEN, "--once")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["nodes"][0]["engine"] == "memory"
    by_variable = kanal(
        tmp_path, "realtime", "top", "--url", shop.url + "/console", "--once", KANAL_REALTIME_CONSOLE_TOKEN=TOKEN
    )
    assert by_variable.returncode == 0, by_variable.stderr


def test_what_cannot_be_read_is_one_line(shop: KanalProcess, tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        return only_line(kanal(tmp_path, "realtime", *arguments))

    assert "--token" in said("top", "--url", shop.url)
    assert "missing or wrong" in said("top", "--url", shop.url, "--token", "guess")
    nobody = f"http://127.0.0.1:{free_port()}"
    assert f"no answer from {nobody}" in said("top", "--url", nobody, "--token", TOKEN)
    assert "There is no such app" in said("tail", "news", "--app", "0", "--url", shop.url, "--token", TOKEN)
    assert "none has been used yet" in said("tail", "news", "--url", shop.url, "--token", TOKEN)


def test_a_server_without_a_token_has_no_console(kanal_process: Processes, tmp_path: Path) -> None:
    process = kanal_process("realtime", **{**SETTINGS, "KANAL_REALTIME_CONSOLE_TOKEN": ""}).start()
    line = only_line(kanal(tmp_path, "realtime", "top", "--url", process.url, "--token", TOKEN))
    assert "has no console" in line


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    settings = {**SETTINGS, "KANAL_REALTIME_CONSOLE_TOKEN": "short"}
    assert "KANAL_REALTIME_CONSOLE_TOKEN" in only_line(kanal(tmp_path, "realtime", **settings))


@contextmanager
def in_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`kanal` on a pseudo terminal, and the descriptor of whoever sits before it."""
    mine, its = pty.openpty()
    command = [str(Path(sys.executable).with_name("kanal")), *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140", "LINES": "40"}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True)
    os.close(its)
    try:
        yield process, mine
    finally:
        process.kill()
        process.wait()
        os.close(mine)


def read_until(descriptor: int, text: str) -> str:
    seen, until = "", time.monotonic() + WAIT
    while text not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"{text!r} did not come; this did: {seen[-2000:]}"
        seen += os.read(descriptor, 65_536).decode(errors="replace")
    return seen


def drain(descriptor: int) -> None:
    """Read on until the other side is closed: a terminal that nobody reads stops whoever writes to it."""
    with contextlib.suppress(OSError):  # that is how Linux says it
        while os.read(descriptor, 65_536):
            continue


def test_top_is_live_and_ends_with_q(shop: KanalProcess) -> None:
    arguments = ("realtime", "top", "--url", shop.url, "--token", TOKEN, "--interval", "0.5")
    with in_a_terminal(*arguments) as (process, screen):
        read_until(screen, "memory")
        os.write(screen, b"s")
        read_until(screen, "sorted by in")
        shop.kill()
        read_until(screen, "trying again")
        shop.start()
        os.write(screen, b"q")
        drain(screen)
        assert process.wait(EXIT) == 0


# kanal realtime tail


async def test_tail_prints_events_and_a_server_that_ends_does_not_wait_for_it(shop: KanalProcess) -> None:
    command = [str(Path(sys.executable).with_name("kanal")), "realtime", "tail", "news", "--app", SHOP.id, "--json"]
    command += ["--url", shop.url, "--token", TOKEN]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = asyncio.create_task(process.stdout.readline())
        api = await Caller.open(shop.port, app=SHOP)
        async with asyncio.timeout(WAIT):
            while not line.done():  # it has nothing to say when it begins to listen
                await api.trigger(["news"], "said", {"text": "halo"})
                await asyncio.sleep(0.1)
        event = json.loads(await line)
        assert (event["event"], json.loads(event["data"])) == ("said", {"text": "halo"})
        assert await asyncio.to_thread(shop.stop) == 0
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(EXIT):
            await process.wait()


# The token on a server that is all of Kanal


def test_whoever_follows_a_channel_of_kanal_with_the_token_is_in_the_audit_log(kanal_process: Processes) -> None:
    process = kanal_process("serve", KANAL_REALTIME_CONSOLE_TOKEN=TOKEN).start()
    with httpx.Client(base_url=process.url, trust_env=False) as browser:
        account = {
            "name": "Sari",
            "email": "sari@example.com",
            "password": "panjang-sekali-42",
            "workspace_name": "Kopi",
        }
        session = browser.post("/api/v1/auth/register", json=account).raise_for_status().json()
        workspace = session["workspaces"][0]["id"]
        with Reader(process.url, TOKEN) as reader:
            assert len(reader.state().nodes) == 1
            next(iter(reader.tail("1", f"presence-workspace.{workspace}")))
            with pytest.raises(CannotRead, match="no such app"):
                next(iter(reader.tail("0", "news")))
        asked: dict[str, Any] = {"action": "realtime.tailed"}
        entries = browser.get(f"/api/v1/workspaces/{workspace}/audit", params=asked).json()["items"]
        assert [entry["actor"]["name"] if "actor" in entry else entry["actor_name"] for entry in entries] == [
            "Console token"
        ]
        assert browser.get("/console").status_code == 200
        assert browser.get("/console/api/state").status_code == 401, "a session of Kanal is no console token"
