"""`kanal realtime` as it runs, and clients that mean it no good.

All the while a well-behaved client is sent numbered events by calls of the HTTP API and gets every one, in order; and the
memory of the process never rises further than stated.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import resource
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kanal.realtime.server import raise_descriptor_limit
from tests.realtime.api.caller import sign
from tests.realtime.harness import APP, CLOSE, PING, PONG, TEXT, WAIT, Client, dial, frame, handshake, hang_up, until
from tests.support.kanal_process import KanalProcess

MB = 1024 * 1024
GROWTH = 24 * MB  # resident, at the highest point of an attack; a 100 MB frame that were kept would show
SOCKET_COST = 16 * 1024  # bytes that one more open connection may take on top
TIMEOUT = 2.0  # seconds for a handshake, set for these nodes
PATH = f"/app/{APP.key}?protocol=7"
CROWD = 2_000  # half-open connections, where this machine has so many descriptors
CLOSE_CODES = {1000, 1002, 1003, 1007, 1009, 4001, 4005, 4006, 4007, 4008, 4100, 4201}
HTTP_ANSWERS = {101, 400, 401, 403, 404, 405, 408, 413, 426, 431}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KanalProcess]:
    raise_descriptor_limit()
    app = {"id": APP.id, "key": APP.key, "secret": APP.secret}
    process = KanalProcess(
        tmp_path_factory.mktemp("hostile"),
        "realtime",
        KANAL_REALTIME_APPS=json.dumps([app]),
        KANAL_REALTIME_REQUEST_TIMEOUT=str(TIMEOUT),
        KANAL_SECRET_KEYS="",
    )
    with process:
        yield process
    log = process.log.read_text(errors="replace")
    assert "Traceback" not in log, log[-4_000:]


def memory(node: KanalProcess, field: str = "VmRSS") -> int:
    """In bytes. ``VmHWM`` is the most there has been since ``forget_peak``."""
    status = Path(f"/proc/{node.pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def forget_peak(node: KanalProcess) -> None:
    Path(f"/proc/{node.pid}/clear_refs").write_text("5")


@asynccontextmanager
async def undisturbed(node: KanalProcess, extra: int = 0) -> AsyncIterator[Callable[[], int]]:
    """Somebody reads, somebody publishes; both go well until the end. Yields how many events have been read so far."""
    witness = await Client.open(node.port)
    await witness.subscribe("news")
    said, heard = itertools.count(), itertools.count()
    read = 0

    async def listen() -> None:
        nonlocal read
        for number in heard:
            assert await witness.event("n", "news") == number
            read = number + 1

    async def say(http: httpx.AsyncClient) -> int:
        number = next(said)
        body = json.dumps({"name": "n", "channel": "news", "data": str(number)}).encode()
        path = f"/apps/{APP.id}/events"
        answer = await http.post(f"{node.url}{path}?{sign('POST', path, body)}", content=body)
        assert answer.status_code == 200, answer.text
        return number

    async def keep_saying(http: httpx.AsyncClient) -> None:
        while True:
            await say(http)
            await asyncio.sleep(0.01)

    async with httpx.AsyncClient(timeout=WAIT, trust_env=False) as http:
        await say(http)
        before = memory(node)
        forget_peak(node)
        listening, saying = asyncio.create_task(listen()), asyncio.create_task(keep_saying(http))
        try:
            await until(lambda: read > 1)
            yield lambda: read
            begun = read
            await until(lambda: read > begun + 1 or saying.done() or listening.done())
            assert not saying.done() and not listening.done(), (saying, listening)  # noqa: PT018 - neither may end
            assert memory(node, "VmHWM") - before < GROWTH + extra
        finally:
            for task in (saying, listening):
                task.cancel()
            ends = await asyncio.gather(saying, listening, return_exceptions=True)
            await witness.drop()
            await hang_up()
    for end in ends:
        if not isinstance(end, asyncio.CancelledError):
            raise AssertionError("somebody was disturbed") from end if isinstance(end, BaseException) else None


async def pour(client: Client, block: bytes, times: int) -> int:
    """Sends as long as the server takes it; answers how many blocks it took."""
    for number in range(times):
        try:
            client.raw(block)
            await client.writer.drain()
        except OSError:
            return number
    return times


async def test_pings_that_nobody_waits_for_end_with_the_connection(node: KanalProcess) -> None:
    async with undisturbed(node):
        flooder = await Client.open(node.port)
        # Fourteen megabytes of pongs: more than kernel buffers and the node's bound for one reader.
        await asyncio.wait_for(pour(flooder, frame(PING, b"x" * 125) * 500, 200), WAIT)
        code = await flooder.closed()
        assert code in {4100, 1006}


async def test_every_ping_of_a_flood_is_answered_to_who_reads(node: KanalProcess) -> None:
    async with undisturbed(node):
        flooder = await Client.open(node.port)
        pouring = asyncio.create_task(pour(flooder, frame(PING, b"12345678") * 100, 200))
        for _ in range(20_000):
            assert await asyncio.wait_for(flooder.frame(), WAIT) == (PONG, b"12345678")
        assert await pouring == 200
        pouring = asyncio.create_task(pour(flooder, frame(TEXT, b'{"event":"pusher:ping"}') * 100, 50))
        for _ in range(5_000):
            await flooder.event("pusher:pong")
        await pouring
        await flooder.quiet()


BLOCK = b"\x55" * 65_536


@pytest.mark.parametrize(
    ("first", "block"),
    [
        (b"\x81\xff" + struct.pack("!Q", 100 * MB) + b"mask", BLOCK),
        (b"\x01\xff" + struct.pack("!Q", 100 * MB) + b"mask", BLOCK),
        (frame(TEXT, b"{", fin=False), frame(0, b"x" * 65_000, fin=False)),
    ],
    ids=["one frame", "first fragment", "many fragments"],
)
async def test_a_hundred_megabytes_are_1009_at_their_beginning_and_nothing_of_them_is_kept(
    node: KanalProcess, first: bytes, block: bytes
) -> None:
    async with undisturbed(node):
        clients = [await Client.open(node.port) for _ in range(3)]
        for client in clients:
            client.raw(first)
        pouring = [asyncio.create_task(pour(client, block, 1_600)) for client in clients]
        for client in clients:
            assert await client.closed() == 1009
        await asyncio.wait_for(asyncio.gather(*pouring), WAIT)


@pytest.mark.parametrize("line", [f"GET {PATH}", f"POST /apps/{APP.id}/events", "GET /metrics"])
async def test_a_hundred_megabytes_of_head_are_refused(node: KanalProcess, line: str) -> None:
    async with undisturbed(node):
        client = Client(*await dial(node.port), APP)
        client.raw(f"{line} HTTP/1.1\r\nX: ".encode())
        pouring = asyncio.create_task(pour(client, BLOCK, 1_600))
        with contextlib.suppress(ConnectionError):
            answer = await asyncio.wait_for(client.reader.read(), WAIT)
            assert answer[:12] in {b"", b"HTTP/1.1 431", b"HTTP/1.1 400"}
        await asyncio.wait_for(pouring, WAIT)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"\xc0\xaf",  # a slash in two bytes
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",  # half of a surrogate pair
        b"\xf4\x90\x80\x80",  # beyond the last code point
        b"\xe6\x9d",  # cut off
        b"\x80",
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize(
    "message",
    [
        b'{"event":"pusher:ping","data":"%b"}',
        b'{"event":"%b"}',
        b'{"event":"pusher:subscribe","data":{"channel":"%b"}}',
        b'{"event":"client-a","channel":"private-a","data":"%b"}',
        b"%b",
    ],
)
async def test_malformed_utf_8_is_1007_wherever_it_stands(node: KanalProcess, message: bytes, text: bytes) -> None:
    async with undisturbed(node):
        for whole in (True, False):
            client = await Client.open(node.port)
            await client.subscribe("private-a")
            bytes_ = message % text
            cut = len(bytes_) // 2
            pieces = frame(TEXT, bytes_[:cut], fin=False) + frame(0, bytes_[cut:])
            client.raw(frame(TEXT, bytes_) if whole else pieces)
            assert await client.closed() == 1007


@pytest.mark.parametrize("path", [PATH, f"/apps/{APP.id}/channels", "/metrics"])
async def test_a_head_may_not_drip_in_for_ever(node: KanalProcess, path: str) -> None:
    beginning = f"GET {path} HTTP/1.1\r\nX: ".encode()
    loop = asyncio.get_running_loop()

    async def drip() -> float:
        started = loop.time()
        reader, writer = await dial(node.port)
        ending = asyncio.create_task(reader.read())
        for byte in itertools.chain(beginning, itertools.cycle(b"x")):
            writer.write(bytes([byte]))
            if (await asyncio.wait({ending}, timeout=0.05))[0]:
                break
        with contextlib.suppress(ConnectionError):
            assert (await ending)[:12] in {b"", b"HTTP/1.1 408"}
        return loop.time() - started

    async with undisturbed(node):
        lasted = await asyncio.wait_for(asyncio.gather(*(drip() for _ in range(50))), WAIT)
        assert min(lasted) > TIMEOUT / 2


@pytest.mark.parametrize("beginning", [b"", b"G", f"GET {PATH}".encode(), b"GET /metrics HTTP/1.1\r\n", b"GARBAGE"])
async def test_a_head_that_stops_is_cut_off(node: KanalProcess, beginning: bytes) -> None:
    async with undisturbed(node):
        reader, writer = await dial(node.port)
        writer.write(beginning)
        assert (await asyncio.wait_for(reader.read(), WAIT))[:12] in {b"", b"HTTP/1.1 400"}


async def crowd(node: KanalProcess, count: int) -> list[socket.socket]:
    """Connections that say nothing."""
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(count):
        each = socket.socket()
        each.setblocking(False)
        made.append(each)
        await loop.sock_connect(each, ("127.0.0.1", node.port))
    return made


def descriptors(node: KanalProcess) -> int:
    return len(list(Path(f"/proc/{node.pid}/fd").iterdir()))


async def test_thousands_of_connections_that_say_nothing_are_cut_off(node: KanalProcess) -> None:
    count = min(CROWD, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
    before = descriptors(node)
    async with undisturbed(node, extra=count * SOCKET_COST):
        silent = await crowd(node, count)
        async with await Client.open(node.port) as newcomer:
            await newcomer.subscribe("presence-a", {"user_id": "ayu"})
        await until(lambda: descriptors(node) < before + 50)
        for each in silent:
            assert each.recv(1) == b""
            each.close()


async def test_without_descriptors_who_is_in_stays_and_others_come_in_when_there_are_some_again(
    node: KanalProcess,
) -> None:
    limits = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)
    async with undisturbed(node, extra=200 * SOCKET_COST) as read:
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (descriptors(node) + 50, limits[1]))
        try:
            silent = await crowd(node, 200)
            at = read()
            await until(lambda: read() > at + 20)
        finally:
            resource.prlimit(node.pid, resource.RLIMIT_NOFILE, limits)
        for each in silent:
            each.close()
        async with await Client.open(node.port) as newcomer:
            await newcomer.subscribe("news")


frames = st.builds(
    frame,
    st.integers(0, 15),
    st.one_of(
        st.binary(max_size=300),
        st.sampled_from(
            [b'{"event":"pusher:subscribe","data":{"channel":"a"}}', b'{"event":"pusher:ping"}', b"[" * 5_000]
        ),
    ),
    fin=st.booleans(),
    masked=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 1, 4]),
)
conversations = st.one_of(
    st.binary(max_size=2_000),
    st.binary(max_size=200).map(lambda tail: b"GET /app/" + tail),
    st.binary(max_size=200).map(lambda tail: f"POST /apps/{APP.id}/events".encode() + tail),
    st.binary(max_size=2_000).map(lambda tail: handshake(PATH) + tail),
    st.lists(frames, max_size=6).map(lambda each: handshake(PATH) + b"".join(each)),
)


async def test_whatever_comes_in_what_goes_out_is_documented(node: KanalProcess) -> None:
    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    @given(conversations, st.integers(0, 100))
    def converse(data: bytes, cut: int) -> None:
        answer = _exchange(node.port, data[: len(data) * cut // 100], data[len(data) * cut // 100 :])
        head, _, rest = answer.partition(b"\r\n\r\n")
        if head:
            status = int(head.removeprefix(b"HTTP/1.1 ")[:3])
            assert status in HTTP_ANSWERS
            if status == 101:
                _check_frames(rest)

    async with undisturbed(node):
        await asyncio.to_thread(converse)


def _exchange(port: int, *parts: bytes) -> bytes:
    """What the server answered until the end of the connection, which is ours when it isn't the server's."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection, contextlib.suppress(OSError):
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65_536):
            answer += data
    return answer


def _check_frames(data: bytes) -> None:
    """Whole frames, unmasked, text that is JSON; and nothing behind a close frame."""
    while data:
        opcode, size, start = data[0] & 0x0F, data[1], 2
        assert data[0] & 0xF0 == 0x80
        assert size < 127
        if size == 126:
            size, start = struct.unpack("!H", data[2:4])[0], 4
        payload, data = data[start : start + size], data[start + size :]
        assert len(payload) == size
        if opcode == TEXT:
            assert json.loads(payload)["event"].startswith("pusher")
        elif opcode == CLOSE:
            assert int.from_bytes(payload[:2], "big") in CLOSE_CODES
            assert data == b""
        else:
            assert opcode == PONG
