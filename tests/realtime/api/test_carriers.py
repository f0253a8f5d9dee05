"""How calls travel: HTTP/1.1 as it is, and as it should not be. F-RT-04."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from kanal.realtime.api import lean
from kanal.realtime.apps import App
from kanal.realtime.brokers.base import Message
from kanal.realtime.brokers.memory import MemoryBroker
from tests.realtime.api.caller import Http, request, sign
from tests.realtime.harness import APP, Client, Running, running, until

EVENTS = f"/apps/{APP.id}/events"


def event(data: str = "1", channel: str = "news") -> bytes:
    return json.dumps({"name": "e", "channel": channel, "data": data}).encode()


def target(body: bytes, method: str = "POST", path: str = EVENTS, app: App = APP) -> str:
    return f"{path}?{sign(method, path, body, app)}"


def call(body: bytes | None = None, **headers: str) -> bytes:
    body = event() if body is None else body
    return request("POST", target(body), body, **headers)


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with running(request_timeout=0.5) as it:
        yield it


@pytest.fixture
async def http(server: Running) -> Http:
    return await Http.open(server.port)


@pytest.fixture
async def witness(server: Running) -> AsyncIterator[Client]:
    """A subscriber whom nothing of this may disturb."""
    async with await server.client() as client:
        await client.subscribe("news")
        yield client


class TestOrdinaryRequests:
    async def test_a_connection_is_kept(self, http: Http, witness: Client) -> None:
        for number in range(50):
            body = event(str(number))
            assert (await http.ask("POST", target(body), body)).status == 200
            assert await witness.event("e", "news") == number

    async def test_calls_may_be_sent_without_waiting_for_answers(self, http: Http, witness: Client) -> None:
        http.send(b"".join(call(event(str(number))) for number in range(40)))
        assert [(await http.response()).status for _ in range(40)] == [200] * 40
        assert [await witness.event("e", "news") for _ in range(40)] == list(range(40))

    async def test_answers_come_in_the_order_of_calls_also_when_some_take_longer(self, http: Http) -> None:
        path = f"/apps/{APP.id}/channels"
        ask = request("GET", target(b"", "GET", path))
        http.send(ask + call() + ask + call() + ask)
        answers = [(await http.response()).body for _ in range(5)]
        assert answers == [b'{"channels":{}}', b"{}", b'{"channels":{}}', b"{}", b'{"channels":{}}']

    @pytest.mark.parametrize("size", [1, 7, 64])
    async def test_packets_may_end_anywhere(self, http: Http, witness: Client, size: int) -> None:
        data = call() + call(event("2"))
        for start in range(0, len(data), size):
            http.send(data[start : start + size])
            await asyncio.sleep(0)
        assert [(await http.response()).status for _ in range(2)] == [200, 200]
        assert [await witness.event("e", "news") for _ in range(2)] == [1, 2]

    async def test_the_client_may_ask_for_the_connection_to_be_closed(self, http: Http) -> None:
        answer = await http.ask("POST", target(event()), event(), Connection="close")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await http.ended()

    async def test_answers_are_dated(self, http: Http) -> None:
        assert "gmt" in (await http.ask("POST", target(event()), event())).headers["date"]


class TestUnusualRequests:
    """They are uvicorn's, with all that follows on the connection."""

    async def test_another_path_on_the_same_connection(self, http: Http) -> None:
        assert (await http.ask("POST", target(event()), event())).status == 200
        assert (await http.ask("GET", "/hello")).body == b"/hello "
        assert (await http.ask("POST", target(event()), event())).status == 200

    async def test_a_call_and_another_path_in_one_packet(self, http: Http) -> None:
        http.send(call() + request("GET", "/hello") + call())
        assert [(await http.response()).body for _ in range(3)] == [b"{}", b"/hello ", b"{}"]

    async def test_a_socket_on_the_same_connection(self, server: Running, http: Http) -> None:
        assert (await http.ask("POST", target(event()), event())).status == 200
        client = Client(http.reader, http.writer, APP)
        http.send(
            request(
                "GET",
                f"/app/{APP.key}?protocol=7",
                Upgrade="websocket",
                Connection="Upgrade",
                Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
                Sec_WebSocket_Version="13",
            )
        )
        assert (await http.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await client.event("pusher:connection_established")
        await client.subscribe("news")

    async def test_a_body_in_chunks(self, http: Http, witness: Client) -> None:
        body = event()
        head = f"POST {target(body)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        http.send(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert (await http.response()).status == 200
        assert await witness.event("e", "news") == 1

    async def test_expect_100_continue(self, http: Http, witness: Client) -> None:
        body = event()
        head = f"POST {target(body)} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        http.send(head.encode())
        assert (await http.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        http.send(body)
        assert (await http.response()).status == 200
        assert await witness.event("e", "news") == 1

    async def test_who_is_refused_is_not_asked_for_the_body(self, http: Http) -> None:
        head = f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        http.send(head.encode())
        assert (await http.response()).status == 401

    async def test_http_1_0(self, http: Http, witness: Client) -> None:
        body = event()
        http.send(f"POST {target(body)} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert (await http.response()).status == 200
        assert await http.ended()


class TestBadInput:
    @pytest.mark.parametrize(
        "framing",
        [
            "Content-Length: {size}\r\nContent-Length: 0",
            "Content-Length: 0\r\nContent-Length: {size}",
            "Content-Length: {size}\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: {size}",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: xchunked\r\nContent-Length: {size}",
            "Content-Length : {size}",
            "Content-Length: {size}, 0",
            "Content-Length: -{size}",
            "X: y\nContent-Length: {size}",
            "X: y\r\n Content-Length: {size}",
        ],
    )
    async def test_a_request_whose_end_is_in_doubt_is_refused_and_nothing_behind_it_read(
        self, http: Http, witness: Client, framing: str
    ) -> None:
        body = event()
        head = f"POST {target(body)} HTTP/1.1\r\nHost: x\r\n{framing.format(size=len(body))}\r\n\r\n"
        http.send(head.encode() + body + call(event("2")))
        answers = (await asyncio.wait_for(http.reader.read(), 5)).split(b"HTTP/1.1 ")[1:]
        assert answers
        assert all(answer[:3] in {b"400", b"401", b"408"} for answer in answers), answers
        await witness.quiet()

    async def test_a_head_that_does_not_end(self, http: Http, witness: Client) -> None:
        http.send(f"POST {EVENTS}?".encode() + b"a" * (lean.MAX_HEAD + 10))
        assert (await http.response()).status == 431
        assert await http.ended()
        await witness.quiet()

    async def test_a_slow_head_is_408(self, http: Http, witness: Client) -> None:
        http.send(f"POST {EVENTS}".encode())
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert await http.ended()

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_a_slow_body_is_408_however_steadily_it_drips(
        self, http: Http, witness: Client, chunked: bool
    ) -> None:
        body = event("x" * 5_000)
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        http.send(f"POST {target(body)} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        dripping = asyncio.create_task(_drip(http, b"1\r\nx\r\n" if chunked else b"x"))
        assert (await http.response()).status == 408
        dripping.cancel()
        await witness.quiet()

    async def test_nothing_is_kept_of_a_body_that_nobody_signed(self, server: Running, http: Http) -> None:
        http.send(f"POST {EVENTS}?auth_key={APP.key} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n".encode())
        http.send(b"x" * 100_000)
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (401, "close")

    async def test_an_unsigned_call_with_its_whole_body_leaves_the_connection_in_order(self, http: Http) -> None:
        assert (await http.ask("POST", f"{EVENTS}?auth_key={APP.key}", event())).status == 401
        assert (await http.ask("POST", target(event()), event())).status == 200

    @pytest.mark.parametrize("size", [APP.max_body_size + 1, 100_000_000, 10**11])
    async def test_a_body_too_large_is_413_before_it_is_sent(self, http: Http, witness: Client, size: int) -> None:
        http.send(f"POST {target(b'x')} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        assert (await http.response()).status == 413
        await witness.quiet()

    async def test_a_body_in_chunks_that_grows_too_large_is_413(self, http: Http, witness: Client) -> None:
        http.send(f"POST {target(b'x')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        for _ in range(APP.max_body_size // 65_536 + 2):
            http.send(chunk)
        assert (await http.response()).status == 413
        await witness.quiet()

    async def test_garbage_after_a_call(self, http: Http, witness: Client) -> None:
        http.send(call() + b"\x16\x03\x01\x00\xff" * 50)
        assert (await http.response()).status == 200
        assert await http.ended()
        assert await witness.event("e", "news") == 1
        await witness.quiet()

    async def test_a_caller_who_leaves_in_the_middle(self, server: Running, witness: Client) -> None:
        for cut in (10, 60, len(call()) - 5):
            http = await Http.open(server.port)
            http.send(call()[:cut])
            await http.writer.drain()
            http.writer.transport.abort()
        await witness.quiet()

    async def test_a_caller_who_never_reads_is_not_read_either(self, server: Running, witness: Client) -> None:
        http = await Http.open(server.port)
        http.writer.transport.pause_reading()  # type: ignore[attr-defined]
        data = request("GET", f"{EVENTS}?auth_key=x") * 500
        stuck = asyncio.Event()

        async def flood() -> None:
            while not stuck.is_set():
                http.send(data)
                try:
                    await asyncio.wait_for(http.writer.drain(), 1)
                except TimeoutError:
                    stuck.set()

        await asyncio.wait_for(flood(), 60)
        await witness.quiet()


async def _drip(http: Http, drop: bytes) -> None:
    while True:
        http.send(drop)
        await asyncio.sleep(0.01)


async def test_a_connection_without_calls_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean.LeanEndpoint.__init__, "__kwdefaults__", {"request_timeout": 5.0, "keep_alive": 0.2})
    async with running() as server:
        http = await Http.open(server.port)
        for _ in range(3):
            assert (await http.ask("POST", target(event()), event())).status == 200
        assert await http.ended()


class SlowBroker(MemoryBroker):
    """Takes what it is given when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.taken: bool = True

    async def publish(self, messages: Sequence[Message]) -> bool:
        await self.gate.wait()
        return self.taken and await super().publish(messages)


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Running, SlowBroker]]:
    monkeypatch.setattr("kanal.realtime.api.core.MemoryBroker", type(None))
    broker = SlowBroker()
    async with running(broker=broker) as server:
        yield server, broker


async def test_calls_wait_in_line_for_a_broker_that_takes_its_time(slow: tuple[Running, SlowBroker]) -> None:
    server, broker = slow
    http = await Http.open(server.port)
    http.send(call() + call() + request("GET", "/hello"))
    await until(lambda: len(server.hub.channels) == 0)
    broker.gate.set()
    assert [(await http.response()).body for _ in range(3)] == [b"{}", b"{}", b"/hello "]


async def test_an_event_that_only_this_node_has_says_so(slow: tuple[Running, SlowBroker]) -> None:
    server, broker = slow
    broker.taken = False
    broker.gate.set()
    http = await Http.open(server.port)
    answer = await http.ask("POST", target(event()), event())
    assert (answer.status, answer.body, answer.headers["x-kanal-delivery"]) == (200, b"{}", "local")


async def test_a_server_that_drains_answers_and_closes(server: Running) -> None:
    http = await Http.open(server.port)
    assert (await http.ask("POST", target(event()), event())).status == 200
    server.front.turn_away()
    answer = await http.ask("POST", target(event()), event())
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await http.ended()


async def test_a_server_that_stops_closes_connections_that_ask_nothing() -> None:
    async with running() as server:
        http = await Http.open(server.port)
        assert (await http.ask("POST", target(event()), event())).status == 200
        ending = asyncio.create_task(http.ended())
    assert await ending


async def test_the_time_of_a_call_is_looked_at_when_it_comes(server: Running, http: Http) -> None:
    body = event()
    stale = f"{EVENTS}?{sign('POST', EVENTS, body, at=time.time() - 601)}"
    assert (await http.ask("POST", stale, body)).status == 401
