"""The report of stranded stock (GET_STRANDED_INVENTORY_UI_DATA): what Amazon holds and nobody can buy.

Amazon makes it for the United States, India and Japan alone, and cancels a report that would be empty. So a SKU that
a newer report leaves out is stranded no more, and one that no report has named for some days neither.

Source: https://developer-docs.amazon.com/sp-api/docs/report-type-values-fba (Stranded Inventory Report).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.amazon import tables

STRANDED: Final = "GET_STRANDED_INVENTORY_UI_DATA"

_NEEDED: Final = frozenset({"sku", "strandedreason", "fulfillableqty"})
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Stranded:
    """One SKU that is stranded, in Amazon's units.

    since              None: the report does not say
    auto_removal_at    when Amazon may send it back or destroy it by itself, None: not told
    """

    seller_sku: str
    since: datetime | None
    reason: str
    action: str
    fulfillable: int
    auto_removal_at: datetime | None


def read(content: bytes) -> list[Stranded]:
    """The rows of a report by SKU; of several conditions the units together. Raises Unreadable when it is none."""
    found: dict[str, Stranded] = {}
    for cells in tables.rows(content, needed=_NEEDED):
        sku, units = cells.get("sku", ""), tables.whole(cells.get("fulfillableqty"))
        if not sku or units is None or units < 0:
            continue
        before = found.get(sku)
        found[sku] = Stranded(
            sku,
            tables.moment(cells.get("datestranded")),
            cells.get("strandedreason", "")[:_LONGEST],
            cells.get("primaryaction", "")[:_LONGEST],
            units + (before.fulfillable if before else 0),
            tables.moment(cells.get("datetotakeautoremoval")),
        )
    return [found[sku] for sku in sorted(found)]
