"""Reading the latest fifty messages, in a room of a thousand and in one of a million.

The rooms are made and the first message of each is sent through the API; the rest are copies of it, written by SQL.
"""

import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import asyncmy
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from bench import http_load
from bench.figures import Figure, at_least, at_most, percentile
from bench.world import World, running

SMALL, LARGE = 1_000, 1_000_000  # messages
CONNECTIONS = 16
SECONDS = 4.0
GOAL = 2_000  # answers per second
GOAL_RATIO = 1.3  # times slower in the large room
CHUNK = 100_000  # rows per transaction while loading


async def measure_sqlite(folder: Path) -> list[Figure]:
    """On the embedded database."""
    with running(folder) as world:
        rooms = _make_rooms(world)
        world.process.stop()
        _load_sqlite(folder / "data/kanal.db", rooms)
        world.process.start()
        return await _compare(world, rooms, "SQLite")


async def measure_mariadb(folder: Path, url: str) -> list[Figure]:
    """On MariaDB."""
    with running(folder, KANAL_DATABASE_URL=url) as world:
        rooms = _make_rooms(world)
        world.process.stop()
        await _load_mariadb(url, rooms)
        world.process.start()
        return await _compare(world, rooms, "MariaDB")


def _make_rooms(world: World) -> dict[int, str]:
    rooms = {size: world.make_room(f"room of {size}") for size in (SMALL, LARGE)}
    for room in rooms.values():
        for _ in range(2):  # a room may begin with a message of the system; the copies are made of a person's
            body = {"client_id": str(uuid.uuid4()), "body": "Sudah saya kirim, ditunggu ya. お願いします 🙏"}
            world.call("POST", f"{world.chat}/rooms/{room}/messages", body)
    return rooms


async def _compare(world: World, rooms: dict[int, str], database: str) -> list[Figure]:
    loads: dict[int, http_load.Load] = {}
    for size, room in rooms.items():
        path = f"{world.chat}/rooms/{room}/messages?limit=50"
        answer = world.call("GET", path)
        if len(answer["items"]) != 50 or answer["items"][-1]["sequence"] != size:
            raise RuntimeError(f"the room of {size} does not end where it should")
        request = http_load.request("GET", path, authorization=f"Bearer {world.token}")
        loads[size] = await http_load.run(
            world.port, world.process.pid, _always(request), connections=CONNECTIONS, seconds=SECONDS
        )
        if set(loads[size].statuses) != {200}:
            raise RuntimeError(f"lists were answered with {loads[size].statuses}")
    name = f"latest 50 of {LARGE:,}, {database}"
    return [
        Figure(f"latest 50 of {SMALL:,}, {database}", loads[SMALL].rate, "/s"),
        at_least(name, loads[LARGE].rate, "/s", GOAL),
        Figure(f"{name}: computing of the server", loads[LARGE].cpu_each * 1000, "ms each"),
        Figure(f"{name}, p99", percentile(loads[LARGE].latencies, 0.99) * 1000, "ms"),
        at_most(f"{name}: slower than of {SMALL:,}", loads[SMALL].rate / loads[LARGE].rate, "x", GOAL_RATIO),
    ]


def _always(request: bytes) -> Callable[[], bytes]:
    return lambda: request


def _load_sqlite(file: Path, rooms: dict[int, str]) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous = off")
    for size, room in rooms.items():
        key = uuid.UUID(room).bytes
        cursor = connection.execute("SELECT * FROM messages WHERE room_id = ? ORDER BY sequence DESC LIMIT 1", (key,))
        columns = [column[0] for column in cursor.description]
        row = dict(zip(columns, cursor.fetchone(), strict=True))
        marks = ", ".join("?" * len(columns))
        numbers = range(row["sequence"] + 1, size + 1)
        connection.execute("BEGIN")
        connection.executemany(
            f"INSERT INTO messages ({', '.join(columns)}) VALUES ({marks})",
            (
                tuple((row | {"id": uuid7().bytes, "client_id": uuid7().bytes, "sequence": number}).values())
                for number in numbers
            ),
        )
        connection.execute("UPDATE rooms SET last_sequence = ? WHERE id = ?", (size, key))
        connection.execute("COMMIT")
    connection.close()


async def _load_mariadb(url: str, rooms: dict[int, str]) -> None:
    at = sa.make_url(url)
    connection = await asyncmy.connect(
        host=at.host, port=at.port, user=at.username, password=at.password, db=at.database, autocommit=True
    )
    own = {
        # time first, as in UUIDv7; the size of the room keeps the ids of the two rooms apart
        "id": "UNHEX(CONCAT(LPAD(HEX(1790000000000 + seq), 12, '0'), '7', LPAD(HEX(seq + {size} * 10000000), 19, '0')))",
        "client_id": "UNHEX(LPAD(HEX(seq), 32, '0'))",
        "sequence": "seq",
    }
    async with connection.cursor() as cursor:
        for size, room in rooms.items():
            key = uuid.UUID(room).bytes
            await cursor.execute("SELECT * FROM messages WHERE room_id = %s ORDER BY sequence DESC LIMIT 1", (key,))
            columns = [column[0] for column in cursor.description]
            row = dict(zip(columns, await cursor.fetchone(), strict=True))
            values = ", ".join(own.get(name, f"m.{name}").replace("{size}", str(size)) for name in columns)
            for start in range(row["sequence"] + 1, size + 1, CHUNK):
                await cursor.execute(
                    f"INSERT INTO messages ({', '.join(columns)})"
                    f" SELECT {values} FROM seq_{start}_to_{min(start + CHUNK - 1, size)}"
                    " JOIN messages m ON m.room_id = %s AND m.sequence = %s",
                    (key, row["sequence"]),
                )
            await cursor.execute("UPDATE rooms SET last_sequence = %s WHERE id = %s", (size, key))
        await cursor.execute("ANALYZE TABLE messages")
    connection.close()
