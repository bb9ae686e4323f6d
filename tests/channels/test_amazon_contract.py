from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import AmazonRig, an_account
from tests.channels.contract import ChannelContract


@pytest.fixture(scope="module")
def account() -> Iterator[AmazonRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def rig(account: AmazonRunning) -> Iterator[AmazonRig]:
    made = AmazonRig(account)
    yield made
    made.close()


@pytest.fixture
def topics() -> Sequence[str]:
    return (
        "ANY_OFFER_CHANGED",
        "FBA_INVENTORY_AVAILABILITY_CHANGES",
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
        "ORDER_CHANGE",
    )


class TestAmazon(ChannelContract):
    """Amazon writes what it is told, whatever stands there: a patch has neither a key nor a condition."""

    has_compare_and_set = False
    remembers_keys = False
