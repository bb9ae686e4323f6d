"""What the control plane reads and says: units, lines, levels and orders in short."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from channels.simulators.server import BadRequest
from channels.simulators.square.merchant import Merchant
from channels.simulators.square.selling import Wanted
from channels.simulators.square.state import Line, Location, Order, ReturnLine
from channels.simulators.square.stock import Level, decimal_string

Facts = Mapping[str, Any]


def units(given: object) -> Decimal:
    """A whole number or a decimal string. Raises BadRequest: a float has lost digits already."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise BadRequest(f"units are a whole number or a decimal string, not {given!r}")
    try:
        return Decimal(given)
    except InvalidOperation:
        raise BadRequest(f"{given!r} is not a number") from None


def wanted(facts: Facts) -> list[Wanted]:
    return [
        Wanted(
            str(line["sku"]),
            units(line["units"]),
            None if line.get("price") is None else int(units(line["price"]) * 100),
        )
        for line in facts["lines"]
    ]


def location(place: Location) -> dict[str, object]:
    return {"id": place.id, "name": place.name, "active": place.active}


def order(found: Order) -> dict[str, object]:
    sold_or_returned: list[Line | ReturnLine] = [*found.lines, *found.return_lines]
    lines = [
        {"uid": line.uid, "sku": line.variation.sku, "units": decimal_string(line.quantity)}
        for line in sold_or_returned
    ]
    return {
        "id": found.id,
        "location": found.location.name,
        "state": found.state,
        "version": found.version,
        "fulfillment": found.fulfillment.state if found.fulfillment else None,
        "lines": lines,
    }


def level(merchant: Merchant, found: Level) -> dict[str, object]:
    variation_id, location_id, state = found.key
    variation = merchant.objects[variation_id]
    return {
        "sku": variation.sku,
        "location": merchant.locations[location_id].name,
        "location_id": location_id,
        "variation_id": variation_id,
        "state": state,
        "quantity": decimal_string(found.quantity),
        "tracked": variation.tracked_at(location_id),
        "calculated_at": found.calculated_at.isoformat() if found.calculated_at else None,
    }
