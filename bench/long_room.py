"""A workspace of seven people with one room that has been talked in for years, for somebody to scroll through.

Some messages of every kind are sent through the API; the rest are copies of them, written by SQL, each `PAUSE` after the last.
"""

import itertools
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from uuid_utils.compat import uuid7

from tests.support.kanal_process import KanalProcess

ROOM = "years of talk"
PAUSE = 600_000  # milliseconds between two messages: a hundred thousand are two years
PASSWORD = "kopi-nusantara"
PEOPLE = ("sari", "budi", "misaki", "james", "dewi", "andi")
SAID = (
    "ok",
    "Sudah saya kirim, ditunggu ya 🙏",
    "Could you check the **invoice** of `2026-118`? It says 34 bags, we got *32*.",
    "明日の10時から棚卸しをします。手伝える人はいますか？",
    "- beans\n- cups, the small ones\n- oat milk\n\nAnything else for the order?",
    "https://example.com/catalogue/2026/autumn?page=4 has the new grinder, third from the top.",
    "😂",
    "The courier comes at four today instead of three, because the road to the harbour is closed until Thursday.\n\n"
    + "I asked them to ring at the back door; if nobody hears it they leave it with the neighbours, as last time. " * 2,
    "```\nlot    kg   moisture\n214    60   11.2\n215    58   11.0\n```",
    "> stock of Toraja?\n\nEnough until Monday.",
    "see you",
    "Terima kasih banyak, kakak! ❤️",
)
REACTIONS = ("👍", "🎉")
FIRST, FIRST_END = "This room is open", "and that is how it began."  # a quote shows its beginning, not its end


@contextmanager
def running(folder: Path, size: int) -> Iterator[tuple[str, str]]:
    """`kanal serve --demo` on SQLite with the room; gives the server's address and the room's path on it."""
    with KanalProcess(folder, "serve", "--demo") as process:
        clients = {name: _sign_in(process.url, name) for name in PEOPLE}
        room, path = _begin(clients)
        process.stop()
        _fill(folder / "data/kanal.db", room, size)
        process.start()
        sari = clients["sari"]
        sari.patch("/api/v1/auth/user", json={"locale": "en"}).raise_for_status()
        sari.post(f"{path}/read", json={"sequence": size}).raise_for_status()
        slug = sari.get("/api/v1/auth/user").raise_for_status().json()["workspaces"][0]["slug"]
        for client in clients.values():
            client.close()
        yield process.url, f"/w/{slug}/rooms/{room}"


def _sign_in(url: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=url, headers={"origin": url}, timeout=60)
    account = {"email": f"{name}@kopi.example", "password": PASSWORD}
    session = client.post("/api/v1/auth/login", json=account).raise_for_status().json()
    client.headers["X-CSRF-Token"] = session["csrf_token"]
    return client


def _begin(clients: dict[str, httpx.Client]) -> tuple[str, str]:
    """The room and what everybody says in it; answers its id and its path in the API."""
    users = [client.get("/api/v1/auth/user").raise_for_status().json() for client in clients.values()]
    chat = f"/api/v1/workspaces/{users[0]['workspaces'][0]['id']}/chat"
    members = [user["user"]["id"] for user in users[1:]]
    form = {"name": ROOM, "visibility": "public", "member_ids": members}
    room: str = clients["sari"].post(f"{chat}/rooms", json=form).raise_for_status().json()["id"]
    path = f"{chat}/rooms/{room}"

    def say(name: str, body: str, **more: str) -> str:
        message = {"client_id": str(uuid.uuid4()), "body": body, **more}
        said: str = clients[name].post(f"{path}/messages", json=message).raise_for_status().json()["id"]
        return said

    first = say("sari", f"{FIRST}, {'we moved in, ' * 20}{FIRST_END}")
    for number, (body, name) in enumerate(zip(SAID * len(PEOPLE), itertools.cycle(PEOPLE), strict=False)):
        said = say(name, body)
        if number % 8 == 0:
            for emoji in REACTIONS:
                clients["budi"].put(f"{chat}/messages/{said}/reactions/{emoji}").raise_for_status()
    say("misaki", "Do you remember?", quote_id=first)
    return room, path


def _fill(file: Path, room: str, size: int) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous = off")
    key = uuid.UUID(room).bytes
    cursor = connection.execute("SELECT * FROM messages WHERE room_id = ? AND kind = 'text' ORDER BY sequence", (key,))
    columns = [column[0] for column in cursor.description]
    _opening, *models = (dict(zip(columns, row, strict=True)) for row in cursor)
    first, now = models[-1]["sequence"] + 1, models[-1]["created_at"]
    rows = (
        tuple(
            {
                **model,
                "id": uuid7().bytes,
                "client_id": uuid7().bytes,
                "sequence": number,
                "created_at": now - (size - number) * PAUSE,
            }.values()
        )
        for number, model in zip(range(first, size + 1), itertools.cycle(models), strict=False)
    )
    marks = ", ".join("?" * len(columns))
    connection.execute("BEGIN")
    connection.execute(
        "UPDATE messages SET created_at = ? - (? - sequence) * ? WHERE room_id = ?", (now, size, PAUSE, key)
    )
    connection.executemany(f"INSERT INTO messages ({', '.join(columns)}) VALUES ({marks})", rows)
    connection.execute("UPDATE rooms SET last_sequence = ? WHERE id = ?", (size, key))
    connection.execute("COMMIT")
    connection.close()
