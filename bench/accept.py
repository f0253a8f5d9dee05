"""Messages accepted per second, beside the same rows written straight through the driver.

The floor writes what one accepted message leaves behind (the message, its search terms, its event, the room's new
number), each time in one transaction, with the durability the server has.
"""

import asyncio
import itertools
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncmy
import sqlalchemy as sa

from bench import http_load
from bench.figures import Figure, at_least, at_most, percentile
from bench.world import World, running
from kanal.kit.db import sqlite as kanal_sqlite

CONNECTIONS = 32
SECONDS = 5.0
GOAL = 1500  # messages per second, one process
GOAL_RATIO = 3.0  # times slower than the floor

Row = dict[str, Any]


async def measure(folder: Path, database: str, url: str | None = None) -> list[Figure]:
    """Load a server on this database, then write the same rows without it."""
    settings = {"KANAL_DATABASE_URL": url} if url else {}
    with running(folder, **settings) as world:
        load = await _post_messages(world)
    floor = await (_sqlite_floor(folder / "data/kanal.db") if url is None else _mariadb_floor(url))
    name = f"message accepted, {database}"
    return [
        at_least(name, load.rate, "/s", GOAL),
        Figure(f"{name}: computing of the server", load.cpu_each * 1000, "ms each"),
        Figure(f"{name}, p50", percentile(load.latencies, 0.5) * 1000, "ms"),
        Figure(f"{name}, p99", percentile(load.latencies, 0.99) * 1000, "ms"),
        Figure(f"same rows through the driver, {database}", floor, "/s"),
        at_most(f"driver / accepted, {database}", floor / load.rate, "x", GOAL_RATIO),
    ]


async def _post_messages(world: World) -> http_load.Load:
    path = f"{world.chat}/rooms/{world.make_room('accept')}/messages"
    make = lambda: http_load.request("POST", path, world.message(), authorization=f"Bearer {world.token}")  # noqa: E731
    load = await http_load.run(world.port, world.process.pid, make, connections=CONNECTIONS, seconds=SECONDS)
    if set(load.statuses) != {201}:
        raise RuntimeError(f"messages were answered with {load.statuses}")
    return load


async def _sqlite_floor(file: Path) -> float:
    connection = sqlite3.connect(file)
    kanal_sqlite.prepare(connection, readonly=False)
    connection.row_factory = sqlite3.Row

    async def read(sql: str) -> Row | None:
        row = connection.execute(sql).fetchone()
        return None if row is None else dict(row)

    rows = await _example(read)
    statements = _statements(rows, "?")
    numbers = itertools.count(10_000_000)
    count, until = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in zip(statements, _next_values(rows, next(numbers)), strict=True):
            connection.execute(sql, values)
        connection.execute("COMMIT")
        count += 1
    connection.close()
    return count / SECONDS


async def _mariadb_floor(url: str) -> float:
    at = sa.make_url(url)
    pool = await asyncmy.create_pool(
        minsize=10, maxsize=10, host=at.host, port=at.port, user=at.username, password=at.password, db=at.database
    )

    async def read(sql: str) -> Row | None:
        async with pool.acquire() as connection, connection.cursor(asyncmy.cursors.DictCursor) as cursor:
            await cursor.execute(sql)
            row: Row | None = await cursor.fetchone()
            await connection.commit()
            return row

    rows = await _example(read)
    statements = _statements(rows, "%s")
    numbers = itertools.count(10_000_000)
    count = 0
    until = time.perf_counter() + SECONDS

    async def write() -> None:
        nonlocal count
        async with pool.acquire() as connection, connection.cursor() as cursor:
            while time.perf_counter() < until:
                await connection.begin()
                for sql, values in zip(statements, _next_values(rows, next(numbers)), strict=True):
                    await cursor.execute(sql, values)
                await connection.commit()
                count += 1

    await asyncio.gather(*(write() for _ in range(10)))
    pool.close()
    await pool.wait_closed()
    return count / SECONDS


async def _example(read: Callable[[str], Awaitable[Row | None]]) -> dict[str, Row]:
    """What the last accepted message left in each table."""
    rows: dict[str, Row] = {}
    message = await read("SELECT * FROM messages ORDER BY sequence DESC LIMIT 1")
    assert message is not None
    rows["messages"] = message
    if (terms := await read("SELECT * FROM message_terms LIMIT 1")) is not None:
        del terms["number"]
        rows["message_terms"] = terms
    event = await read("SELECT * FROM events WHERE name = 'message.sent' ORDER BY sequence DESC LIMIT 1")
    assert event is not None
    del event["sequence"]
    rows["events"] = event
    return rows


def _statements(rows: dict[str, Row], mark: str) -> list[str]:
    statements = [f"UPDATE rooms SET last_sequence = {mark}, version = version + 1 WHERE id = {mark}"]
    for table, row in rows.items():
        marks = ", ".join([mark] * len(row))
        statements.append(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})")
    return statements


def _next_values(rows: dict[str, Row], number: int) -> list[tuple[Any, ...]]:
    new_id = uuid.uuid4().bytes
    changes: dict[str, Row] = {
        "messages": {"id": new_id, "client_id": uuid.uuid4().bytes, "sequence": number},
        "message_terms": {"message_id": new_id},
        "events": {"id": uuid.uuid4().bytes},
    }
    values = [(number, rows["messages"]["room_id"])]
    return values + [tuple((row | changes[table]).values()) for table, row in rows.items()]
