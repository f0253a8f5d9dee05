"""How servers are named: every form of a URL, what is wrong with others, passwords, TLS and sockets."""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kanal.realtime.brokers import connect
from kanal.realtime.brokers.base import Message
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.brokers.redis.address import Address, Credentials, Kind, parse
from tests.conftest import or_skip
from tests.realtime.brokers.conftest import Recorder, node, subscribed
from tests.realtime.harness import until
from tests.support.services import Redis, SharedServices, free_port


def test_one_server() -> None:
    options = parse("redis://kanal:p%40ss@cache.internal:7000/3")
    assert options.kind is Kind.SINGLE
    assert options.hosts == (Address("cache.internal", 7000),)
    assert options.credentials == Credentials("kanal", "p@ss")
    assert options.database == 3
    assert options.tls is None
    assert parse("redis://[::1]").hosts == (Address("::1", 6379),)
    assert parse("unix:///run/redis.sock?db=2").hosts == (Address("/run/redis.sock", 0),)
    assert parse("rediss://cache").tls is not None


def test_sentinels_and_clusters() -> None:
    options = parse("redis+sentinel://:secret@s1,s2:26380/kanal/1?sentinel_password=other")
    assert options.hosts == (Address("s1", 26379), Address("s2", 26380))
    assert (options.service, options.database) == ("kanal", 1)
    assert options.credentials == Credentials("", "secret")
    assert options.sentinel_credentials == Credentials("", "other")
    options = parse("rediss+cluster://c1,[2001:db8::1]:7001,c3:7002?ssl_cert_reqs=none")
    assert options.hosts == (Address("c1", 6379), Address("2001:db8::1", 7001), Address("c3", 7002))
    assert options.tls is not None


@pytest.mark.parametrize("url", [None, "", "memory:", "memory://"])
def test_no_server_is_this_process(url: str | None) -> None:
    assert isinstance(connect(url, node="one"), MemoryBroker)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://cache", "unknown scheme"),
        ("redis+other://cache", "unknown scheme"),
        ("redis://", "host is missing"),
        ("redis://a,b", "several hosts"),
        ("redis://:hush@cache:port", "not a port"),
        ("redis://cache:70000", "not a port"),
        ("redis://:hush@cache/zero", "number of the database"),
        ("redis://:hush@cache/0/1", "number of the database"),
        ("redis://:hush@cache?timeout=3", "unknown options timeout"),
        ("redis+sentinel://:hush@s1", "name of the service"),
        ("redis+cluster://:hush@c1/1", "database 0 only"),
        ("rediss://:hush@cache?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as failure:
        connect(url, node="one")
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize("prefix", ["a{b", "}"])
def test_a_prefix_cannot_be_a_hash_tag(prefix: str) -> None:
    with pytest.raises(ValueError, match="braces"):
        connect("redis+cluster://c1", node="one", prefix=prefix)


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(days=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


async def works(url: str) -> None:
    async with node(connect(url, node="one")) as (one, _), node(connect(url, node="two")) as (two, heard):
        await subscribed(two, "1:a")
        assert await one.publish([Message("1:a", b"x")])
        await until(lambda: heard.messages == [("1:a", b"x")])


async def test_passwords_sockets_and_tls(
    shared_services: SharedServices, database_name: Callable[[], str], tmp_path: Path
) -> None:
    certified, private = certificate(tmp_path)
    socket = tmp_path / "redis.sock"
    options = ["--requirepass", "p@ss", "--unixsocket", str(socket), "--databases", "4"]
    tls = ["--tls-cert-file", str(certified), "--tls-key-file", str(private), "--tls-auth-clients", "no"]
    with or_skip():
        plain = shared_services.start(Redis(options=options), f"redis-{database_name()}")
        await works(f"redis://:p%40ss@127.0.0.1:{plain.port}/3")
        await works(f"unix://:p%40ss@{socket}")
        broker = connect(f"redis://:wrong@127.0.0.1:{plain.port}", node="one")
        await broker.start(Recorder())
        assert not broker.connected
        await broker.stop()
        await asyncio.to_thread(plain.stop)
        port = free_port()  # the other one is for the test's own look whether it has started
        secure = shared_services.start(Redis(options=["--tls-port", str(port), *tls]), f"redis-{database_name()}")
        address = f"rediss://localhost:{port}"
        await works(f"{address}?ssl_ca_certs={certified}")
        await works(f"{address}?ssl_cert_reqs=none")
        broker = connect(address, node="one")
        await broker.start(Recorder())
        assert not broker.connected, "nobody vouches for that certificate"
        await broker.stop()
        await asyncio.to_thread(secure.stop)


async def test_a_server_that_is_not_redis_is_tried_again_and_does_no_harm() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"+OK\r\n" * 100)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        broker = connect(f"redis://127.0.0.1:{port}", node="one")
        heard = Recorder()
        await broker.start(heard)
        assert not broker.connected
        assert not await broker.publish([Message("1:a", b"x")])
        await broker.stop()
        assert (heard.restorations, heard.losses) == (0, 0)
