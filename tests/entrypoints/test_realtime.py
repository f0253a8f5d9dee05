"""`kanal realtime` as a person runs it: F-RT-07, F-RT-09, F-RT-10."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kanal.realtime.apps import App
from tests.entrypoints.test_commands import kanal, only_line
from tests.realtime.api.caller import Caller, sign
from tests.realtime.harness import Client, handshake, hang_up
from tests.support.kanal_process import KanalProcess

Processes = Callable[..., KanalProcess]
SHOP = App(id="1001", key="shop-key", secret="shop-secret-hush")
ALONE = {"KANAL_SECRET_KEYS": "", "KANAL_DATA": ""}
ONE_APP = {
    "KANAL_REALTIME_APP_ID": SHOP.id,
    "KANAL_REALTIME_APP_KEY": SHOP.key,
    "KANAL_REALTIME_APP_SECRET": SHOP.secret,
}
WAIT = 30.0  # seconds; only a failure takes as long


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.02)


async def until_accepted(api: Caller, channels: list[str]) -> None:
    """Until the server knows what the database says of the app."""
    async with asyncio.timeout(WAIT):
        while (await api.trigger(channels, "e", 1)).status != 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.2)


@pytest.fixture
async def opened() -> Any:
    """Closes what tests leave open."""
    yield
    await hang_up()


@pytest.fixture
def server(kanal_process: Processes) -> KanalProcess:
    return kanal_process("realtime", **ALONE, **ONE_APP).start()


@pytest.mark.usefixtures("opened")
class TestAlone:
    async def test_clients_and_servers_of_another_application_use_it(self, server: KanalProcess) -> None:
        client = await Client.open(server.port, SHOP)
        await client.subscribe("orders")
        api = await Caller.open(server.port, app=SHOP)
        assert (await api.trigger("orders", "paid", {"order": 7})).status == 200
        assert await client.event("paid", "orders") == {"order": 7}
        assert (await api.get("/channels")).json == {"channels": {"orders": {}}}

    def test_it_greets_and_writes_no_file_and_no_secret(self, server: KanalProcess) -> None:
        text = server.log_tail()
        for part in (
            f"ws://127.0.0.1:{server.port}",
            "1001  key shop-key",
            "memory: this process alone",
            "descriptors",
        ):
            assert part in text
        assert "hush" not in text
        assert [each.name for each in server.folder.iterdir()] == ["kanal.log"]

    def test_health_and_metrics(self, server: KanalProcess) -> None:
        for path in ("/health/live", "/health/ready"):
            answer = httpx.get(server.url + path)
            assert (answer.status_code, answer.json()["status"], answer.json()["broker"]) == (200, "ok", "ok")
            assert httpx.head(server.url + path).content == b""
        path = f"/apps/{SHOP.id}/channels"
        httpx.get(f"{server.url}{path}?{sign('GET', path, app=SHOP)}")
        httpx.get(f"{server.url}{path}")
        metrics = httpx.get(server.url + "/metrics").text
        assert 'kanal_api_calls_total{app="1001",call="channels",status="200"} 1.0' in metrics
        assert 'kanal_api_calls_total{app="",call="",status="401"} 1.0' in metrics
        assert "kanal_sockets 0.0" in metrics
        assert httpx.get(server.url + "/").status_code == 404
        assert httpx.post(server.url + "/metrics").status_code == 405

    async def test_sockets_are_counted_by_app(self, server: KanalProcess) -> None:
        client = await Client.open(server.port, SHOP)
        await client.subscribe("orders")
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(server.url + "/metrics")).text
        assert 'kanal_app_sockets{app="1001"} 1.0' in metrics
        assert 'kanal_app_channels{app="1001"} 1.0' in metrics

    def test_metrics_can_be_turned_off(self, kanal_process: Processes) -> None:
        server = kanal_process("realtime", KANAL_REALTIME_METRICS="false", **ALONE, **ONE_APP).start()
        assert httpx.get(server.url + "/metrics").status_code == 404

    async def test_limits_of_the_node(self, kanal_process: Processes) -> None:
        server = kanal_process("realtime", KANAL_REALTIME_MAX_CONNECTIONS="1", **ALONE, **ONE_APP).start()
        await Client.open(server.port, SHOP)
        late = await Client.connect(server.port, SHOP)
        assert (await late.event("pusher:error"))["code"] == 4100
        assert await late.closed() == 4100


@pytest.mark.usefixtures("opened")
class TestEnding:
    async def test_clients_are_sent_away_and_the_process_ends(self, server: KanalProcess) -> None:
        clients = [await Client.open(server.port, SHOP) for _ in range(20)]
        ending = asyncio.create_task(asyncio.to_thread(server.stop))
        for client in clients:
            await client.event("pusher:error")
            assert await client.closed() == 4200
        assert await ending == 0
        assert '"event": "node.draining"' in server.log_tail()

    async def test_a_second_signal_ends_it_at_once(self, kanal_process: Processes) -> None:
        server = kanal_process("realtime", KANAL_REALTIME_DRAIN_WINDOW="60", **ALONE, **ONE_APP).start()
        for _ in range(1_500):  # at 500 a second the drain takes three seconds
            await Client.connect(server.port, SHOP)
        server.signal(signal.SIGTERM)
        await until(lambda: "node.draining" in server.log_tail())
        started = time.monotonic()
        server.signal(signal.SIGTERM)
        status = await asyncio.to_thread(server.wait)
        assert status == 128 + signal.SIGTERM
        assert time.monotonic() - started < 2.5


class TestWhatCannotStart:
    @pytest.mark.parametrize(
        ("settings", "complaint"),
        [
            ({}, "no apps to serve: set KANAL_REALTIME_APP_ID"),
            ({"KANAL_REALTIME_APP_ID": "1"}, "KANAL_REALTIME_APP_KEY: an app needs id, key and secret"),
            ({"KANAL_REALTIME_APPS": "[{}]"}, "KANAL_REALTIME_APPS: app ?: Object missing required field"),
            ({"KANAL_REALTIME_APPS": "{"}, "KANAL_REALTIME_APPS: this is not JSON"),
            ({"KANAL_REALTIME_APPS_FILE": "none.toml"}, "KANAL_REALTIME_APPS_FILE: "),
            (ONE_APP | {"KANAL_REALTIME_BROKER_URL": "kafka://x"}, "KANAL_REALTIME_BROKER_URL: must begin with"),
            (ONE_APP | {"KANAL_TLS_CERTIFICATE": "none.pem"}, "KANAL_TLS_CERTIFICATE: "),
            (ONE_APP | {"KANAL_TLS_KEY": "none.pem"}, "KANAL_TLS_CERTIFICATE: needed with KANAL_TLS_KEY"),
            (ONE_APP | {"KANAL_REALTIME_DRAIN_WINDOW": "-1"}, "KANAL_REALTIME_DRAIN_WINDOW: "),
            (
                ONE_APP | {"KANAL_DATABASE_URL": "sqlite:////none/x.db"},
                "KANAL_SECRET_KEYS: needed with KANAL_DATABASE_URL",
            ),
        ],
    )
    def test_it_says_in_one_line_what_to_set(self, tmp_path: Path, settings: dict[str, str], complaint: str) -> None:
        line = only_line(kanal(tmp_path, "realtime", **(ALONE | {"KANAL_PORT": "0"} | settings)))
        assert line.startswith(f"kanal: {complaint}")


@pytest.mark.usefixtures("opened")
class TestApps:
    def write(self, path: Path, *apps: dict[str, Any]) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"apps": apps}))
        fresh.replace(path)

    async def test_a_file_is_followed_and_connections_with_it(self, kanal_process: Processes, tmp_path: Path) -> None:
        path = tmp_path / "apps.json"
        shop = {"id": SHOP.id, "key": SHOP.key, "secret": SHOP.secret}
        other = {"id": "2", "key": "two", "secret": "s"}
        self.write(path, shop, other)
        server = kanal_process("realtime", KANAL_REALTIME_APPS_FILE=str(path), **ALONE).start()
        client = await Client.open(server.port, SHOP)
        stays = await Client.open(server.port, App(id="2", key="two", secret="s"))
        self.write(path, shop | {"enabled": False}, other)
        assert (await client.event("pusher:error"))["code"] == 4003
        assert await client.closed() == 4003
        await stays.quiet()
        path.write_text("{")
        await until(lambda: "apps.file_unusable" in server.log_tail())
        await stays.quiet()
        self.write(path, shop)
        assert (await stays.event("pusher:error"))["code"] == 4001
        back = await Client.open(server.port, SHOP)
        await back.quiet()

    async def test_apps_of_the_database_are_made_by_hand(self, kanal_process: Processes, tmp_path: Path) -> None:
        def app(*arguments: str) -> str:
            done = kanal(tmp_path, "app", *arguments, KANAL_DATABASE_URL=url)
            assert done.returncode == 0, done.stderr
            return done.stdout

        url = f"sqlite:///{tmp_path / 'kanal.db'}"
        made = dict(line.split() for line in app("create", "Shop", "-s", "max_event_channels=2").splitlines())
        shop = App(id=made["id"], key=made["key"], secret=made["secret"])
        assert app("list") == f"{shop.id}  {shop.key}  Shop\n"
        server = kanal_process("realtime", KANAL_DATABASE_URL=url, KANAL_DATA="").start()
        client = await Client.open(server.port, shop)
        api = await Caller.open(server.port, app=shop)
        assert (await api.trigger(["a", "b", "c"], "e", 1)).status == 400
        await asyncio.to_thread(app, "set", shop.id, "-s", "max_event_channels=3")
        await until_accepted(api, ["a", "b", "c"])
        fresh = dict(line.split() for line in (await asyncio.to_thread(app, "rotate-secret", shop.id)).splitlines())
        new = App(id=shop.id, key=shop.key, secret=fresh["secret"])
        api = await Caller.open(server.port, app=new)
        await until_accepted(api, ["a"])
        await client.quiet()
        await asyncio.to_thread(app, "disable", shop.id)
        assert (await client.event("pusher:error"))["code"] == 4003
        app("delete", "--yes", shop.id)
        assert app("list") == ""
        assert made["secret"] not in (tmp_path / "kanal.db").read_bytes().decode("latin-1")

    def test_a_wrong_option_is_named(self, tmp_path: Path) -> None:
        for option, complaint in (("colour=1", "'colour' is none of"), ("max_connections=many", "max_connections")):
            done = kanal(tmp_path, "app", "create", "-s", option)
            assert done.returncode == 2
            assert complaint in done.stderr

    def test_an_app_that_is_not_there_is_named_in_words(self, tmp_path: Path) -> None:
        assert only_line(kanal(tmp_path, "app", "disable", "404")) == "kanal: There is no app with this id."

    async def test_in_a_cluster_it_serves_kanals_own_app(
        self, kanal_process: Processes, redis_url: str, tmp_path: Path
    ) -> None:
        """A page that signed in at `kanal serve` opens its socket at `kanal realtime`."""
        shared = {"KANAL_REDIS_URL": redis_url, "KANAL_REDIS_PREFIX": f"{tmp_path.name}:"}
        web = kanal_process("serve", **shared).start()
        sockets = kanal_process("realtime", KANAL_DATA="", **shared).start()
        line = next(line for line in sockets.log_tail().splitlines() if "  key " in line)
        key = line.split("key ")[1].strip()
        there, here = [await Client.connect(each.port, App(id="1", key=key, secret="?")) for each in (web, sockets)]
        for client in (there, here):
            await client.event("pusher:connection_established")
            client.send("pusher:subscribe", {"channel": "cache-x"})
            await client.event("pusher_internal:subscription_succeeded", "cache-x")


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return chain, secret


async def served_name(port: int) -> str:
    """Of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    (attribute,) = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


async def test_tls_and_a_certificate_that_is_renewed(kanal_process: Processes, tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path, "first")
    server = kanal_process("realtime", KANAL_TLS_CERTIFICATE=str(chain), KANAL_TLS_KEY=str(key), **ALONE, **ONE_APP)
    server.spawn()
    await until(lambda: "Ctrl-C stops" in server.log_tail())
    assert f"wss://127.0.0.1:{server.port}" in server.log_tail()
    trust = ssl.create_default_context(cafile=chain)

    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
    writer.write(handshake(f"/app/{SHOP.key}?protocol=7"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    client = Client(reader, writer, SHOP)
    client.socket_id = (await client.event("pusher:connection_established"))["socket_id"]
    await client.subscribe("private-orders")

    path = f"/apps/{SHOP.id}/events"
    async with httpx.AsyncClient(verify=trust) as http:
        for number in range(3):
            body = json.dumps({"name": "paid", "channel": "private-orders", "data": "x" * 5_000 + str(number)}).encode()
            url = f"https://127.0.0.1:{server.port}{path}?{sign('POST', path, body, SHOP)}"
            assert (await http.post(url, content=body)).json() == {}
            message = await client.next()
            assert message["data"] == "x" * 5_000 + str(number)
        assert (await http.get(f"https://127.0.0.1:{server.port}/health/ready")).status_code == 200

    chain.write_text("broken")
    server.signal(signal.SIGHUP)
    await until(lambda: "tls.unusable" in server.log_tail())
    assert await served_name(server.port) == "first"
    make_certificate(tmp_path, "second")
    server.signal(signal.SIGHUP)
    await until(lambda: "tls.read" in server.log_tail())
    assert await served_name(server.port) == "second"
    await client.quiet()
    writer.close()
    assert await asyncio.to_thread(server.stop) == 0


def test_the_database_is_not_loaded_where_there_is_none() -> None:
    """It would be half of the memory of an idle server."""
    code = "import sys, kanal.entrypoints.cli, kanal.entrypoints.realtime, kanal.kit.logs; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "litestar", "alembic", "redis"} & set(loaded)
