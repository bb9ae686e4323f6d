"""Made events: orders that come at random, for scenarios and for checks against closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from random import Random

from allocation.simulate.types import History, Line, Stream


def flash(
    *,
    sku: str,
    start: datetime,
    location: str,
    stock: int,
    shares: Mapping[str, float],
    orders: int,
    within_s: float,
    price: Decimal | None,
    seed: int,
) -> History:
    """So many orders of one unit within a time, each at a random moment on a random channel.

    stock     units at the location at the start
    shares    channel -> its part of the orders
    """
    chance = Random(f"{seed}:flash:{sku}")
    moments = sorted(within_s * chance.random() for _ in range(orders))
    channels = chance.choices(list(shares), list(shares.values()), k=orders)
    lines = [
        Line(at, str(number), channel, location, 1, price)
        for number, (at, channel) in enumerate(zip(moments, channels, strict=True), 1)
    ]
    return History(start, within_s + 60.0, [Stream(sku, {location: stock}, lines)])
