"""The client against servers that behave and servers that do not. It runs on uvloop, as Kanal does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kanal.realtime.webhooks import http
from kanal.realtime.webhooks.http import MAX_ANSWER, Address, Answer, Courier, PostFailed
from tests.support.tls import self_signed

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(size)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """``handler`` runs for each connection, which is closed after it. Gives the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except asyncio.IncompleteReadError:
            return  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answering(*answers: bytes) -> Handler:
    """One request after the other on each connection, then it is closed."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)

    return handler


@asynccontextmanager
async def courier(
    port: int, *, scheme: str = "http", host: str = "127.0.0.1", private: bool = True
) -> AsyncIterator[Courier]:
    made = Courier(Address(f"{scheme}://{host}:{port}/hook", {}), private=private)
    try:
        yield made
    finally:
        made.close()


async def post(made: Courier, within: float = 5.0) -> Answer:
    return await made.post(b"X-Test: 1\r\n", b"{}", within)


async def test_a_request_is_what_http_says() -> None:
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await read_request(reader))
        writer.write(OK)

    async with serving(handler) as port:
        address = Address(f"http://us%40er:pa%3Ass@127.0.0.1:{port}/a b/ü?q=ä b&r=%20", {"X-Team": "blue"})
        made = Courier(address)
        assert await made.post(b"X-Test: 1\r\n", b'{"a":1}', 5.0) == Answer(200)
        made.close()
    assert heard == [
        b"POST /a%%20b/%%C3%%BC?q=%%C3%%A4%%20b&r=%%20 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"Authorization: Basic dXNAZXI6cGE6c3M=\r\nX-Team: blue\r\nX-Test: 1\r\nContent-Length: 7\r\n\r\n"
        % port
        + b'{"a":1}'
    ]


async def test_one_connection_serves_many_requests() -> None:
    chunked = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    async with serving(answering(OK, OK, chunked, OK)) as port, courier(port) as made:
        assert [(await post(made)).status for _ in range(4)] == [200, 200, 500, 200]


async def test_a_connection_that_the_server_ended_while_it_was_idle_is_not_a_failure() -> None:
    async with serving(answering(OK)) as port, courier(port) as made:
        for _ in range(5):
            assert (await post(made)).status == 200


async def test_a_body_may_end_with_the_connection() -> None:
    async with serving(answering(b"HTTP/1.0 202 Fine\r\n\r\nthanks")) as port, courier(port) as made:
        assert await post(made) == Answer(202)
        assert await post(made) == Answer(202)


async def test_answers_that_announce_another_are_passed_over() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with serving(answering(early + OK, OK)) as port, courier(port) as made:
        assert [(await post(made)).status for _ in range(2)] == [200, 200]


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    followed = asyncio.Event()

    async def elsewhere(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        followed.set()

    async with serving(elsewhere) as other:
        answer = b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % other
        async with serving(answering(answer)) as port, courier(port) as made:
            assert await post(made) == Answer(307)
    assert not followed.is_set()


async def test_retry_after_is_handed_on() -> None:
    answer = b"HTTP/1.1 503 No\r\nretry-AFTER: 7\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as port, courier(port) as made:
        assert await post(made) == Answer(503, "7")


async def test_an_endless_answer_costs_the_connection_only() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        while not writer.is_closing():
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            sent += 1024
            assert sent < 100 * MAX_ANSWER
            try:
                await writer.drain()
            except ConnectionError:
                return

    async with serving(endless) as port, courier(port) as made:
        for _ in range(2):
            assert await post(made) == Answer(200)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_a_failure(answer: bytes) -> None:
    async with serving(answering(answer)) as port, courier(port) as made:
        with pytest.raises(PostFailed):
            await post(made)


async def test_a_server_that_keeps_silent_or_drips_is_a_failure_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(drip) as port, courier(port) as made:
        with pytest.raises(PostFailed, match=r"no answer within 0\.3 s"):
            await post(made, within=0.3)


async def test_nobody_listening_is_a_failure() -> None:
    async with serving(answering()) as port:
        pass
    async with courier(port) as made:
        with pytest.raises(PostFailed):
            await post(made)


async def test_a_host_that_has_no_address_is_a_failure() -> None:
    async with courier(1, host="a" * 64 + ".invalid") as made:
        with pytest.raises(PostFailed):
            await post(made)


async def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = self_signed(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serving(answering(OK, OK), context) as port:
        async with courier(port, scheme="https", host="localhost") as made:
            with pytest.raises(PostFailed, match="certificate"):
                await post(made)
        monkeypatch.setattr(http, "_tls", lambda: ssl.create_default_context(cafile=str(certificate)))
        async with courier(port, scheme="https", host="localhost") as made:
            assert [(await post(made)).status for _ in range(2)] == [200, 200]
        async with courier(port, scheme="https", host="127.0.0.1") as made:
            with pytest.raises(PostFailed, match="certificate"):
                await post(made)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00::1]",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
async def test_hosts_that_the_internet_does_not_reach_can_be_refused(host: str) -> None:
    """By the address that is connected to, whatever its name says."""
    async with courier(80, host=host, private=False) as made:
        with pytest.raises(PostFailed, match="not on the public internet"):
            await post(made)


def test_addresses_are_shown_without_secrets() -> None:
    address = Address("https://user:secret@example.com/hook?token=secret", {"Authorization": "secret"})
    assert address.public == "https://example.com/hook"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://example.com", "example.com", 80),
        ("https://example.com/", "example.com", 443),
        ("https://[2001:db8::1]:8443/x", "2001:db8::1", 8443),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
    ],
)
def test_where_an_address_leads(url: str, host: str, port: int) -> None:
    address = Address(url, {})
    assert (address.host, address.port) == (host, port)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://example.com", {}),
        ("http:///path", {}),
        ("http://example.com:port/", {}),
        ("http://example.com/", {"X-Evil": "a\r\nX-Pusher-Key: b"}),
        ("http://example.com/", {"X Evil": "a"}),
        ("http://example.com/", {"": "a"}),
        ("http://example.com/", {"X-Smile": "☺"}),
    ],
)
def test_what_cannot_be_sent_is_refused(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"address|header|Port|port"):
        Address(url, headers)
