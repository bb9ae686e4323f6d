"""What only two SKUs together tell: numbers exchanged, or a number written to the place of another SKU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy import Connection, text

from reconcile.traces import Hand, at_push, hand, last_confirmed, made, unseen_units
from reconcile.types import Case, SentPush

Place: TypeAlias = tuple[str, str]

#: How long a call may have lasted that wrote a number to the wrong place.
_CALL: Final = timedelta(seconds=10)

# Pushes of other SKUs of what is shown here, about the second in which it came here. What was read back at its own
# place landed there: it wrote nothing here. What the other shows is needed where both came in one call.
_WRITERS = text("""
    SELECT place.sku, place.location, p.sku AS writer, p.id, p.units, p.number, p.sent_at, p.answered_at,
           s.read_units AS writer_shows, s.read_at AS writer_read_at
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                CAST(:changed AS timestamptz[])) AS place (sku, location, units, changed)
    JOIN push p ON p.channel = :channel AND p.sent_at BETWEEN place.changed - CAST(:call AS interval)
                                                          AND place.changed + interval '1 second'
    JOIN shown s ON s.channel = p.channel AND s.sku = p.sku AND s.location = p.location
    WHERE p.location = place.location AND p.units = place.units AND p.sku <> place.sku
      AND p.outcome = 'confirmed' AND p.seen_at IS NULL
      AND NOT coalesce(s.read_at >= p.sent_at AND s.read_units = s.units, false)
    ORDER BY place.sku, place.location, p.id
""")


# Halts of other SKUs whose zeros do not come through: their own place goes on showing units, and this one came to zero
# meanwhile. With more than one of them, nobody can say which it was.
_STOPS = text("""
    SELECT place.sku, place.location, min(h.sku) AS writer
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:changed AS timestamptz[]))
         AS place (sku, location, changed)
    JOIN halt h ON h.channel = :channel AND h.state = 'setting' AND h.sku <> place.sku AND h.set_at <= place.changed
               AND jsonb_exists(h.undo, place.location)
    JOIN shown s ON s.channel = h.channel AND s.sku = h.sku AND s.location = place.location
    WHERE s.read_units > 0 AND s.read_at >= place.changed
    GROUP BY place.sku, place.location
    HAVING count(*) = 1
""")


@dataclass(frozen=True, slots=True)
class Writer:
    """Another SKU that pushed what is shown here, when it came here.

    shows    what the other shows at this location, by its last reading since that push; None when there is none
    """

    sku: str
    shows: int | None


def collect(connection: Connection, channel: str, cases: Sequence[Case]) -> list[Case]:
    """The cases with what other SKUs tell of them, in the same order."""
    writers = _writers(connection, channel, cases)
    stops = _stops(connection, channel, cases)
    exchanged = _exchanged(cases)
    return [
        replace(
            case,
            clues=replace(
                case.clues,
                crossed=exchanged.get((case.sku, case.location)),
                written_for=_written_for(case, writers.get((case.sku, case.location), ()))
                or stops.get((case.sku, case.location)),
            ),
        )
        for case in cases
    ]


def _writers(
    connection: Connection, channel: str, cases: Sequence[Case]
) -> dict[Place, list[Writer]]:
    """By place, who else pushed what is shown there in the second in which it came there."""
    asked = [case for case in cases if _is_strange(case)]
    if not asked:
        return {}
    changed = {(case.sku, case.location): case.reading.updated_at for case in asked}
    rows = connection.execute(
        _WRITERS,
        {
            "channel": channel,
            "skus": [case.sku for case in asked],
            "locations": [case.location for case in asked],
            "units": [_shown(case) for case in asked],
            "changed": list(changed.values()),
            "call": _CALL,
        },
    )
    read_now = {(case.sku, case.location): case.reading.units for case in cases}
    found: dict[Place, list[Writer]] = {}
    for row in rows:
        place = (row.sku, row.location)
        push = SentPush(
            row.id, row.units, row.number, None, row.sent_at, row.answered_at, "confirmed", ""
        )
        at = changed[place]
        if at is None or not made(push, at):
            continue
        kept = row.writer_shows if _is_since(row.writer_read_at, row.sent_at) else None
        found.setdefault(place, []).append(
            Writer(row.writer, read_now.get((row.writer, row.location), kept))
        )
    return found


def _stops(connection: Connection, channel: str, cases: Sequence[Case]) -> dict[Place, str]:
    """By place that shows nothing, the other SKU whose stop took it off sale in place of its own."""
    asked = [
        case
        for case in cases
        if _shown(case) == 0 and _is_strange(case) and hand(case) in (Hand.BEFORE, Hand.OTHER)
    ]
    if not asked:
        return {}
    rows = connection.execute(
        _STOPS,
        {
            "channel": channel,
            "skus": [case.sku for case in asked],
            "locations": [case.location for case in asked],
            "changed": [case.reading.updated_at for case in asked],
        },
    )
    return {(row.sku, row.location): row.writer for row in rows}


def _is_since(read_at: datetime | None, sent_at: datetime) -> bool:
    return read_at is not None and read_at >= sent_at


def _is_strange(case: Case) -> bool:
    """Whether what is shown was never a number of this place."""
    shown = _shown(case)
    return case.reading.updated_at is not None and all(push.units != shown for push in case.pushes)


def _shown(case: Case) -> int:
    return (case.reading.units or 0) + unseen_units(case)


def _written_for(case: Case, writers: Sequence[Writer]) -> str | None:
    """The other SKU whose push wrote what is shown here.

    Where a push of our own came in the same second, as rows of one call do, the other must show what it pushed here.
    """
    changed = case.reading.updated_at
    if not writers or changed is None:
        return None
    ours = {p.units for p in case.pushes if p.outcome == "confirmed" and made(p, changed)}
    if not ours:
        return writers[0].sku if hand(case) in (Hand.BEFORE, Hand.OTHER) else None
    return next((writer.sku for writer in writers if writer.shows in ours), None)


def _exchanged(cases: Sequence[Case]) -> dict[Place, str]:
    """By place, the other SKU that shows this one's number while this one shows that of the other.

    Of places that our pushes changed last, or orders since: what nothing changed, or somebody else, was not exchanged.
    """
    shows: dict[tuple[str, int, int], str] = {}
    pairs: dict[Place, tuple[int, int]] = {}
    for case in cases:
        pair = _pushed_and_shown(case)
        if pair is not None and hand(case) not in (Hand.BEFORE, Hand.OTHER):
            pairs[case.sku, case.location] = pair
            shows[case.location, *pair] = case.sku
    found = {}
    for (sku, location), (pushed, shown) in pairs.items():
        other = shows.get((location, shown, pushed))
        if other is not None:
            found[sku, location] = other
    return found


def _pushed_and_shown(case: Case) -> tuple[int, int] | None:
    """What was pushed last, and what would be shown had nobody ordered since; None when that is a number of its own."""
    last = last_confirmed(case)
    if last is None or case.reading.units is None:
        return None
    shown = at_push(case, case.reading.units + unseen_units(case))
    own = {push.units for push in case.pushes}
    return None if shown in own else (last.units, shown)
