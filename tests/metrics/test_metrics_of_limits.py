"""What is left of the vendors' limits, in calls or points, of each account and class of call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import redis

from channels.limits import Bucket
from channels.shopify.lane import STANDARD
from console.metrics.exporter import Exporter
from tests.metrics.house import told


def test_what_a_vendor_still_allows_is_told_from_redis(
    make: Callable[..., Exporter], valkey: str
) -> None:
    found = told(make(redis_url=valkey))

    assert found['lockstep_rate_headroom_ratio{channel="shop",limit="account"}'] == 1
    assert found['lockstep_rate_closed_seconds{channel="shop",limit="account"}'] == 0
    full = found['lockstep_rate_bucket_tokens{channel="shop",limit="account"}']
    assert found['lockstep_rate_tokens{channel="shop",limit="account"}'] == full == STANDARD.maximum


def test_calls_on_their_way_are_taken_off_what_is_free(
    make: Callable[..., Exporter], valkey: str
) -> None:
    exporter = make(redis_url=valkey)
    with closing(redis.Redis.from_url(valkey)) as client:
        bucket = Bucket(
            client,
            "shopify:shop",
            maximum=STANDARD.maximum,
            restore_rate=0,
            prefix="lockstep:local",
        )
        bucket.take(500)

    found = told(exporter)

    assert found['lockstep_rate_tokens{channel="shop",limit="account"}'] == STANDARD.maximum - 500
