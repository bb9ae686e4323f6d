"""What a place that differs is asked for: orders in the book and outside, pushes, balances, other SKUs, quarantine.

Each question is one statement over the differing places, by their keys; nothing is asked of a place that is equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, text

from reconcile import crossings, evidence_orders
from reconcile.clues import Clues, Sale, TwiceBooked, UnseenOrder
from reconcile.evidence_orders import OWN_UNITS, Outside
from reconcile.traces import repeated
from reconcile.types import Case, SentPush

Place: TypeAlias = tuple[str, str]

#: Own sales that are looked at for one place, the newest.
_SALES_SEEN: Final = 200
#: How far apart the two entries of one order can lie.
_TWICE_WITHIN: Final = timedelta(days=14)

_PLACES = "unnest(CAST(:skus AS text[]), CAST(:locations AS text[])"

# What the channel took off its own number by itself. Of a bundle it took one: the parts stand as they stood, and a
# bundle's own orders are those lines of which every part was taken.
_OWN = """
        FROM posting p JOIN event e ON e.id = p.event_id {bundle}
        WHERE p.sku = {sku} AND p.occurred_at >= place.since AND p.occurred_at <= place.until
          AND e.channel = :channel AND e.kind = ANY(CAST(:kinds AS text[]))
          AND place.location IN (p.from_location, p.to_location)
          AND right(coalesce(e.line_id, e.source_id), length(p.sku) + 1) {is_part} '#' || p.sku
"""
_OWN_PARTS = _OWN.format(
    bundle="JOIN bundle b ON b.component = p.sku",
    sku="b.component AND b.sku = place.sku",
    is_part="=",
)
_LINE = "left(coalesce(e.line_id, e.source_id), -length(p.sku) - 1)"
_SALES = text(f"""
    SELECT place.sku, place.location, sale.units, sale.at
    FROM {_PLACES}, CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[])) AS place (sku, location, since, until)
    CROSS JOIN LATERAL (
        SELECT e.occurred_at AS at, sum({OWN_UNITS})::bigint AS units
        {_OWN.format(bundle="", sku="place.sku", is_part="<>")}
        GROUP BY e.id, e.occurred_at HAVING sum({OWN_UNITS}) <> 0
        UNION ALL
        SELECT e.occurred_at AS at, min({OWN_UNITS} / b.units)::bigint AS units
        {_OWN_PARTS}
        GROUP BY e.order_id, {_LINE}, e.kind, e.occurred_at
        HAVING count(DISTINCT p.sku) = (SELECT count(*) FROM bundle WHERE sku = place.sku)
           AND min({OWN_UNITS} / b.units) = max({OWN_UNITS} / b.units) AND min(abs({OWN_UNITS})) > 0
        ORDER BY at DESC LIMIT :at_most
    ) AS sale
    ORDER BY place.sku, place.location, sale.at DESC
""")  # noqa: S608 - composed of constants

# An order that stands in the book under two names: another source, or the same id written in another way. Two lines of
# one delivery are two lines.
_TWICE = text(f"""
    WITH booked AS MATERIALIZED (
        SELECT place.sku, place.location, e.id, e.seq, e.source, e.source_id, e.line_id, e.inbox_id, p.units,
               e.order_id, regexp_replace(e.order_id, '^.*[/#]', '') AS bare_order,
               regexp_replace(e.line_id, '^.*[/#]', '') AS bare_line
        FROM {_PLACES}) AS place (sku, location)
        JOIN posting p ON p.sku = place.sku AND p.occurred_at >= :since
                      AND p.from_location = place.location AND p.from_state = 'available'
        JOIN event e ON e.id = p.event_id
        WHERE e.channel = :channel AND e.kind = 'order'
    )
    SELECT second.sku, second.location, second.order_id, second.units, first.id::text AS first_id,
           second.id::text AS second_id, second.source, second.source_id
    FROM booked AS second
    JOIN booked AS first ON first.sku = second.sku AND first.location = second.location
         AND first.bare_order = second.bare_order AND first.seq < second.seq AND first.units = second.units
         AND (first.order_id, first.line_id) <> (second.order_id, second.line_id)
         AND (first.source <> second.source OR first.bare_line = second.bare_line)
         AND first.inbox_id IS DISTINCT FROM second.inbox_id
    WHERE NOT EXISTS (SELECT FROM event AS undone WHERE undone.reverses = second.id)
    ORDER BY second.sku, second.location, second.seq
""")  # noqa: S608 - composed of constants

_STOCK = text(f"""
    SELECT place.sku, place.location, target.rule_version,
           coalesce(sum(balance.units) FILTER (WHERE balance.state = 'committed'), 0)::bigint AS committed,
           coalesce(sum(balance.units) FILTER (WHERE balance.state = 'reserved'), 0)::bigint AS reserved,
           min(q.reason) AS quarantine
    FROM {_PLACES}) AS place (sku, location)
    JOIN target ON target.channel = :channel AND target.sku = place.sku AND target.location = place.location
    LEFT JOIN balance ON balance.sku = place.sku AND balance.location = place.location
          AND balance.state IN ('committed', 'reserved')
    LEFT JOIN quarantine q ON q.channel = :channel AND q.sku = place.sku AND q.location = place.location
          AND q.released_at IS NULL
    GROUP BY place.sku, place.location, target.rule_version
    ORDER BY place.sku, place.location
""")  # noqa: S608 - composed of constants

_STOPS = text("""
    SELECT id, set_at, confirmed_at FROM halt
    WHERE id = ANY(CAST(:ids AS bigint[])) AND confirmed_at IS NOT NULL ORDER BY id
""")
_AFTER_ALL: Final = 2**62

_SEEN_AT = text("""
    SELECT id, seen_at FROM drift WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id
""")


def collect(
    connection: Connection,
    channel: str,
    cases: Sequence[Case],
    *,
    grace: timedelta = timedelta(seconds=60),
    committed: Mapping[Place, int | None] | None = None,
) -> list[Case]:
    """The cases with their clues, in the same order.

    cases       of one channel, one a place; places that are equal after all cost nothing but their key
    grace       how long a channel order may take to reach us; what is younger lowers what is expected
    committed   units on the vendor's own open orders, where it told them with the reading
    """
    if not cases:
        return []
    places = [(case.sku, case.location) for case in cases]
    until = max(case.reading.observed_at for case in cases)
    outside = evidence_orders.unseen(connection, channel, set(places), until)
    asked = _Asked(
        grace,
        evidence_orders.known_to(connection, channel),
        outside,
        _sales(connection, channel, cases, outside.kinds),
        _twice(connection, channel, cases),
        _stock(connection, channel, places),
        _seen_at(connection, cases),
        evidence_orders.parked(connection, channel, {case.sku for case in cases}),
        _stops(connection, cases),
        committed or {},
    )
    return crossings.collect(connection, channel, [asked.of(case) for case in cases])


@dataclass(frozen=True, slots=True)
class _Stock:
    """What the book and the rules say of a place."""

    rule_version: int
    committed: int
    reserved: int
    quarantine: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The answers to every question, by place."""

    grace: timedelta
    known_to: datetime | None
    outside: Outside
    sales: Mapping[Place, tuple[Sale, ...]]
    twice: Mapping[Place, tuple[TwiceBooked, ...]]
    stock: Mapping[Place, _Stock]
    seen_at: Mapping[int, datetime]
    parked: Mapping[str, tuple[int, ...]]
    stops: Mapping[int, SentPush]
    committed: Mapping[Place, int | None]

    def of(self, case: Case) -> Case:
        """The case with what concerns it."""
        place, read_at = (case.sku, case.location), case.reading.observed_at
        young, old = _by_age(self.outside.orders.get(place, ()), read_at, self.grace)
        stop = None if case.halt_id is None else self.stops.get(case.halt_id)
        own, before = _since_pushed(case, stop, self.sales.get(place, ()))
        held, said = self.stock.get(place), self.committed.get(place)
        first = self.seen_at.get(case.open_drift.drift_id) if case.open_drift else None
        moved_at = [sale.at for sale in own] + [order.at for order in (*young, *old)]
        clues = Clues(
            sales=own,
            sales_before=before,
            unseen=old,
            asked=self.known_to is not None and self.known_to >= read_at - self.grace,
            known_to=self.known_to,
            last_order_at=max(moved_at, default=None),
            parked=self.parked.get(case.sku, ()),
            twice=self.twice.get(place, ()),
            cured_not=_cured_not(case, first),
            committed=said if said is not None else (held.committed if held else 0),
            reserved=held.reserved if held else 0,
            stop=stop,
            rule_version=held.rule_version if held else None,
            grace_is_over=first is not None and read_at - first >= self.grace,
            quarantine=held.quarantine if held else None,
        )
        return replace(
            case,
            unseen_units=case.unseen_units + sum(order.units for order in young),
            clues=clues,
        )


def _keys(channel: str, places: Sequence[Place]) -> dict[str, Any]:
    return {
        "channel": channel,
        "skus": [sku for sku, _ in places],
        "locations": [location for _, location in places],
    }


def _by_age(
    orders: Sequence[UnseenOrder], read_at: datetime, grace: timedelta
) -> tuple[tuple[UnseenOrder, ...], tuple[UnseenOrder, ...]]:
    """Orders up to the reading: those that may still be on their way, and those that should have come."""
    before = [order for order in orders if order.at <= read_at]
    young = tuple(order for order in before if order.at > read_at - grace)
    return young, tuple(order for order in before if order.at <= read_at - grace)


def _sales(
    connection: Connection, channel: str, cases: Sequence[Case], kinds: Sequence[str]
) -> dict[Place, tuple[Sale, ...]]:
    """Own sales in the book from the oldest push that is looked at to the reading."""
    taken = [(case, [p for p in case.pushes if p.outcome == "confirmed"]) for case in cases]
    pushed = [(case, pushes[-1]) for case, pushes in taken if pushes]
    if not pushed or not kinds:
        return {}
    keys = _keys(channel, [(case.sku, case.location) for case, _ in pushed])
    rows = connection.execute(
        _SALES,
        keys
        | {
            "since": [oldest.sent_at.replace(microsecond=0) for _, oldest in pushed],
            "until": [case.reading.observed_at for case, _ in pushed],
            "kinds": list(kinds),
            "at_most": _SALES_SEEN,
        },
    )
    found: dict[Place, list[Sale]] = {}
    for row in rows:
        found.setdefault((row.sku, row.location), []).append(Sale(row.units, row.at))
    return {place: tuple(sold) for place, sold in found.items()}


def _since_pushed(
    case: Case, stop: SentPush | None, sales: Sequence[Sale]
) -> tuple[tuple[Sale, ...], tuple[Sale, ...]]:
    """Sales since the number confirmed last was first pushed, which a stop's zero may be, and those before."""
    run = repeated(case) if stop is None else [stop]
    # A vendor's clock counts whole seconds: a sale in the second of the push came after it, or it would show.
    since = run[-1].sent_at.replace(microsecond=0) if run else case.reading.observed_at
    after = tuple(sale for sale in sales if sale.at >= since)
    return after, tuple(sale for sale in sales if sale.at < since)


def _twice(
    connection: Connection, channel: str, cases: Sequence[Case]
) -> dict[Place, tuple[TwiceBooked, ...]]:
    """Orders booked twice, of the places that show more than their target."""
    more = [case for case in cases if (case.reading.units or 0) > case.target.units]
    if not more:
        return {}
    since = min(case.reading.observed_at for case in more) - _TWICE_WITHIN
    keys = _keys(channel, [(case.sku, case.location) for case in more])
    found: dict[Place, list[TwiceBooked]] = {}
    for row in connection.execute(_TWICE, keys | {"since": since}):
        found.setdefault((row.sku, row.location), []).append(
            TwiceBooked(
                row.order_id, row.units, row.first_id, row.second_id, row.source, row.source_id
            )
        )
    return {place: tuple(pairs) for place, pairs in found.items()}


def _stock(connection: Connection, channel: str, places: Sequence[Place]) -> dict[Place, _Stock]:
    rows = connection.execute(_STOCK, _keys(channel, places))
    return {
        (row.sku, row.location): _Stock(
            row.rule_version, row.committed, row.reserved, row.quarantine
        )
        for row in rows
    }


def _stops(connection: Connection, cases: Sequence[Case]) -> dict[int, SentPush]:
    """The zeros of halts that were read back, by halt: numbers of ours that no push tells of."""
    ids = [case.halt_id for case in cases if case.halt_id is not None]
    if not ids:
        return {}
    rows = connection.execute(_STOPS, {"ids": ids})
    # It came after every number that was pushed before, whatever these are called.
    return {
        row.id: SentPush(
            0, 0, _AFTER_ALL, None, row.set_at, row.confirmed_at, "confirmed", "", row.confirmed_at
        )
        for row in rows
    }


def _seen_at(connection: Connection, cases: Sequence[Case]) -> dict[int, datetime]:
    ids = [case.open_drift.drift_id for case in cases if case.open_drift is not None]
    if not ids:
        return {}
    return {row.id: row.seen_at for row in connection.execute(_SEEN_AT, {"ids": ids})}


def _cured_not(case: Case, seen_at: datetime | None) -> int:
    """Pushes that the channel took since the drift was first seen; it is still there."""
    if seen_at is None:
        return 0
    taken = [push for push in case.pushes if push.outcome == "confirmed" and push.sent_at > seen_at]
    return sum(push.seen_at is None for push in taken)
