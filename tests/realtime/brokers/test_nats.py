"""What is particular to NATS: how it is named, large messages, a server without JetStream, a log's way back."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kanal.realtime.brokers import backoff, connect
from kanal.realtime.brokers.base import BrokerDown, Keep, Message
from kanal.realtime.brokers.nats.address import parse
from kanal.realtime.brokers.redis.address import Address
from tests.conftest import or_skip
from tests.realtime.brokers.conftest import Recorder, node, subscribed
from tests.realtime.brokers.test_addresses import certificate, works
from tests.realtime.harness import until
from tests.support.services import Nats, Server, SharedServices

KEEP = Keep(events=10, seconds=60)


@pytest.fixture(scope="module")
def server(shared_services: SharedServices, database_name: Callable[[], str]) -> Iterator[Server]:
    with or_skip():
        server = shared_services.start(Nats(), f"nats-{database_name()}")
        yield server
        server.stop()


def test_addresses() -> None:
    options = parse("nats://kanal:p%40ss@n1,n2:4333?replicas=3")
    assert options.hosts == (Address("n1", 4222), Address("n2", 4333))
    assert (options.username, options.password, options.replicas) == ("kanal", "p@ss", 3)
    assert not options.tls_required
    assert parse("tls://n1?token=secret").tls_required


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://", "host is missing"),
        ("nats://:hush@n1:port", "not a port"),
        ("nats://:hush@n1/1", "no path"),
        ("nats://:hush@n1?replicas=2", "replicas"),
        ("nats://:hush@n1?timeout=2", "unknown options timeout"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as failure:
        connect(url, node="one")
    assert "hush" not in str(failure.value)


def test_a_prefix_is_part_of_the_names_of_streams() -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        connect("nats://n1", node="one", prefix="a.b")


async def test_passwords_tokens_and_tls(
    shared_services: SharedServices, database_name: Callable[[], str], tmp_path: Path
) -> None:
    certified, private = certificate(tmp_path)
    with or_skip():
        for options, url in (
            (["--user", "kanal", "--pass", "p@ss"], "nats://kanal:p%40ss@127.0.0.1:{}"),
            (["--auth", "secret"], "nats://127.0.0.1:{}?token=secret"),
            (["--tls", "--tlscert", str(certified), "--tlskey", str(private)], "tls://localhost:{}?ssl_ca_certs=CA"),
        ):
            server = shared_services.start(Nats(options=options), f"nats-{database_name()}")
            await works(url.format(server.port).replace("CA", str(certified)))
            stranger = connect(f"nats://127.0.0.1:{server.port}", node="stranger")
            await stranger.start(Recorder())
            assert not stranger.connected
            await stranger.stop()
            await asyncio.to_thread(server.stop)


async def test_a_message_that_the_server_would_not_take_is_refused_here(server: Server, prefix: str) -> None:
    url = Nats.url(server)
    async with (
        node(connect(url, node="one", prefix=prefix)) as (one, heard_one),
        node(connect(url, node="two", prefix=prefix)) as (two, heard_two),
    ):
        await subscribed(two, "1:a")
        large = bytes(2 * 1024 * 1024)
        assert not await one.publish([Message("1:a", large), Message("1:a", b"small")])
        assert not await one.publish([Message("1:a", large, retain=10, history=KEEP)])
        with pytest.raises(BrokerDown):
            await one.update_roster("1:a", {"ayu": large}, [], 10)
        await until(lambda: heard_two.messages == [("1:a", b"small")])
        assert not heard_one.losses


async def test_a_server_without_jetstream_is_said_to_be_one(
    shared_services: SharedServices, database_name: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "CAP", 0.2)
    with or_skip():
        server = shared_services.start(Nats(jetstream=False), f"nats-{database_name()}")
    broker = connect(Nats.url(server), node="one")
    with capture_logs() as logs:
        await broker.start(Recorder())
        assert not broker.connected
        await broker.stop()
    assert any("JetStream" in str(line.get("error")) for line in logs)
    await asyncio.to_thread(server.stop)


async def test_events_are_forgotten_by_and_by_but_for_the_last(server: Server, prefix: str) -> None:
    short = Keep(events=10, seconds=0.5)
    async with node(connect(Nats.url(server), node="one", prefix=prefix)) as (one, _):
        await one.publish([Message("1:a", b"%d" % number, history=short) for number in range(3)])
        await one.publish([Message("1:a", b"last", history=short)])
        standing = (await one.history("1:a", None, short)).position
        before = standing.removesuffix("-4") + "-2"
        async with asyncio.timeout(10):
            while (await one.history("1:a", before, short)).complete:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        assert await one.publish([Message("1:a", b"new", history=short)])
        past = await one.history("1:a", standing, short)
        assert [payload for _, payload in past.events] == [b"new"]
