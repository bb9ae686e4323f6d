"""Targets as they stood at a reading, where they have moved since by nothing but orders of the channel itself.

Of a SKU that sells, the target has moved by the time the orders up to a reading are heard. The reading is worth as much
as before, if all that moved the target is known: it is compared with the target of now, and the orders that came after
it. Where anything else moved the target, or an order lies within the blur of the vendor's clock, it cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

from reconcile.evidence_orders import OWN_UNITS, own_kinds
from reconcile.types import Case, Target

#: Vendors stamp whole seconds, and not always by the clock that answers the call.
_BLUR: Final = timedelta(seconds=2)

# The target as it stood at the reading, and the channel's own orders that were booked since it was set.
_STOOD = text(f"""
    SELECT place.sku, place.location, stood.units AS target, stood.number, stood.set_at,
           coalesce(sum(own.units), 0)::bigint AS moved,
           coalesce(sum(own.units) FILTER (WHERE own.at > place.at + CAST(:blur AS interval)), 0)::bigint AS after,
           coalesce(sum(abs(own.units)) FILTER (WHERE own.at BETWEEN place.at - CAST(:blur AS interval)
                                                                 AND place.at + CAST(:blur AS interval)), 0)::bigint
               AS doubtful
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:at AS timestamptz[]))
         AS place (sku, location, at)
    CROSS JOIN LATERAL (
        SELECT h.units, h.number, h.set_at FROM target_history h
        WHERE h.channel = :channel AND h.sku = place.sku AND h.location = place.location AND h.set_at <= place.at
        ORDER BY h.number DESC LIMIT 1
    ) AS stood
    LEFT JOIN LATERAL (
        SELECT e.occurred_at AS at, {OWN_UNITS} AS units
        FROM posting p JOIN event e ON e.id = p.event_id
        WHERE p.sku = place.sku AND p.recorded_at > stood.set_at
          AND p.occurred_at >= place.at - CAST(:look_back AS interval)
          AND e.channel = :channel AND e.kind = ANY(CAST(:kinds AS text[]))
          AND place.location IN (p.from_location, p.to_location)
          AND right(coalesce(e.line_id, e.source_id), length(p.sku) + 1) <> '#' || p.sku
    ) AS own ON true
    GROUP BY place.sku, place.location, stood.units, stood.number, stood.set_at
""")  # noqa: S608 - composed of constants
#: How long before a reading an order may have been taken that is booked after it.
_LOOK_BACK: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class _Stood:
    """The target as it stood, and units that the channel's orders took since: all, after the reading, about it."""

    target: Target
    moved: int
    after: int
    doubtful: int


def as_read(connection: Connection, channel: str, cases: Sequence[Case]) -> list[Case]:
    """The cases, in the same order; those whose target moved after the reading with the target of the reading.

    Only where the orders up to the reading are heard, and explain to the unit how the target moved; others are returned
    as they are, and stay too old to be compared.
    """
    moved = [case for case in cases if _has_moved(case)]
    if not moved:
        return list(cases)
    kinds = own_kinds(connection, channel)
    if not kinds:
        return list(cases)
    rows = connection.execute(
        _STOOD,
        {
            "channel": channel,
            "kinds": list(kinds),
            "blur": _BLUR,
            "look_back": _LOOK_BACK,
            "skus": [case.sku for case in moved],
            "locations": [case.location for case in moved],
            "at": [case.reading.observed_at for case in moved],
        },
    )
    stood = {
        (row.sku, row.location): _Stood(
            Target(row.target, row.number, row.set_at), row.moved, row.after, row.doubtful
        )
        for row in rows
    }
    return [_as_read(case, stood.get((case.sku, case.location))) for case in cases]


def _has_moved(case: Case) -> bool:
    """Whether only the target came after the reading, and all orders up to it are heard."""
    mark, read_at = case.orders_mark, case.reading.observed_at
    if case.halt_state is not None or mark is None or mark < read_at or case.mirror:
        return False
    return case.target.set_at > read_at and case.recompute_since is None


def _as_read(case: Case, stood: _Stood | None) -> Case:
    if (
        stood is None
        or not _has_moved(case)
        or stood.target.units - case.target.units != stood.moved
    ):
        return case
    units = case.target.units + stood.after
    if (
        stood.doubtful
        and abs((case.reading.units or 0) - (units - case.unseen_units)) <= stood.doubtful
    ):
        return case
    shown = case.shown
    if shown is not None and shown.units is not None:
        # What is believed to be shown follows the orders too.
        shown = replace(shown, units=shown.units + stood.after)
    # What became due after the reading because it is wrong makes it no better.
    waiting = case.waiting
    if waiting is not None and waiting.since > case.reading.observed_at:
        waiting = None
    return replace(case, target=replace(stood.target, units=units), shown=shown, waiting=waiting)
