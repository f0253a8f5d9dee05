"""What load balancers and Prometheus ask (F-OP-02, F-OP-07)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kanal import __version__
from tests.support.services import free_port
from tests.support.world import World, migrate_now, open_world


@pytest.fixture(scope="module")
def migrated_url(sqlite_url: str) -> str:
    return migrate_now(sqlite_url)


@pytest.fixture
async def world(migrated_url: str) -> AsyncIterator[World]:
    async with open_world(migrated_url) as made:
        yield made


async def test_a_node_says_who_it_is(world: World) -> None:
    async with await world.client() as http:
        for path in ("/health/live", "/health/ready"):
            answer = await http.get(path)
            assert answer.json() == {"status": "ok", "node": "node-under-test", "version": __version__}
            assert answer.headers["x-node-id"] == "node-under-test"


@pytest.mark.parametrize("family", ["sqlite", "mariadb", "postgresql"])
async def test_without_a_database_it_lives_and_is_not_ready(tmp_path: Path, family: str) -> None:
    gone = f"{family}://u:p@127.0.0.1:{free_port()}/d" if family != "sqlite" else f"sqlite:///{tmp_path}/none/kanal.db"
    async with open_world(gone) as world, await world.client() as http:
        assert (await http.get("/health/live")).status_code == 200
        answer = await http.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "database_unreachable")
        assert answer.headers["cache-control"] == "no-store"
        # Whoever asks for data meanwhile gets an error in the one form, without a trace of the database.
        failed = await http.get("/api/v1/auth/user", headers={"authorization": "Bearer kanal_x"})
        assert (failed.status_code, failed.json()["error"]["code"]) in [(503, "service.unavailable"), (500, "internal")]
        assert "127.0.0.1" not in failed.text


async def test_a_database_that_hangs_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("kanal.entrypoints.health.READY_WITHIN", 0.01)
    monkeypatch.setattr(world.database, "ping", hang)
    async with await world.client() as http:
        assert (await http.get("/health/ready")).status_code == 503


async def test_a_draining_node_is_alive_and_asks_to_be_left_out(world: World) -> None:
    world.node.draining = True
    async with await world.client() as http:
        assert (await http.get("/health/live")).status_code == 200
        answer = await http.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")


async def test_metrics_count_requests_by_route(world: World) -> None:
    sari = await world.found()
    room = await world.room(sari)
    async with await world.client(sari) as http:
        path = f"/api/v1/workspaces/{sari.workspace_id}/chat/rooms/{room.id}"
        for _ in range(2):
            assert (await http.get(path)).status_code == 200
        await http.get("/api/v1/nowhere")
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    route = "/api/v1/workspaces/{ws}/chat/rooms/{room_id}"
    assert f'kanal_http_requests_total{{method="GET",route="{route}",status="200"}} 2.0' in [
        line.replace(":uuid", "") for line in lines
    ]
    assert str(sari.workspace_id) not in answer.text, "ids would make a new series each"
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {
        "kanal_sockets", "kanal_broker_up", "kanal_events_published_total", "kanal_events_swept_total",
        "kanal_jobs_succeeded_total", "kanal_jobs_failed_total", "kanal_http_seconds", "process_resident_memory_bytes",
    } <= names  # fmt: skip
    published = next(line for line in lines if line.startswith("kanal_events_published_total"))
    assert float(published.split()[1]) > 0


async def test_the_document_is_served_and_names_every_error_form(world: World) -> None:
    async with await world.client() as http:
        document = (await http.get("/api/openapi.json")).json()
        assert (await http.get("/api/v1/meta")).json()["version"] == __version__
    assert document["info"]["title"] == "Kanal"
    assert "/api/v1/workspaces/{ws}/chat/rooms" in document["paths"]


async def test_unknown_addresses_below_api_are_errors_and_others_the_page(world: World) -> None:
    async with await world.client() as http:
        for path in ("/api/v1/nowhere", "/api/nowhere", "/app/x", "/apps/1/events", "/assets/none.js", "/api", "/api/"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
        page = await http.get("/w/some-workspace/rooms")
        assert page.headers["content-type"].startswith("text/html")
        for path in ("/../../pyproject.toml", "/%2e%2e/%2e%2e/settings.py", "/..%2f..%2fsettings.py"):
            assert "KANAL" not in (await http.get(path)).text.replace("kanal", "")
