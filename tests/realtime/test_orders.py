"""Orders to all nodes."""

import pytest

from kanal.realtime.orders import Orders
from kanal.realtime.publisher import Delivery
from tests.realtime.harness import Running, until


async def test_an_order_is_obeyed_here_at_once_and_then_everywhere(two_nodes: tuple[Running, Running]) -> None:
    obeyed: list[tuple[str, bytes]] = []
    for name, node in zip("ab", two_nodes, strict=True):
        node.hub.orders.add("test", lambda payload, name=name: obeyed.append((name, payload)))  # type: ignore[misc]
    order = two_nodes[0].hub.order("test", b"x\ny")
    assert await order is Delivery.CLUSTER
    assert obeyed[0] == ("a", b"x\ny")
    await until(lambda: len(obeyed) == 2)
    assert obeyed[1] == ("b", b"x\ny")


def test_a_tag_has_one_handler() -> None:
    orders = Orders()
    orders.add("a", lambda _: None)
    for tag in ("a", "b\n"):
        with pytest.raises(ValueError, match="cannot be added"):
            orders.add(tag, lambda _: None)


def test_what_nobody_knows_is_left() -> None:
    Orders().obey(b"newer\n{}")
    Orders().obey(b"\xff")
