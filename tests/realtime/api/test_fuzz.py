"""Calls that were damaged on their way, thousands of them: each is answered as documented, and nobody else notices."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from tests.realtime.api.caller import Http, request, sign
from tests.realtime.harness import APP, WAIT, running

DOCUMENTED = {b"100", b"200", b"400", b"401", b"403", b"404", b"405", b"408", b"413", b"431"}
ROUNDS = 400
PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b"\xff\xfe", b"%", b"%00", b"%ff", b"&", b"=", b"?", b"/", b" ", b":", b","),
    *(
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
    ),
    *(b"GET ", b"POST ", b"HTTP/1.0", b"HTTP/2.0", b"A" * 20_000, b"[" * 5_000, b'\\ud800"', b'"', b"{", b"}"),
)


def damaged(chance: random.Random) -> bytes:
    """A call with one to four accidents; some of what is signed stays rightly signed."""
    body = b'{"name":"e","channels":["elsewhere"],"data":"{}"}'
    if chance.random() < 0.5:
        body = accident(chance, body)
    path = chance.choice([f"/apps/{APP.id}/events", f"/apps/{APP.id}/batch_events", f"/apps/{APP.id}/channels"])
    method = chance.choice(["POST", "POST", "GET"])
    data = request(method, f"{path}?{sign(method, path, body)}", body)
    for _ in range(chance.randrange(4)):
        data = accident(chance, data)
    return data


def accident(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    kind = chance.randrange(4)
    if kind == 0:
        return data[:at] + chance.choice(PIECES) + data[at:]
    if kind == 1:
        return data[:at] + data[at + chance.randrange(1, 30) :]
    if kind == 2:
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    return data[:at] + data[chance.randrange(len(data)) :]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_damaged_calls(seed: int) -> None:
    chance = random.Random(seed)
    async with running(request_timeout=1.0) as server, await server.client() as witness:
        await witness.subscribe("news")
        for _ in range(ROUNDS):
            data = damaged(chance)
            http = await Http.open(server.port)
            cut = chance.randrange(len(data) + 1)
            http.send(data[:cut])
            await asyncio.sleep(0)
            http.send(data[cut:])
            if http.writer.can_write_eof():
                http.writer.write_eof()
            try:
                answer = await asyncio.wait_for(http.reader.read(), WAIT)
            except OSError:  # refused in the middle of what we sent
                answer = b""
            statuses = set(re.findall(rb"HTTP/1\.1 (\d{3}) ", answer))
            assert statuses <= DOCUMENTED, (data, answer)
            http.writer.close()
        await witness.quiet()
        assert all(str(status).encode() in DOCUMENTED for _, _, status in server.front.api.counts)
