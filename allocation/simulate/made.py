"""Made events: orders that come at random, for scenarios and for checks against closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from allocation.simulate.types import History, Line, Stream, Unusable
from allocation.types import Rules

#: 200 units, 240 wanted within 14 minutes, between two rounds of a hub that comes each quarter of an hour.
STOCK, WANTED, WITHIN_S = 200, 240, 14 * 60.0


def black_friday(rules: Rules, seed: int) -> History:
    """A sale that sells out between two reconciliations, in equal parts on every channel of the first location.

    raises    Unusable when no channel serves the first location of the rules
    """
    location = next(iter(rules.locations), "")
    channels = [channel.name for channel in rules.channels if location in channel.locations]
    if not channels:
        raise Unusable(f"no channel of the rules serves {location or 'any location'}; add one")
    return flash(
        sku="DOORBUSTER",
        start=datetime(2026, 11, 27, 8, tzinfo=UTC),
        location=location,
        stock=STOCK,
        shares=dict.fromkeys(channels, 1 / len(channels)),
        orders=WANTED,
        within_s=WITHIN_S,
        price=Decimal("49.99"),
        seed=seed,
    )


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
