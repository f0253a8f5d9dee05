"""The port: handshakes, refusals, one port for two protocols, and clients that misbehave."""

import asyncio
import contextlib
import datetime
import json
import ssl
import struct
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kanal.realtime.apps import App
from kanal.realtime.protocol import connection
from tests.realtime.harness import (
    APP,
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    WAIT,
    Client,
    Running,
    dial,
    frame,
    handshake,
    running,
    until,
)


class TestHandshake:
    async def test_the_first_message_is_the_socket_id(self, server: Running) -> None:  # F-RT-01
        async with await Client.connect(server.port) as client:
            data = await client.event("pusher:connection_established")
            assert data["activity_timeout"] == 120
            whole, _, fraction = data["socket_id"].partition(".")
            assert whole.isdigit()
            assert fraction.isdigit()

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/app/unknown?protocol=7", 4001),
            ("/app/test-key", 4008),
            ("/app/test-key?client=js", 4008),
            ("/app/test-key?protocol=", 4008),
            ("/app/test-key?protocol=seven", 4006),
            ("/app/test-key?protocol=-7", 4006),
            ("/app/test-key?protocol=4", 4007),
            ("/app/test-key?protocol=8", 4007),
            ("/app/test-key?protocol=" + "7" * 5_000, 4007),
            ("/app/", 4005),
            ("/app/test-key/more?protocol=7", 4005),
            ("/app/%FF?protocol=7", 4001),
            ("/app/test-key?" + "&".join("a=1" for _ in range(100)), 4006),
        ],
    )
    async def test_it_is_accepted_only_to_say_why_not(self, server: Running, path: str, code: int) -> None:
        async with await Client.connect(server.port, path=path) as client:
            assert (await client.event("pusher:error"))["code"] == code
            assert await client.closed() == code
        assert server.hub.refused == 1

    @pytest.mark.parametrize("protocol", [5, 6, 7])
    async def test_the_protocols_of_the_official_clients_are_spoken(self, server: Running, protocol: int) -> None:
        async with await Client.connect(server.port, path=f"/app/test-key?protocol={protocol}") as client:
            await client.event("pusher:connection_established")

    async def test_a_disabled_app_is_4003(self) -> None:  # F-RT-07
        async with (
            running(App(id="1", key="off", secret="s", enabled=False)) as server,
            await Client.connect(server.port, path="/app/off?protocol=7") as client,
        ):
            await client.event("pusher:error")
            assert await client.closed() == 4003

    @pytest.mark.parametrize(
        ("origin", "accepted"),
        [
            ("https://chat.example.com", True),
            ("https://CHAT.example.com:8443", True),
            ("http://localhost:5173", True),
            ("http://localhost:5174", False),
            ("https://example.org", False),
            ("https://example.com.evil.org", False),
            ("null", False),
            ("", False),
            ("http://[", False),
            (None, True),
        ],
    )
    async def test_a_foreign_origin_is_4009(self, origin: str | None, accepted: bool) -> None:  # F-RT-07
        app = App(id="1", key="k", secret="s", allowed_origins=("*.example.com", "http://localhost:5173"))
        headers = {} if origin is None else {"Origin": origin}
        async with running(app) as server, await Client.connect(server.port, app, **headers) as client:
            if accepted:
                await client.event("pusher:connection_established")
            else:
                assert (await client.event("pusher:error"))["code"] == 4009
                assert await client.closed() == 4009

    async def test_connections_over_the_apps_quota_are_4004_and_room_is_made_again(self) -> None:  # F-RT-07
        app = App(id="1", key="k", secret="s", max_connections=2)
        async with running(app) as server, await server.client(app), await server.client(app) as second:
            async with await Client.connect(server.port, app) as third:
                await third.event("pusher:error")
                assert await third.closed() == 4004
            await second.bye()
            await until(lambda: len(server.hub.connections) == 1)
            async with await server.client(app):
                pass

    async def test_connections_over_the_nodes_capacity_are_4100(self) -> None:
        async with (
            running(max_connections=1) as server,
            await server.client(),
            await Client.connect(server.port) as second,
        ):
            await second.event("pusher:error")
            assert await second.closed() == 4100

    async def test_a_handshake_that_never_ends_is_cut_off(self) -> None:
        async with running(handshake_timeout=0.2) as server:
            for beginning in (b"", b"GET", b"GET /app/test-key?protocol=7 HTTP/1.1\r\nUpgrade: web"):
                reader, writer = await dial(server.port)
                writer.write(beginning)
                assert await asyncio.wait_for(reader.read(), WAIT) == b""
                writer.close()

    async def test_an_endless_head_is_refused(self, server: Running) -> None:
        reader, writer = await dial(server.port)
        writer.write(b"GET /app/test-key?protocol=7 HTTP/1.1\r\nUpgrade: websocket\r\nX: " + b"x" * 200_000)
        async with asyncio.timeout(WAIT):
            with contextlib.suppress(ConnectionResetError):
                assert (await reader.read()).startswith(b"HTTP/1.1 431")
        writer.close()

    @pytest.mark.parametrize("missing", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
    async def test_an_incomplete_websocket_request_is_400(self, server: Running, missing: str) -> None:
        request = b"".join(
            line + b"\r\n"
            for line in handshake("/app/test-key?protocol=7").split(b"\r\n")[:-1]
            if not line.startswith(missing.encode())
        )
        reader, writer = await dial(server.port)
        writer.write(request)
        assert (await asyncio.wait_for(reader.read(), WAIT)).startswith(b"HTTP/1.1 400")
        writer.close()
        await until(lambda: not server.hub.connections)


class TestOnePort:
    async def test_http_goes_to_the_web_side(self, server: Running) -> None:
        assert await _http(server, b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b"/hello "

    async def test_plain_http_below_the_socket_path_does_too(self, server: Running) -> None:
        assert await _http(server, b"GET /app/page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b"/app/page "

    @pytest.mark.parametrize("path", ["/app/test-key?protocol=7", "/hello"])
    async def test_the_first_bytes_may_come_one_by_one(self, server: Running, path: str) -> None:
        reader, writer = await dial(server.port)
        request = handshake(path) if "app" in path else b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        for byte in request:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)
        assert answer.startswith(b"HTTP/1.1 101" if "app" in path else b"HTTP/1.1 200")
        writer.close()

    async def test_the_first_message_may_come_with_the_handshake(self, server: Running) -> None:
        reader, writer = await dial(server.port)
        ping = frame(TEXT, b'{"event":"pusher:ping","data":{}}')
        writer.write(handshake("/app/test-key?protocol=7") + ping)
        await reader.readuntil(b"\r\n\r\n")
        client = Client(reader, writer, APP)
        await client.event("pusher:connection_established")
        await client.event("pusher:pong")
        await client.drop()

    async def test_a_connection_kept_alive_for_http_may_still_become_a_socket(self, server: Running) -> None:
        reader, writer = await dial(server.port)
        for path in ("/one", "/app/two"):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(path) + 1) == f"{path} ".encode()
        writer.write(handshake("/app/test-key?protocol=7"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        client = Client(reader, writer, APP)
        client.socket_id = (await client.event("pusher:connection_established"))["socket_id"]
        async with await server.member("presence-a", "budi"):
            await client.subscribe("presence-a", {"user_id": "ayu"})
            await client.quiet()
        await client.bye()
        await until(lambda: not server.hub.connections)

    async def test_a_socket_elsewhere_is_404(self, server: Running) -> None:
        reader, writer = await dial(server.port)
        writer.write(handshake("/elsewhere"))
        assert (await asyncio.wait_for(reader.read(), WAIT)).startswith(b"HTTP/1.1 404")
        writer.close()

    async def test_tls_carries_both(self, tmp_path: Path) -> None:
        certificate, key = _certificate(tmp_path)
        context = ssl.create_default_context(cafile=str(certificate))
        async with running(config={"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}) as server:
            reader, writer = await dial(server.port, host="localhost", ssl=context)
            writer.write(handshake("/app/test-key?protocol=7"))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            client = Client(reader, writer, APP)
            client.socket_id = (await client.event("pusher:connection_established"))["socket_id"]
            await client.subscribe("private-a")
            for number in range(50):
                server.hub.apply(next(iter(server.hub.connections.values())), ())
                client.send("pusher:ping", {"n": number})
                await client.event("pusher:pong")
            await client.drop()
            reader, writer = await dial(server.port, host="localhost", ssl=context)
            writer.write(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)).startswith(b"HTTP/1.1 200")
            writer.close()


async def _http(server: Running, request: bytes) -> bytes:
    reader, writer = await dial(server.port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), WAIT)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    return answer.partition(b"\r\n\r\n")[2]


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


class TestFrames:
    async def test_a_ping_frame_is_answered_with_its_payload(self, server: Running) -> None:
        async with await server.client() as client:
            client.raw(frame(PING, b"hello"))
            assert await client.frame() == (PONG, b"hello")

    async def test_fragments_make_one_message_and_pings_may_come_between(self, server: Running) -> None:
        async with await server.client() as client:
            text = b'{"event":"pusher:ping","data":{}}'
            client.raw(frame(TEXT, text[:5], fin=False) + frame(0, text[5:9], fin=False))
            client.raw(frame(PING, b"") + frame(0, text[9:]))
            assert (await client.frame())[0] == PONG
            await client.event("pusher:pong")

    async def test_a_close_frame_is_answered(self, server: Running) -> None:
        async with await server.client() as client:
            client.raw(frame(CLOSE, struct.pack("!H", 4123) + b"bye"))
            assert await client.closed() == 1000
            await until(lambda: not server.hub.connections)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(TEXT, b"\xff\xfe"), 1007),
            (frame(BINARY, b"{}"), 1003),
            (frame(BINARY, b"{}", fin=False), 1003),
            (frame(0, b"{}"), 1002),
            (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
            (frame(TEXT, b"{}", rsv=4), 1002),
            (frame(TEXT, b"{}", masked=False), 1002),
            (frame(3, b"{}"), 1002),
            (frame(11, b"{}"), 1002),
            (frame(PING, b"x" * 126), 1002),
            (frame(PING, b"", fin=False), 1002),
            (frame(CLOSE, b"x"), 1002),
            (frame(CLOSE, struct.pack("!H", 1005)), 1002),
            (frame(TEXT, b"x" * 200_000), 1009),
            (b"\x81\xff" + struct.pack("!Q", 100 * 1024 * 1024) + b"mask", 1009),
            (b"\x81\xff" + struct.pack("!Q", 1 << 63) + b"mask", 1002),
            (frame(TEXT, b"x" * 50_000, fin=False) + frame(0, b"x" * 50_000), 1009),
            (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 2_000, 1009),
        ],
        ids=lambda value: value if isinstance(value, int) else value[:4].hex(),
    )
    async def test_a_broken_one_closes_this_connection_and_no_other(
        self, server: Running, data: bytes, code: int
    ) -> None:
        async with await server.client() as bystander, await server.client() as client:
            await bystander.subscribe("presence-a", {"user_id": "ayu"})
            await client.subscribe("presence-a", {"user_id": "budi"})
            await bystander.event("pusher_internal:member_added", "presence-a")
            client.raw(data)
            assert await client.closed() == code
            assert (await bystander.event("pusher_internal:member_removed", "presence-a"))["user_id"] == "budi"
            await bystander.quiet()
            await until(lambda: len(server.hub.connections) == 1)

    async def test_malformed_text_is_answered_and_the_connection_goes_on(self, server: Running) -> None:
        async with await server.client() as client:
            for text in (
                "{",
                "[]",
                '{"event":1}',
                '{"event":"pusher:subscribe","data":{"channel":"a b"}}',
                "[" * 60_000,
            ):
                client.text(text)
                await client.event("pusher:error")
            await client.subscribe("news")

    async def test_thousands_of_broken_messages_disturb_nobody(self, server: Running) -> None:
        async with await server.client() as bystander, await server.client() as client:
            await bystander.subscribe("news")
            for _ in range(3_000):
                client.text("{")
            for _ in range(3_000):
                await client.event("pusher:error")
            await bystander.quiet()


class TestClientEvents:
    async def test_they_reach_the_others_and_never_the_sender(self, server: Running) -> None:  # F-RT-03
        async with await server.client() as ayu, await server.client() as budi:
            await ayu.subscribe("private-a")
            await budi.subscribe("private-a")
            ayu.send("client-a", {"n": 1}, "private-a")
            budi.send("client-b", "text", "private-a")
            assert await budi.event("client-a", "private-a") == {"n": 1}
            message = await ayu.next()
            assert message == {"event": "client-b", "channel": "private-a", "data": "text"}
            await ayu.quiet()
            await budi.quiet()

    async def test_many_senders_within_one_tick_get_all_but_their_own(self, server: Running) -> None:
        clients = [await server.client() for _ in range(5)]
        for client in clients:
            await client.subscribe("private-a")
        for index, client in enumerate(clients):
            for number in range(3):
                client.send("client-n", f"{index}.{number}", "private-a")
        for index, client in enumerate(clients):
            got = [(await client.next())["data"] for _ in range(12)]
            assert sorted(got) == [f"{other}.{n}" for other in range(5) for n in range(3) if other != index]
            for other in range(5):
                mine = [data for data in got if data.startswith(f"{other}.")]
                assert mine == sorted(mine)
            await client.quiet()
            await client.drop()

    async def test_beyond_ten_a_second_is_4301_without_closing(self, server: Running) -> None:  # F-RT-03
        async with await server.client() as ayu, await server.client() as budi:
            await ayu.subscribe("private-a")
            await budi.subscribe("private-a")
            ayu.raw(b"".join(_client_event(number) for number in range(15)))  # at once: time gives back what was used
            codes = [(await ayu.event("pusher:error"))["code"] for _ in range(5)]
            assert codes == [4301] * 5
            await ayu.quiet()
            assert [json.loads((await budi.next())["data"]) for _ in range(10)] == list(range(10))
            await budi.quiet()


def _client_event(number: int) -> bytes:
    return frame(TEXT, json.dumps({"event": "client-n", "channel": "private-a", "data": number}).encode())


async def test_a_silent_client_is_pinged_and_closed_with_4201(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_SLACK", -1.0)
    app = App(id="1", key="k", secret="s", activity_timeout=1, pong_timeout=0)
    async with running(app, sweep_interval=0.05) as server, await Client.connect(server.port, app) as client:
        await client.event("pusher:connection_established")
        assert (await client.next())["event"] == "pusher:ping"
        assert (await client.frame())[0] == PING
        assert (await client.event("pusher:error"))["code"] == 4201
        assert await client.closed() == 4201


async def test_a_drain_sends_everybody_away_with_4200_spread_over_the_window(server: Running) -> None:  # F-RT-09
    clients = [await server.client() for _ in range(10)]
    started = asyncio.get_running_loop().time()
    draining = asyncio.create_task(server.front.drain(1.0))
    for client in clients:
        await client.event("pusher:error")
        assert await client.closed() == 4200
        if client is clients[0]:
            assert not draining.done(), "the first one goes while others stay"
    assert asyncio.get_running_loop().time() - started > 0.8
    await draining
    async with await Client.connect(server.port) as late:
        await late.event("pusher:error")
        assert await late.closed() == 4100
    for client in clients:
        await client.drop()
