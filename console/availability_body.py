"""What GET /availability says of one location: its number with the terms that add up to it."""

from __future__ import annotations

from typing import Any

from allocation.pickup import Number, Part


def place(number: Number) -> dict[str, Any]:
    """A location's number; of a bundle, by its parts."""
    said: dict[str, Any] = {"location": number.location, "units": number.units}
    if len(number.parts) == 1 and number.parts[0].each == 1:
        return said | _terms(number.parts[0])
    return said | {
        "parts": [
            {"sku": part.sku, "each": part.each, "units": part.units, **_terms(part)}
            for part in number.parts
        ]
    }


def _terms(part: Part) -> dict[str, Any]:
    """units = available - safety - threshold + owed."""
    return {
        "available": part.available,
        "safety": part.safety,
        "threshold": part.threshold,
        "owed": part.owed,
        "expected_lost": round(part.lost, 3),
        "expected_sold": round(part.sold, 3),
        "counted_at": None if part.counted_at is None else part.counted_at.isoformat(),
        "pace_assumed": part.assumed,
        "recount_ordered": part.doubted,
    }
