"""What stores may promise for pick-up, with the arithmetic."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

from allocation import pickup_store
from allocation.pickup import chance
from console.access.types import Unknown

_COUNTS_OF: Final = timedelta(days=730)


def promised(connection: Connection, sku: str, location: str) -> list[dict[str, Any]]:
    """The number of each store (of one, where that is named) and of each part of a bundle.

    units    = available - safety - threshold + owed
    found    the chance that the last unit shown is there when the order is picked
    raises   Unknown: nothing is picked up there, or the SKU is not known
    """
    version = pickup_store.look(connection, [(sku, location)]).rules_version
    rules = pickup_store.rules_of(connection, version)
    places = pickup_store.picked_up_at(rules)
    if location and location not in places:
        raise Unknown(f"no orders are picked up at {location}; they are at {', '.join(places)}")
    keys = [(sku, place) for place in ([location] if location else places)]
    if not keys:
        raise Unknown("no location has a pickup rule; add [locations.<name>.pickup] to the rules")
    seen = pickup_store.look(connection, keys)
    counted = pickup_store.losses(connection, places, seen.at - _COUNTS_OF)
    numbers = pickup_store.numbers(seen, keys, rules, counted)
    if not numbers:
        raise Unknown(f"nothing is known of SKU {sku!r}")
    return [
        {
            "location": number.location,
            "shown": number.units,
            "sku": part.sku,
            "each": part.each,
            "units": part.units,
            "available": part.available,
            "safety": part.safety,
            "threshold": part.threshold,
            "owed": part.owed,
            "lost": round(part.lost, 3),
            "sold": round(part.sold, 3),
            "found": round(chance(part.units, part.available, part.lost + part.sold), 4),
            "counted_at": part.counted_at,
            "recount_ordered": part.doubted,
            "pace_assumed": part.assumed,
        }
        for number in numbers.values()
        for part in number.parts
    ]
