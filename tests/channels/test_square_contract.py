from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from channels.simulators.square.serving import SquareRunning
from channels.square.client import VERSION
from tests.channels.contract import ChannelContract
from tests.channels.square_rig import OLDER, SquareRig


@pytest.fixture
def topics() -> Sequence[str]:
    return ("inventory.count.updated", "order.created", "order.updated", "refund.created")


@pytest.fixture(params=[OLDER, VERSION])
def rig(request: pytest.FixtureRequest, simulated_account: SquareRunning) -> Iterator[SquareRig]:
    made = SquareRig(simulated_account, version=request.param)
    yield made
    made.close()


class TestSquare(ChannelContract):
    """Square compares nothing: reading before writing is our compare-and-set. It remembers keys, in either era."""
