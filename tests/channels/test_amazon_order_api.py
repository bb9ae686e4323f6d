"""Amazon's order API: a walk through what changed, within its limit, two minutes behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from channels.amazon import wire
from channels.amazon.client import Amazon
from channels.base import Throttled
from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import CHANNEL, AmazonRig, an_account


@pytest.fixture(scope="module")
def account() -> Iterator[AmazonRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def rig(account: AmazonRunning) -> Iterator[AmazonRig]:
    made = AmazonRig(account)
    yield made
    made.close()


def test_a_sweep_reads_every_page_and_nothing_about_the_buyer(rig: AmazonRig) -> None:
    mark = rig.now()
    placed = []
    for _ in range(7):
        rig.advance(1)
        placed.append(rig.do("order", lines=[{"sku": "SKU-A", "units": 1}])["orderId"])
    rig.advance(121)
    # Small pages: it would take a hundred orders to fill one of Amazon's.
    pages = Amazon(CHANNEL, rig.channel.api, now=rig.now, orders_page=3)

    orders = list(pages.orders_since(mark))

    assert [order.order_id for order in orders] == placed
    assert len(rig.called("searchOrders")) == 3
    kept = json.loads(orders[0].body)
    assert set(kept) == {
        "orderId",
        "createdTime",
        "lastUpdatedTime",
        "salesChannel",
        "fulfillment",
        "orderItems",
    }
    assert orders[0].topic == wire.ORDER_DOCUMENT


def test_nothing_is_asked_of_the_two_minutes_that_amazon_does_not_tell(rig: AmazonRig) -> None:
    assert list(rig.channel.orders_since(rig.now() - timedelta(seconds=119))) == []
    assert rig.called("searchOrders") == []


def test_what_was_read_before_the_limit_ran_out_is_not_lost(rig: AmazonRig) -> None:
    mark = rig.now()
    for _ in range(23):
        # Units go back on offer: the account has only ten.
        rig.do("external_edit", sku="SKU-A", units=10)
        rig.do("order", lines=[{"sku": "SKU-A", "units": 1}])
        rig.advance(1)
    rig.advance(121)
    pages = Amazon(CHANNEL, rig.channel.api, now=rig.now, orders_page=1)

    read = []
    orders = pages.orders_since(mark)
    with pytest.raises(Throttled) as refusal:  # noqa: PT012 - how far it comes is what the test is about
        for order in orders:
            read.append(order)

    assert (len(read), round(refusal.value.retry_after_s)) == (20, 179)
