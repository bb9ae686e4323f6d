"""Where SKUs stand and where they are listed: what allocation begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from ledger.db import fetch

# What there is, of a bundle of its parts, and where it is listed. Listings go by channel, so that the keys serve
# (channel, sku, location), and by a join, so that many SKUs are not compared one by one.
_POSITIONS = text("""
    WITH given AS MATERIALIZED (SELECT sku FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku))
    SELECT 'stock' AS what, sku, NULL AS component, NULL AS channel, location, 1 AS each, units, version, false AS told
    FROM given JOIN balance USING (sku)
    WHERE state = 'available' AND NOT EXISTS (SELECT FROM bundle WHERE bundle.sku = balance.sku)
    UNION ALL
    SELECT 'part', bundle.sku, bundle.component, NULL, b.location, bundle.units, b.units, b.version, false
    FROM given JOIN bundle USING (sku) LEFT JOIN balance b ON b.sku = bundle.component AND b.state = 'available'
    UNION ALL
    SELECT 'listed', b.sku, NULL, b.channel, b.location, b.pack, t.units, NULL, b.read_only
    FROM channel c CROSS JOIN given
    JOIN binding b ON b.channel = c.channel AND b.sku = given.sku
    LEFT JOIN target t ON t.channel = b.channel AND t.sku = b.sku AND t.location = b.location
    UNION ALL
    SELECT 'lost', t.sku, NULL, t.channel, t.location, 1, t.units, NULL, false
    FROM given JOIN target t USING (sku)
    WHERE NOT EXISTS (SELECT FROM binding b
                      WHERE b.channel = t.channel AND b.sku = t.sku AND b.location = t.location)
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
    for row in fetch(connection, _POSITIONS, {"skus": list(skus)}):
        if row.what in ("stock", "part"):
            _note_stock(found[row.sku], row)
        else:
            _note_place(found[row.sku], row)
    for position in found.values():
        if position.parts:
            position.stock.update(_made_of(position))
    return found


def _note_stock(position: Position, row: Any) -> None:
    if row.component is None:
        position.stock[row.location] = row.units
    else:
        position.parts[row.component] = row.each
    if row.location is not None:
        position.read[row.component or row.sku, row.location] = row.units, row.version


def _note_place(position: Position, row: Any) -> None:
    place = (row.channel, row.location)
    (position.listed if row.what == "listed" else position.lost).add(place)
    if row.each > 1:
        position.packs[place] = row.each
    if row.told:
        position.told.add(place)
    if row.units is not None:
        position.targets[place] = row.units


def _made_of(position: Position) -> dict[str, int]:
    """A bundle has no stock of its own: at a location each component makes so many, and the fewest decide."""
    return {
        location: min(
            position.read.get((component, location), (0, 0))[0] // each
            for component, each in position.parts.items()
        )
        for location in {location for _, location in position.read}
    }
