"""What Square counts as in stock, read back; and when such a reading was true.

A variation that was never counted or moved at a location has no row: that is unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.base import Binding
from channels.http import Json
from channels.square import wire
from channels.square.api import Api, answered_at
from channels.square.units import whole_units

PATH: Final = "/v2/inventory/counts/batch-retrieve"
#: Rows of one read (OpenAPI, BatchRetrieveInventoryCountsRequest.limit).
ROWS: Final = 1000
IN_STOCK: Final = "IN_STOCK"


@dataclass(frozen=True, slots=True)
class Counted:
    """One binding's count as it was read.

    said     the quantity in Square's words, None where there is no row
    at       when Square last worked it out, None where there is no row
    read_at  when it was read, by Square's clock, no later than it really was
    """

    said: str | None
    at: datetime | None
    read_at: datetime

    @property
    def units(self) -> int | None:
        """Whole units; None where there is no row. Raises Fractional."""
        return None if self.said is None else whole_units(self.said)

    @property
    def true_at(self) -> datetime:
        """The moment a count that replaces this reading has to be of.

        Square counts again everything that happened after that moment. The Date of an answer has whole seconds: what
        happened in that second but before the reading has moved `at` past it. So a sale that the reading knows is never
        taken off twice, and one that came after the reading never gets lost.
        """
        return self.read_at if self.at is None else max(self.read_at, self.at)


def read(
    api: Api, bindings: Sequence[Binding], now: Callable[[], datetime]
) -> Iterator[tuple[Binding, Counted]]:
    """The count of each binding, one call for up to 1000, or more where their items lie at many other places too.

    now   our clock, for an answer without a Date
    """
    for start in range(0, len(bindings), ROWS):
        chunk = bindings[start : start + ROWS]
        rows, read_at = _rows(api, chunk, now)
        for binding in chunk:
            row = rows.get((binding.item_id, binding.vendor_location_id))
            said, at = (None, None) if row is None else (row.quantity, row.calculated_at)
            yield binding, Counted(said, at, read_at)


def _rows(
    api: Api, bindings: Sequence[Binding], now: Callable[[], datetime]
) -> tuple[dict[tuple[str, str], wire.Count], datetime]:
    """Rows by (variation, location)."""
    asked: dict[str, Json] = {
        "catalog_object_ids": sorted({binding.item_id for binding in bindings}),
        "location_ids": sorted({binding.vendor_location_id for binding in bindings}),
        "states": [IN_STOCK],
        "limit": ROWS,
    }
    rows: dict[tuple[str, str], wire.Count] = {}
    read_at: datetime | None = None
    cursor: str | None = None
    while True:
        body = asked if cursor is None else {**asked, "cursor": cursor}
        reply = api.send("POST", PATH, body=body, is_read=True)
        page = api.read(reply, wire.Counts)
        # The first page is the oldest: what it says may be passed by what came since, never the other way round.
        read_at = read_at or answered_at(reply) or now().replace(microsecond=0)
        for row in page.counts:
            if row.state == IN_STOCK:
                rows.setdefault((row.catalog_object_id, row.location_id), row)
        cursor = page.cursor
        if not cursor:
            return rows, read_at
