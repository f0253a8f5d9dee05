"""One node clears away after a dead one; the others only when it does not."""

from kanal.realtime.brokers.burials import PATIENCE, Burials

NODES = [f"node-{number}" for number in range(5)]
DEAD = [f"dead-{number}" for number in range(40)]


def test_one_node_acts_at_once_for_each_dead_and_the_work_is_shared() -> None:
    dues = [Burials(node).due(DEAD, NODES) for node in NODES]
    assert sorted(dead for due in dues for dead in due) == sorted(DEAD)
    assert all(dues)


def test_the_others_follow_one_after_the_other() -> None:
    burials = [Burials(node) for node in NODES]
    acted: list[int] = []
    for beat in range(PATIENCE * len(NODES)):
        due = [each.due(["dead"], NODES) for each in burials]
        acted.append(sum(map(len, due)))
        assert acted[-1] == beat // PATIENCE + 1


def test_who_is_back_or_buried_is_forgotten() -> None:
    burials = Burials("node-0")
    for _ in range(100):
        burials.due(["dead"], NODES)
        assert burials.due([], NODES) == []
    late = [node for node in NODES if not Burials(node).due(["dead"], NODES)]
    burials = Burials(late[0])
    assert burials.due(["dead"], NODES) == []
    assert burials.due([], NODES) == []
    assert burials.due(["dead"], NODES) == []


def test_a_node_that_is_taken_for_dead_buries_nobody() -> None:
    assert Burials("node-0").due(["node-0", "dead"], ["node-1"]) == []
