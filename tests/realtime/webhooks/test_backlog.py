"""The queue of one address keeps to its limits."""

from kanal.realtime.webhooks.backlog import BATCH_BYTES, BATCH_EVENTS, MAX_BYTES, MAX_EVENTS, Backlog


def test_a_batch_has_the_oldest_in_order_and_no_more_than_a_hundred() -> None:
    backlog = Backlog()
    for number in range(BATCH_EVENTS + 1):
        backlog.put(b"%d" % number, float(number))
    assert backlog.take() == tuple(b"%d" % number for number in range(BATCH_EVENTS))
    assert backlog.oldest == BATCH_EVENTS
    assert backlog.take() == (b"%d" % BATCH_EVENTS,)
    assert len(backlog) == 0


def test_a_batch_is_no_longer_than_servers_take_unless_one_event_is() -> None:
    backlog = Backlog()
    half, long = b"x" * (BATCH_BYTES // 2), b"x" * (BATCH_BYTES + 1)
    for event in (half, half, half, long, b"x"):
        backlog.put(event, 0.0)
    assert [backlog.take() for _ in range(4)] == [(half, half), (half,), (long,), (b"x",)]


def test_the_oldest_make_room_when_there_are_too_many() -> None:
    backlog = Backlog()
    assert sum(backlog.put(b"%d" % number, 0.0) for number in range(MAX_EVENTS + 10)) == 10
    assert len(backlog) == MAX_EVENTS
    assert backlog.take()[0] == b"10"


def test_the_oldest_make_room_when_they_are_too_long() -> None:
    backlog = Backlog()
    quarter = b"x" * (MAX_BYTES // 4)
    assert [backlog.put(quarter, 0.0) for _ in range(4)] == [0, 0, 0, 0]
    assert backlog.put(b"x", 0.0) == 1
    assert backlog.put(b"y" * (MAX_BYTES + 1), 0.0) == 4
    assert backlog.take() == (b"y" * (MAX_BYTES + 1),)


def test_what_is_too_old_is_forgotten() -> None:
    backlog = Backlog()
    for moment in (1.0, 2.0, 3.0):
        backlog.put(b"%d" % moment, moment)
    assert backlog.forget_before(2.0) == 2
    assert backlog.take() == (b"3",)
    backlog.put(b"4", 4.0)
    assert backlog.clear() == 1
