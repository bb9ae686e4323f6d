"""How much room Amazon says a unit takes: the sides in the fee preview (GET_FBA_ESTIMATED_FBA_FEES_TXT_DATA).

Source: https://developer-docs.amazon.com/sp-api/docs/report-type-values-fba (FBA Fee Preview, updated every 72 hours,
asked from 72 hours back at least); its size tiers are words such as UsLargeStandardSize, UsLargeBulky, UsExtraLarge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from channels.amazon import tables

FEES: Final = "GET_FBA_ESTIMATED_FBA_FEES_TXT_DATA"

_NEEDED: Final = frozenset({"sku", "longestside", "medianside", "shortestside"})
#: Of one cubic foot.
_CUBIC: Final = {"inches": Decimal(1728), "centimeters": Decimal("28316.846592")}
#: In one pound.
_WEIGHT: Final = {
    "pounds": Decimal(1),
    "ounces": Decimal(16),
    "grams": Decimal("453.59237"),
    "kilograms": Decimal("0.45359237"),
}
_PLACES: Final = Decimal("0.000001")
_LEAST: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Size:
    """One of Amazon's units as Amazon measured it; size_band as the report says it; pounds: None where not weighed."""

    seller_sku: str
    cubic_feet: Decimal
    size_band: str
    pounds: Decimal | None = None


def read(content: bytes) -> list[Size]:
    """The sizes in a report, by SKU; what was not measured is left out. Raises Unreadable when it is none."""
    found: dict[str, Size] = {}
    for cells in tables.rows(content, needed=_NEEDED):
        sides = [
            tables.decimal(cells.get(f"{name}side")) for name in ("longest", "median", "shortest")
        ]
        cubic = _CUBIC.get(cells.get("unitofdimension", "inches").lower())
        sku = cells.get("sku", "")
        if not sku or cubic is None or any(side is None or side <= 0 for side in sides):
            continue
        volume = Decimal(1)
        for side in sides:
            volume *= side or Decimal(0)
        band = cells.get("productsizetier") or cells.get("productsizeweightband", "")
        feet = max(_LEAST, (volume / cubic).quantize(_PLACES))
        found[sku] = Size(sku, feet, band[:200], _pounds(cells))
    return [found[sku] for sku in sorted(found)]


def _pounds(cells: Mapping[str, str]) -> Decimal | None:
    weight = tables.decimal(cells.get("itempackageweight"))
    in_a_pound = _WEIGHT.get(cells.get("unitofweight", "pounds").lower())
    if weight is None or weight <= 0 or in_a_pound is None:
        return None
    return max(_LEAST, (weight / in_a_pound).quantize(_PLACES))


def storage_type(size_band: str) -> str:
    """Which of Amazon's limits of storage a size falls under; the words are Seller Central's, Capacity Monitor.

    Apparel, footwear and dangerous goods have limits of their own that no size tells: those are said by hand.
    """
    said = tables.normal(size_band)
    if "extralarge" in said:
        return "extra-large"
    return "oversize" if "bulky" in said or "oversize" in said else "standard"
