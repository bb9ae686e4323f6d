"""Square's own history of stock, read in the words of either era, and the one change we write in them: a move.

Before `Square-Version` 2026-07-15 units that change place are a TRANSFER and an adjustment has one location; from then
on they are an ADJUSTMENT with two (developer.squareup.com/docs/changelog/connect-logs/2026-07-15). Reading takes every
spelling whatever the version: an account's history is older than its application.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from channels.base import Unreadable
from channels.http import Json
from channels.square import wire
from channels.square.api import Api
from channels.square.counts import IN_STOCK
from channels.square.units import decimal_string

READ: Final = "/v2/inventory/changes/batch-retrieve"
WRITE: Final = "/v2/inventory/changes/batch-create"
#: The first version in which a move between locations is an adjustment.
MOVES_SINCE: Final = "2026-07-15"
_ROWS: Final = 1000

Kind = Literal["count", "adjustment", "move"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to the stock of a variation.

    kind         count: somebody said what is there; adjustment: units changed state; move: they changed place
    said         the quantity, in Square's words
    from_, to_   (location, state); the same twice for a count; a location is "" where Square does not say
    reference    of whoever wrote it, "" where none was given
    """

    change_id: str
    kind: Kind
    item_id: str
    said: str
    from_place: tuple[str, str]
    to_place: tuple[str, str]
    occurred_at: datetime
    reference: str


def moves_are_adjustments(version: str) -> bool:
    """Which era a `Square-Version` belongs to."""
    return version >= MOVES_SINCE


def between(
    api: Api,
    item_ids: Collection[str],
    location_ids: Collection[str],
    *,
    since: datetime,
    types: Sequence[str] = (),
) -> Iterator[Change]:
    """What arrived after `since` for these variations at these locations, in the order of the vendor's answer.

    types   PHYSICAL_COUNT and ADJUSTMENT when empty; a TRANSFER of the older era cannot be asked for here
    """
    for change in raw(api, item_ids, location_ids, since=since, types=types):
        yield change_of(change)


def raw(
    api: Api,
    item_ids: Collection[str],
    location_ids: Collection[str],
    *,
    since: datetime,
    types: Sequence[str] = (),
) -> Iterator[wire.Change]:
    """As `between`, in Square's words."""
    asked: dict[str, Json] = {
        "catalog_object_ids": sorted(item_ids),
        "location_ids": sorted(location_ids),
        "updated_after": since.astimezone(UTC).isoformat(timespec="milliseconds"),
        "limit": _ROWS,
    }
    if types:
        asked["types"] = list(types)
    for page in api.pages(READ, wire.Changes, asked):
        yield from page.changes


def change_of(change: wire.Change) -> Change:
    """One entry of the history in our words. Raises Unreadable for an entry without its part."""
    if change.physical_count is not None:
        count = change.physical_count
        place = (count.location_id or "", count.state or "")
        return _change("count", count, place, place)
    if change.transfer is not None:
        moved = change.transfer
        state = moved.state or IN_STOCK
        return _change(
            "move",
            moved,
            (moved.from_location_id or "", state),
            (moved.to_location_id or "", state),
        )
    if change.adjustment is not None:
        adjusted = change.adjustment
        before, after = places(adjusted)
        return _change(
            "adjustment" if before == after else "move",
            adjusted,
            (before, adjusted.from_state or ""),
            (after, adjusted.to_state or ""),
        )
    raise Unreadable(f"Square: a stock change of type {change.type!r} without what it changed")


def places(adjustment: wire.Adjustment) -> tuple[str, str]:
    """Locations before and after, whichever era wrote them; a side left out is that of the other."""
    before = adjustment.from_location_id or adjustment.location_id or adjustment.to_location_id
    after = adjustment.to_location_id or adjustment.location_id or adjustment.from_location_id
    return before or "", after or ""


def move(
    api: Api,
    item_id: str,
    from_location: str,
    to_location: str,
    units: int,
    *,
    occurred_at: datetime,
    key: str,
    reference: str,
) -> Change:
    """Take units in stock from one location to another, in the words of the version we speak.

    key      a repeat with the same key is harmless;  units  above 0
    raises   ChannelError; Refused where the seller's plan has no transfers (older era, Retail Plus)
    """
    moved: dict[str, Json] = {
        "catalog_object_id": item_id,
        "from_location_id": from_location,
        "to_location_id": to_location,
        "quantity": decimal_string(units),
        "occurred_at": occurred_at.astimezone(UTC).isoformat(),
        "reference_id": reference,
    }
    change: dict[str, Json]
    if moves_are_adjustments(api.version):
        moved |= {"from_state": IN_STOCK, "to_state": IN_STOCK, "reason_id": {"type": "TRANSFER"}}
        change = {"type": "ADJUSTMENT", "adjustment": moved}
    else:
        change = {"type": "TRANSFER", "transfer": {**moved, "state": IN_STOCK}}
    body: dict[str, Json] = {"idempotency_key": key, "changes": [change]}
    made = api.ask("POST", WRITE, wire.Changes, body=body).changes
    if len(made) != 1:
        raise Unreadable(f"Square: one move was written and {len(made)} changes were told")
    return change_of(made[0])


def _change(
    kind: Kind, told: wire.Adjustment | wire.PhysicalCount | wire.Transfer,
    before: tuple[str, str], after: tuple[str, str],
) -> Change:  # fmt: skip
    return Change(
        change_id=told.id,
        kind=kind,
        item_id=told.catalog_object_id or "",
        said=told.quantity or "0",
        from_place=before,
        to_place=after,
        occurred_at=told.occurred_at,
        reference=told.reference_id or "",
    )
