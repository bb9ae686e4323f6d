"""What a batch of the book tells of sales: which order lines count for more or less now, and what was carried out.

Returns do not count: what came back was wanted once. Lines of a bundle's parts count for the parts, which are what the
channels compete for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

from allocation.pace import Sold
from ledger.digest import Digest, Entry, LineKey
from ledger.postings import OrderLine
from ledger.types import State


def counts_for(line: OrderLine) -> int:
    """Units of an order line that the customer wanted and did not cancel."""
    return max(0, line.ordered_units - line.cancelled_units)


def changed_lines(result: Digest, before: Mapping[LineKey, OrderLine]) -> list[LineKey]:
    """Order lines that count for something else now; `before` is what the book knew when the batch was read."""
    return [key for key, line in result.lines.items() if _what(before.get(key)) != _what(line)]


def _what(line: OrderLine | None) -> tuple[str, str, int]:
    units = 0 if line is None else counts_for(line)
    return ("", "", 0) if line is None or units == 0 else (line.sku, line.location, units)


def first_told(entries: Iterable[Entry]) -> dict[LineKey, datetime]:
    """When the order lines of this batch were ordered, by the first that was told of each."""
    found: dict[LineKey, datetime] = {}
    for entry in entries:
        if entry.kind == "order" and entry.channel and entry.order_id and entry.line_id:
            key = (entry.channel, entry.order_id, entry.line_id)
            found.setdefault(key, entry.occurred_at)
    return found


def of_lines(
    keys: Iterable[LineKey],
    result: Digest,
    before: Mapping[LineKey, OrderLine],
    ordered_at: Mapping[LineKey, datetime],
) -> Iterator[Sold]:
    """What these lines counted for until now, taken back, and what they count for from now on.

    ordered_at    of each line: both count as of then
    """
    for key in keys:
        for line, lines in ((before.get(key), -1), (result.lines[key], 1)):
            if line is not None and (units := counts_for(line)):
                at = ordered_at.get(key, line.revision)
                yield Sold(line.sku, key[0], line.location, at, units, lines)


def carried_out(entries: Iterable[Entry]) -> Iterator[Sold]:
    """Units that left without an order: till sales, give-aways."""
    for entry in entries:
        if entry.kind == "ship" and entry.line_id is None:
            for move in entry.moves:
                if move.to_state == State.CUSTOMER:
                    channel = str(entry.payload.get("channel", ""))
                    yield Sold(move.sku, channel, move.from_location, entry.occurred_at, move.units)


def undone(entries: Iterable[Entry]) -> dict[UUID, Entry]:
    """Reversals of what no order line tells, by the event that each undoes."""
    return {
        entry.reverses: entry
        for entry in entries
        if entry.kind == "reversal" and entry.line_id is None and entry.reverses is not None
    }


def brought_back(entry: Entry, channel: str, at: datetime) -> Iterator[Sold]:
    """The reversal of units that left without an order on `channel` at `at`: as if they had never left."""
    for move in entry.moves:
        if move.from_state == State.CUSTOMER:
            yield Sold(move.sku, channel, move.to_location, at, move.units, -1)
