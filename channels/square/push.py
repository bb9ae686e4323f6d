"""Showing levels: read what stands there, then write counts of that moment, at most 100 a call.

Square has no compare-and-set. Ours is: every push first reads the counts (one call per 1000 rows of a location). A row
that shows what it shall is done; one that shows something else than was expected is `Stale`; the others are written as
a PHYSICAL_COUNT that holds as of the reading. Square orders changes by the time they happened, so what is sold between
the reading and the writing is taken off the new count as well, and no sale is lost.

A repeat. Every call has a key made of the push's key and its rows, and every row carries the push's key as its
reference. When a repeat finds a row that looks strange, or a key that was used, the history tells whether this very
push has written the row already.

A bad row. A call is all or nothing: rows that Square names are taken out, an error without a row halves the batch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.base import (
    Binding,
    Confirmed,
    Level,
    NotSent,
    Outcome,
    Rejected,
    Stale,
    Throttled,
    Unavailable,
)
from channels.http import Json
from channels.square import counts, history, wire
from channels.square.api import Api, Refusal
from channels.square.counts import Counted
from channels.square.units import Fractional, decimal_string

#: Rows of one push: one read and ten writes.
ROWS: Final = 1000
#: Changes of one call (connect-python-sdk, BatchChangeInventoryRequest: at most 100).
CHANGES: Final = 100
_ROW: Final = re.compile(r"^changes\[(\d+)\]")
_REFERENCE_CHARACTERS: Final = 255
#: Square takes counts of the last 24 hours only, so that a push can be no older either.
_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Row:
    """A level on its way and the moment that its count is of."""

    level: Level
    true_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one push by their place in it; at most 100 of them are one call.

    key         the push's own; a call's key follows from it and its rows
    reference   what the seller sees in Square's history
    """

    rows: Mapping[int, Row]
    key: str
    reference: str

    def part(self, places: Iterable[int]) -> Batch:
        """Some of the rows."""
        return Batch({place: self.rows[place] for place in places}, self.key, self.reference)

    def again(self) -> Batch:
        """The same rows under other keys."""
        return Batch(self.rows, derived(self.key, "again"), self.reference)

    @property
    def call_key(self) -> str:
        """The same for the same rows and units, whenever they are sent."""
        rows = (
            f"{row.level.binding.item_id}|{row.level.binding.vendor_location_id}|{row.level.units}"
            for row in self.rows.values()
        )
        return derived(self.key, "\n".join(rows))


def derived(key: str, word: str) -> str:
    """A key that follows from another: the same for the same words, at every try and in every process."""
    return hashlib.sha256(f"{key}|{word}".encode()).hexdigest()


def show(api: Api, levels: Sequence[Level], key: str, now: Callable[[], datetime]) -> list[Outcome]:
    """Show these levels; one outcome a level, in order. See `base.Channel.push`."""
    standing = dict(counts.read(api, [level.binding for level in levels], now))
    reference = key if len(key) <= _REFERENCE_CHARACTERS else derived(key, "reference")
    outcomes: dict[int, Outcome] = {}
    rows: dict[int, Row] = {}
    for place, level in enumerate(levels):
        counted = standing[level.binding]
        outcome = _standing(level, counted)
        if outcome is None:
            rows[place] = Row(level, counted.true_at)
        else:
            outcomes[place] = outcome
    outcomes |= _strange(api, outcomes, standing, reference)
    outcomes |= _written(api, Batch(rows, key, reference))
    return [outcomes[place] for place in range(len(levels))]


def _standing(level: Level, counted: Counted) -> Outcome | None:
    """What the reading alone says of a level; None when it has to be written."""
    try:
        units = counted.units
    except Fractional as problem:
        return Rejected(level, "FRACTIONAL", f"{level.binding.sku}: {problem}")
    if units == max(0, level.units):
        return Confirmed(level)
    if level.expected is not None and units != level.expected:
        return Stale(level)
    return None


def _strange(
    api: Api,
    outcomes: Mapping[int, Outcome],
    standing: Mapping[Binding, Counted],
    reference: str,
) -> dict[int, Outcome]:
    """Stale rows that this very push has written before: something was sold since, and nobody overwrote anything."""
    stale = {place: o.level for place, o in outcomes.items() if isinstance(o, Stale)}
    if not stale:
        return {}
    read_at = min(standing[level.binding].read_at for level in stale.values())
    done = _done(api, stale, reference, read_at)
    return {place: Confirmed(stale[place]) for place in done}


def _done(
    api: Api, levels: Mapping[int, Level], reference: str, read_at: datetime
) -> frozenset[int]:
    """Places whose level stands in the history under this push's reference."""
    bindings = [level.binding for level in levels.values()]
    made = {
        (change.item_id, change.to_place[0])
        for change in history.between(
            api,
            {binding.item_id for binding in bindings},
            {binding.vendor_location_id for binding in bindings},
            since=read_at - _DAY,
            types=("PHYSICAL_COUNT",),
        )
        if change.reference == reference
    }
    return frozenset(
        place
        for place, level in levels.items()
        if (level.binding.item_id, level.binding.vendor_location_id) in made
    )


def _written(api: Api, batch: Batch) -> dict[int, Outcome]:
    """Write in calls of at most 100; where the limit runs out after the first call, the rest was not sent."""
    places = list(batch.rows)
    outcomes: dict[int, Outcome] = {}
    for start in range(0, len(places), CHANGES):
        try:
            outcomes |= _write(api, batch.part(places[start : start + CHANGES]))
        except Throttled as refusal:
            if not start:
                raise
            return outcomes | {
                place: NotSent(batch.rows[place].level, refusal.retry_after_s)
                for place in places[start:]
            }
    return outcomes


def _write(api: Api, batch: Batch, *, is_second_try: bool = False) -> dict[int, Outcome]:
    if not batch.rows:
        return {}
    body: dict[str, Json] = {
        "idempotency_key": batch.call_key,
        "changes": [_change(row, batch.reference) for row in batch.rows.values()],
        # Left to itself Square drops a count that repeats the last one, whatever was sold in between.
        "ignore_unchanged_counts": False,
    }
    try:
        api.ask("POST", history.WRITE, wire.Changes, body=body)
    except Refusal as refusal:
        if refusal.has("IDEMPOTENCY_KEY_REUSED"):
            return _reused(api, batch, refusal, is_second_try=is_second_try)
        return _refused(api, batch, refusal, is_second_try=is_second_try)
    return {place: Confirmed(row.level) for place, row in batch.rows.items()}


def _reused(api: Api, batch: Batch, refusal: Refusal, *, is_second_try: bool) -> dict[int, Outcome]:
    """The key was used for these rows at another moment: either they are written already, or the key is spent."""
    levels = {place: row.level for place, row in batch.rows.items()}
    oldest = min(row.true_at for row in batch.rows.values())
    done = _done(api, levels, batch.reference, oldest)
    outcomes: dict[int, Outcome] = {place: Confirmed(levels[place]) for place in done}
    rest = [place for place in levels if place not in done]
    if rest and is_second_try:
        raise Unavailable(f"{refusal}; the history does not tell what became of its rows")
    return outcomes | _write(api, batch.part(rest).again(), is_second_try=True)


def _refused(
    api: Api, batch: Batch, refusal: Refusal, *, is_second_try: bool
) -> dict[int, Outcome]:
    if refusal.status == 409 or any(_is_about_time(problem) for problem in refusal.problems):
        # Somebody else is writing, or the vendor's clocks do not agree: later it will be fine.
        raise Unavailable(str(refusal))
    places = list(batch.rows)
    outcomes: dict[int, Outcome] = {}
    for problem in refusal.problems:
        row = _row_of(problem, len(places))
        if row is not None:
            level = batch.rows[places[row]].level
            outcomes.setdefault(places[row], Rejected(level, problem.code, problem.detail))
        elif problem.field:
            # About the call and none of its rows: halving would not help.
            raise refusal
    rest = [place for place in places if place not in outcomes]
    if outcomes:
        return outcomes | _write(api, batch.part(rest), is_second_try=is_second_try)
    if len(places) == 1:
        first = refusal.problems[0]
        level = batch.rows[places[0]].level
        return {places[0]: Rejected(level, first.code, first.detail or str(refusal))}
    middle = len(places) // 2
    return _write(api, batch.part(places[:middle]), is_second_try=is_second_try) | _write(
        api, batch.part(places[middle:]), is_second_try=is_second_try
    )


def _row_of(problem: wire.Problem, rows: int) -> int | None:
    found = _ROW.match(problem.field or "")
    row = int(found[1]) if found else rows
    return row if row < rows else None


def _is_about_time(problem: wire.Problem) -> bool:
    return (problem.field or "").endswith("occurred_at")


def _change(row: Row, reference: str) -> Json:
    binding = row.level.binding
    return {
        "type": "PHYSICAL_COUNT",
        "physical_count": {
            "catalog_object_id": binding.item_id,
            "location_id": binding.vendor_location_id,
            "state": counts.IN_STOCK,
            # Our ledger may be below zero; what is shown never is.
            "quantity": decimal_string(max(0, row.level.units)),
            "occurred_at": row.true_at.astimezone(UTC).isoformat(),
            "reference_id": reference,
        },
    }
