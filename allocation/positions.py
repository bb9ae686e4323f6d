"""Where SKUs stand and where they are listed: what allocation begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from ledger.db import fetch

# Of a bundle, what its parts have.
_STOCK = text("""
    SELECT sku, NULL AS component, 1 AS each, location, units, version
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku) JOIN balance USING (sku)
    WHERE state = 'available' AND NOT EXISTS (SELECT FROM bundle WHERE bundle.sku = balance.sku)
    UNION ALL
    SELECT bundle.sku, bundle.component, bundle.units, b.location, b.units, b.version
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    JOIN bundle USING (sku) LEFT JOIN balance b ON b.sku = bundle.component AND b.state = 'available'
""")

# By channel, so that the keys (channel, sku, location) serve; by a join, so that many SKUs are not compared one by one.
_PLACES = text("""
    SELECT b.sku, b.channel, b.location, true AS listed, b.pack, b.read_only, t.units
    FROM channel c CROSS JOIN unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    JOIN binding b ON b.channel = c.channel AND b.sku = given.sku
    LEFT JOIN target t ON t.channel = b.channel AND t.sku = b.sku AND t.location = b.location
    UNION ALL
    SELECT t.sku, t.channel, t.location, false, 1, false, t.units
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku) JOIN target t USING (sku)
    WHERE NOT EXISTS (SELECT FROM binding b
                      WHERE b.channel = t.channel AND b.sku = t.sku AND b.location = t.location)
    ORDER BY 1, 2, 3
""")


@dataclass(slots=True)
class Position:
    """What allocation needs to know of one SKU.

    stock     units available by location; of a bundle, as many as its parts make
    read      (SKU, location) -> (units, version) of the balances that say so
    parts     of a bundle: component -> units of it in one
    listed    (channel, location) where the SKU can be pushed
    lost      (channel, location) with a target from before, where it is not listed any more
    packs     (channel, location) -> units of ours in one of the vendor's, where that is more than one
    told      (channel, location) where the channel holds the stock itself and only tells it
    targets   (channel, location) -> units it should show by now
    """

    stock: dict[str, int] = field(default_factory=dict)
    read: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    listed: set[tuple[str, str]] = field(default_factory=set)
    lost: set[tuple[str, str]] = field(default_factory=set)
    packs: dict[tuple[str, str], int] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)
    targets: dict[tuple[str, str], int] = field(default_factory=dict)


def positions(connection: Connection, skus: Sequence[str]) -> dict[str, Position]:
    """What allocation needs to know of these SKUs."""
    found = {sku: Position() for sku in skus}
    _read_stock(connection, found)
    rows = fetch(connection, _PLACES, {"skus": list(skus)})
    for sku, channel, location, listed, pack, read_only, units in rows:
        position = found[sku]
        place = (channel, location)
        (position.listed if listed else position.lost).add(place)
        if pack > 1:
            position.packs[place] = pack
        if read_only:
            position.told.add(place)
        if units is not None:
            position.targets[place] = units
    return found


def _read_stock(connection: Connection, found: dict[str, Position]) -> None:
    rows = fetch(connection, _STOCK, {"skus": list(found)})
    for sku, component, each, location, units, version in rows:
        position = found[sku]
        if component is not None:
            position.parts[component] = each
            if location is not None:
                position.read[component, location] = units, version
        else:
            position.stock[location] = units
            position.read[sku, location] = units, version
    for position in found.values():
        if position.parts:
            position.stock.update(_made_of(position))


def _made_of(position: Position) -> dict[str, int]:
    """A bundle has no stock of its own: at a location each component makes so many, and the fewest decide."""
    return {
        location: min(
            position.read.get((component, location), (0, 0))[0] // each
            for component, each in position.parts.items()
        )
        for location in {location for _, location in position.read}
    }
