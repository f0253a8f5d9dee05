"""The servers that tests start are what their addresses promise."""

import socket
from pathlib import Path

import asyncmy
import asyncpg
import httpx
import pytest
import redis.asyncio
import sqlalchemy as sa

from tests.support.network import NetworkBlocked
from tests.support.node import run_node
from tests.support.services import Server


async def test_mariadb_gives_an_empty_utf8mb4_database(mariadb_url: str) -> None:
    url = sa.make_url(mariadb_url)
    connection = await asyncmy.connect(
        host=url.host, port=url.port, user=url.username, password=url.password, db=url.database
    )
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT @@character_set_database")
        assert await cursor.fetchone() == ("utf8mb4",)
    connection.close()


async def test_postgres_gives_an_empty_utf8_database(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.close()


async def test_redis_can_be_killed_and_comes_back_on_its_port(redis_server: Server, redis_url: str) -> None:
    redis_server.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", redis_server.port)) != 0
    redis_server.restart()
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.ping()


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_no_test_leaves_this_machine(host: str) -> None:
    with pytest.raises(NetworkBlocked):
        socket.create_connection((host, 80), timeout=1)
    with pytest.raises(NetworkBlocked):
        httpx.get(f"http://{host}/")


def test_node_is_the_packaged_one(tmp_path: Path) -> None:
    script = tmp_path / "version.mjs"
    script.write_text("console.log(process.version)")
    assert run_node(script).startswith("v24.")


def test_a_failing_script_says_what_it_printed(tmp_path: Path) -> None:
    script = tmp_path / "fail.mjs"
    script.write_text("console.log('halfway'); process.exit(3)")
    with pytest.raises(AssertionError, match="halfway"):
        run_node(script)
