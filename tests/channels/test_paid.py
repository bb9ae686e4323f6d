"""What a vendor counts and what we pay: a call that is sent again, and a refusal that tells that nothing is left."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis

from channels.base import Throttled, Unavailable
from channels.limits import Bucket
from channels.paid import Paid
from channels.simulators.square.serving import SquareRunning
from channels.square.client import Square
from tests.channels.amazon_rig import AmazonRig, an_account
from tests.channels.shopify_stub import a_client as a_shop
from tests.channels.square_rig import CHANNEL, SquareRig
from tests.channels.square_stub import NOW, TOKEN
from tests.channels.stub import Answer, Stub

BREAKS = Answer(cut_after=-1)


def calls(maximum: float) -> Bucket:
    """A bucket that regains nothing."""
    return Bucket(
        None, "till", maximum=maximum, restore_rate=1, alone_share=1, monotonic=lambda: 0.0
    )


def till(vendor: Stub, bucket: Bucket) -> Square:
    return Square("till", vendor.url, TOKEN, limiter=bucket, now=lambda: NOW, read_s=1)


def test_a_read_that_is_sent_again_is_paid_for_again(vendor: Stub) -> None:
    vendor.says(BREAKS, {})
    bucket = calls(5)

    till(vendor, bucket).subscriptions()

    assert (len(vendor.heard), bucket.state().available) == (2, 3)


def test_a_read_is_not_sent_again_with_the_last_call_of_the_limit(vendor: Stub) -> None:
    vendor.says(BREAKS)
    bucket = calls(1)

    with pytest.raises(Unavailable):
        till(vendor, bucket).subscriptions()

    assert (len(vendor.heard), bucket.state().available) == (1, 0)


def test_a_shops_read_that_is_sent_again_costs_its_points_again(vendor: Stub) -> None:
    vendor.says(BREAKS)
    ample = calls(1000)

    with pytest.raises(Unavailable):
        a_shop(vendor, ample).subscriptions()

    assert len(vendor.heard) == 2
    points = 1000 - ample.state().available
    with pytest.raises(Unavailable):
        a_shop(vendor, calls(points - 1)).subscriptions()
    assert len(vendor.heard) == 3, "one point was missing for the second"


def test_the_ticket_of_a_call_that_is_sent_again_is_the_last_ones(valkey: str) -> None:
    bucket = Bucket(redis.Redis.from_url(valkey), "shop", maximum=100, restore_rate=0.001)
    paid = Paid(bucket, 30)

    assert paid.again()

    state = bucket.state()
    assert (round(state.available), state.calls_away) == (40, 1)
    assert paid.again()
    assert not paid.again(), "ten are left"
    bucket.settle(paid.ticket)
    assert (round(bucket.state().available), bucket.state().calls_away) == (10, 0)


def test_a_till_that_refuses_once_is_not_asked_past_its_limit_again(
    square: SquareRig, simulated_account: SquareRunning
) -> None:
    square.do("limit", per_second=1, burst=5)
    at_s = 0.0
    ours = Bucket(None, CHANNEL, maximum=5, restore_rate=1, alone_share=1, monotonic=lambda: at_s)
    facts = simulated_account.facts
    client = Square(
        CHANNEL,
        facts.base_url,
        facts.token,
        limiter=ours,
        now=simulated_account.simulator.clock.now,
    )
    for _ in range(5):
        square.channel.subscriptions()  # somebody else's calls, of which our bucket knows nothing

    refused_by_it = 0
    for _ in range(6):
        try:
            client.subscriptions()
        except Throttled as refusal:
            refused_by_it += "429" in str(refusal)
            at_s += refusal.retry_after_s
            square.advance(refusal.retry_after_s)

    client.close()
    assert refused_by_it == 1


def test_an_operation_that_amazon_refuses_once_is_not_called_past_its_limit_again() -> None:
    with an_account() as running:
        rig = AmazonRig(running)
        mark = rig.now() - timedelta(hours=1)
        for _ in range(20):
            list(rig.channel.orders_since(mark))
        rig.buckets.clear()  # ours remember nothing of these calls
        client = rig.client()

        for _ in range(6):
            try:
                list(client.orders_since(mark))
            except Throttled as refusal:
                # The way there takes some time, of which a held clock knows nothing.
                rig.advance(refusal.retry_after_s + 0.01)

        assert [call["status"] for call in rig.called("searchOrders")].count(429) == 1
        client.close()
        rig.close()
