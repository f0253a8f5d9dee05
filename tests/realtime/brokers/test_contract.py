"""What every broker does: one suite, all implementations."""

import asyncio
import random

import pytest

from kanal.realtime.brokers.base import Broker, CensusUpdate, Keep, Message, Past
from tests.realtime.brokers.conftest import Cluster, node, subscribed
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import until

TOPIC = "1:presence-room"


async def test_a_node_restores_once_when_it_starts(cluster: Cluster) -> None:
    _, heard_one, _, heard_two = cluster
    assert (heard_one.restorations, heard_two.restorations) == (1, 1)


async def test_a_subscriber_hears_other_nodes_in_order_and_never_itself(cluster: Cluster) -> None:  # F-RT-08
    one, heard_one, two, heard_two = cluster
    await subscribed(one, TOPIC)
    await subscribed(two, TOPIC)
    for number in range(100):
        if number % 2:
            one.post([Message(TOPIC, b"%d" % number)])
        else:
            assert await one.publish([Message(TOPIC, b"%d" % number)])
    await until(lambda: len(heard_two.messages) == 100)
    assert heard_two.messages == [(TOPIC, b"%d" % number) for number in range(100)]
    assert heard_one.messages == []


async def test_only_subscribed_topics_are_heard(cluster: Cluster) -> None:
    one, _, two, heard_two = cluster
    await subscribed(two, "1:a")
    await subscribed(two, "1:b")
    two.unsubscribe("1:a")
    await one.publish([Message("1:a", b"no"), Message("1:c", b"no"), Message("1:b", b"yes")])
    await until(lambda: ("1:b", b"yes") in heard_two.messages)
    assert ("1:c", b"no") not in heard_two.messages


async def test_unsubscribing_and_subscribing_again_hears_what_comes_after(cluster: Cluster) -> None:
    one, _, two, heard_two = cluster
    for _ in range(20):
        await subscribed(two, TOPIC)
        two.unsubscribe(TOPIC)
    await subscribed(two, TOPIC)
    await one.publish([Message(TOPIC, b"now")])
    await until(lambda: (TOPIC, b"now") in heard_two.messages)


async def test_payloads_are_any_bytes(cluster: Cluster) -> None:
    one, _, two, heard_two = cluster
    await subscribed(two, TOPIC)
    payload = bytes(range(256)) + b"\r\n\n=+-" + "東京".encode()
    await one.publish([Message(TOPIC, payload)])
    await until(lambda: heard_two.messages == [(TOPIC, payload)])


async def test_the_last_retained_message_is_there_for_every_node_until_it_expires(cluster: Cluster) -> None:
    one, _, two, _ = cluster
    assert await two.retained(TOPIC) is None
    await one.publish([Message(TOPIC, b"first", retain=60), Message(TOPIC, b"last", retain=2.0), Message(TOPIC, b"x")])
    kept = await two.retained(TOPIC)
    assert kept is not None
    assert kept.payload == b"last"
    assert 0 < kept.expires_in <= 2.0
    await asyncio.sleep(2.05)
    assert await two.retained(TOPIC) is None


class TestRosters:
    async def test_first_and_last_node_of_a_user_announce_and_nobody_between(self, cluster: Cluster) -> None:  # F-RT-02
        one, heard_one, two, heard_two = cluster
        await subscribed(one, TOPIC)
        await subscribed(two, TOPIC)
        await one.update_roster(TOPIC, {"ayu": b'{"n":1}'}, [], 10)
        await two.update_roster(TOPIC, {"ayu": b'{"n":2}'}, [], 10)
        await one.update_roster(TOPIC, {}, ["ayu"], 10)
        await two.update_roster(TOPIC, {}, ["ayu"], 10)
        for heard in (heard_one, heard_two):
            await until(lambda heard=heard: len(heard.changes) == 2)  # type: ignore[misc]
            assert heard.users() == [("ayu", b'{"n":1}'), ("ayu", None)]

    async def test_versions_grow_also_when_a_roster_is_made_anew(self, cluster: Cluster) -> None:
        one, heard_one, _, _ = cluster
        await subscribed(one, TOPIC)
        for _ in range(3):
            await one.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)
            await one.update_roster(TOPIC, {}, ["ayu"], 10)
        await until(lambda: len(heard_one.changes) == 6)
        versions = [change.version for _, change in heard_one.changes]
        assert versions == sorted(set(versions))

    async def test_the_roster_tells_members_and_those_of_this_node(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        update = await one.update_roster(TOPIC, {"ayu": b'{"n":"\xe6\x9d\xb1\\n"}', "budi": b"{}"}, [], 10)
        await two.update_roster(TOPIC, {"budi": b"{}", "citra": b"{}"}, [], 10)
        roster = await two.roster(TOPIC)
        assert dict(roster.members) == {"ayu": b'{"n":"\xe6\x9d\xb1\\n"}', "budi": b"{}", "citra": b"{}"}
        assert roster.own == {"budi", "citra"}
        assert roster.version > update.version

    async def test_updates_are_idempotent(self, cluster: Cluster) -> None:
        one, heard_one, _, _ = cluster
        await subscribed(one, TOPIC)
        for _ in range(3):
            await one.update_roster(TOPIC, {"ayu": b"{}"}, ["nobody"], 10)
        for _ in range(3):
            await one.update_roster(TOPIC, {}, ["ayu"], 10)
        await until(lambda: len(heard_one.changes) >= 2)
        await asyncio.sleep(0.05)  # a third would be here by now
        assert heard_one.users() == [("ayu", b"{}"), ("ayu", None)]
        assert (await one.roster(TOPIC)).members == {}

    async def test_there_is_room_for_so_many_users_over_all_nodes(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        assert not (await one.update_roster(TOPIC, {"ayu": b"{}", "budi": b"{}"}, [], 2)).refused
        assert (await two.update_roster(TOPIC, {"ayu": b"{}", "citra": b"{}"}, [], 2)).refused == {"citra"}
        assert not (await one.update_roster(TOPIC, {"dewi": b"{}"}, ["budi"], 2)).refused

    async def test_concurrent_joins_announce_once(self, cluster: Cluster) -> None:
        one, heard_one, two, _ = cluster
        await subscribed(one, TOPIC)
        users = {f"user-{number}": b"{}" for number in range(20)}
        await asyncio.gather(*(broker.update_roster(TOPIC, users, [], 100) for broker in (one, two) for _ in range(5)))
        await until(lambda: len(heard_one.changes) >= 20)
        await asyncio.sleep(0.05)
        assert sorted(user for user, _ in heard_one.users()) == sorted(users)

    async def test_a_node_that_stops_takes_its_users_along(self, cluster: Cluster, new_broker: BrokerFactory) -> None:
        one, heard_one, _, _ = cluster
        await subscribed(one, TOPIC)
        async with node(new_broker("three")) as (three, _):
            await three.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)
        await until(lambda: heard_one.users() == [("ayu", b"{}"), ("ayu", None)])


KEEP = Keep(events=5, seconds=60)


class TestHistory:
    async def test_every_subscriber_hears_every_event_in_one_order_with_its_position(self, cluster: Cluster) -> None:
        one, heard_one, two, heard_two = cluster
        await subscribed(one, TOPIC)
        await subscribed(two, TOPIC)
        for number in range(20):
            for broker in (one, two):
                broker.post([Message(TOPIC, b"%d from %s" % (number, broker.node.encode()), history=KEEP)])
        await until(lambda: len(heard_one.messages) == len(heard_two.messages) == 40)
        assert heard_one.messages == heard_two.messages
        assert heard_one.positions == heard_two.positions
        start = (await one.history(TOPIC, None, KEEP)).position.rpartition("-")[0]
        assert heard_one.positions == [f"{start}-{number}" for number in range(1, 41)]

    async def test_what_followed_a_position_is_there_or_said_to_be_gone(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        start = await two.history(TOPIC, None, KEEP)
        assert (start.events, start.complete) == ((), True)
        epoch = start.position.removesuffix("-0")
        assert await one.publish([Message(TOPIC, b"%d" % number, history=KEEP) for number in range(1, 8)])
        assert await two.history(TOPIC, None, KEEP) == Past(f"{epoch}-7")
        assert await two.history(TOPIC, f"{epoch}-7", KEEP) == Past(f"{epoch}-7")
        expected = tuple((f"{epoch}-{number}", b"%d" % number) for number in range(3, 8))
        assert await two.history(TOPIC, f"{epoch}-2", KEEP) == Past(f"{epoch}-7", expected)
        assert await two.history(TOPIC, f"{epoch}-6", KEEP) == Past(f"{epoch}-7", expected[-1:])
        gone = Past(f"{epoch}-7", complete=False)
        assert await two.history(TOPIC, f"{epoch}-1", KEEP) == gone

    @pytest.mark.parametrize(
        "made_up", ["", "-", "x", "-1", "{}-8", "{}-", "{}--1", "{}-+1", "{}-1 ", "{}-" + "9" * 40]
    )
    async def test_positions_that_nobody_gave_out_are_unknown(self, cluster: Cluster, made_up: str) -> None:
        one, _, two, _ = cluster
        await one.publish([Message(TOPIC, b"x", history=KEEP)])
        now = (await one.history(TOPIC, None, KEEP)).position
        assert await two.history(TOPIC, made_up.format(now.removesuffix("-1")), KEEP) == Past(now, complete=False)

    async def test_events_are_forgotten_but_not_where_the_log_stands(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        short = Keep(events=5, seconds=0.2)
        start = (await two.history(TOPIC, None, short)).position
        await one.publish([Message(TOPIC, b"x", history=short)])
        now = (await two.history(TOPIC, start, short)).position
        await asyncio.sleep(0.3)
        assert await two.history(TOPIC, start, short) == Past(now, complete=False)
        assert await two.history(TOPIC, now, short) == Past(now)

    async def test_a_log_that_was_forgotten_begins_anew(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        await one.publish([Message(TOPIC, b"x", history=KEEP)])
        before = (await one.history(TOPIC, None, KEEP)).position
        await two.forget_history(TOPIC)
        await one.publish([Message(TOPIC, b"y", history=KEEP)])
        after = await one.history(TOPIC, before, KEEP)
        assert (after.complete, after.events) == (False, ())
        assert after.position != before


class TestCensus:
    async def test_first_and_last_holder_are_told_and_nobody_between(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        assert await one.update_census("1", ["a", "b\nayu"], []) == CensusUpdate(first=("a", "b\nayu"))
        assert await two.update_census("1", ["a", "c"], []) == CensusUpdate(first=("c",))
        assert await two.update_census("2", ["a"], []) == CensusUpdate(first=("a",))
        assert await one.update_census("1", ["a"], []) == CensusUpdate()
        assert await one.update_census("1", [], ["a", "b\nayu", "nobody"]) == CensusUpdate(last=("b\nayu",))
        assert await one.update_census("1", [], ["a"]) == CensusUpdate()
        assert await two.update_census("1", [], ["a"]) == CensusUpdate(last=("a",))

    async def test_concurrent_changes_are_told_once(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        names = [f"name-{number}" for number in range(2_500)]
        updates = await asyncio.gather(*(broker.update_census("1", names, []) for broker in (one, two)))
        assert sorted([*updates[0].first, *updates[1].first]) == sorted(names)
        updates = await asyncio.gather(*(broker.update_census("1", [], names) for broker in (one, two)))
        assert sorted([*updates[0].last, *updates[1].last]) == sorted(names)

    async def test_a_node_that_stops_leaves(self, cluster: Cluster, new_broker: BrokerFactory) -> None:
        one, heard_one, _, _ = cluster
        async with node(new_broker("three")) as (three, heard_three):
            await one.update_census("1", ["a"], [])
            await three.update_census("1", ["a", "b"], [])
            assert len(await one.nodes()) == 3
            assert three.node in await one.nodes()
        assert heard_three.left == [("1", "b")]
        assert three.node not in await one.nodes()
        assert (await one.update_census("1", [], ["a"])).last == ("a",)
        assert not heard_one.gone
        assert not heard_one.left


class TestManyAtOnce:
    async def test_a_log_has_no_gaps_and_one_order_however_many_write(self, cluster: Cluster) -> None:
        one, heard_one, two, heard_two = cluster
        await subscribed(one, TOPIC)
        await subscribed(two, TOPIC)
        keep = Keep(events=200, seconds=60)
        start = (await two.history(TOPIC, None, keep)).position
        writing = [
            broker.publish([Message(TOPIC, b"%d from %s" % (number, broker.node.encode()), history=keep)])
            for number in range(50)
            for broker in (one, two)
        ]
        assert all(await asyncio.gather(*writing))
        await until(lambda: len(heard_one.messages) == len(heard_two.messages) == 100)
        assert heard_one.messages == heard_two.messages
        epoch = start.removesuffix("-0")
        assert heard_one.positions == heard_two.positions == [f"{epoch}-{number}" for number in range(1, 101)]
        past = await one.history(TOPIC, start, keep)
        assert past.complete
        assert [payload for _, payload in past.events] == [payload for _, payload in heard_one.messages]

    async def test_a_snapshot_and_the_changes_after_it_are_the_roster(self, cluster: Cluster) -> None:  # F-RT-02
        one, heard_one, two, heard_two = cluster
        await subscribed(one, TOPIC)
        await subscribed(two, TOPIC)
        chance = random.Random(7)
        users = [f"user-{number}" for number in range(6)]

        async def churn(broker: Broker) -> None:
            for _ in range(40):
                joins = dict.fromkeys(chance.sample(users, 2), b"{}")
                leaves = [user for user in chance.sample(users, 2) if user not in joins]
                await broker.update_roster(TOPIC, joins, leaves, 5)

        working = [asyncio.create_task(churn(broker)) for broker in (one, two, one, two)]
        snapshot = await two.roster(TOPIC)
        await asyncio.gather(*working)
        final = await one.roster(TOPIC)
        for heard in (heard_one, heard_two):
            await until(lambda heard=heard: not heard.changes or heard.changes[-1][1].version >= final.version)  # type: ignore[misc]
            versions = [change.version for _, change in heard.changes]
            assert versions == sorted(set(versions))
            members = dict(snapshot.members)
            for _, change in heard.changes:
                if change.version > snapshot.version:
                    assert (change.user_id in members) is (change.info is None), "told twice, or of nobody"
                    if change.info is None:
                        del members[change.user_id]
                    else:
                        members[change.user_id] = change.info
            assert members == final.members
        assert final.own | (await two.roster(TOPIC)).own == final.members.keys()
