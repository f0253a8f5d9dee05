"""An app with webhooks, and a backend that takes them."""

from collections.abc import AsyncIterator

import pytest

from tests.realtime.harness import APP
from tests.realtime.webhooks.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(APP) as it:
        yield it
