"""The mirror in PostgreSQL: marks, readings, and what the book says of the same stock at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, Row, text

from channels.amazon.fba import PARTS, FbaReading, Parts
from channels.amazon.following import Followed, State
from channels.amazon.mirror import Change, Off
from channels.amazon.movements import Place
from channels.amazon.wire import FBA


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one way of asking has come: in time, in rows, or in names."""

    at: datetime | None = None
    number: int = 0
    place: str = ""


_MARK = text("SELECT at, number, place FROM amazon_mark WHERE channel = :channel AND name = :name")
_SET_MARK = text("""
    INSERT INTO amazon_mark (channel, name, at, number, place) VALUES (:channel, :name, :at, :number, :place)
    ON CONFLICT (channel, name) DO UPDATE SET at = excluded.at, number = excluded.number, place = excluded.place
""")


def mark(connection: Connection, channel: str, name: str) -> Mark:
    """The mark of this name; an empty one before it was ever set."""
    row = connection.execute(_MARK, {"channel": channel, "name": name}).one_or_none()
    return Mark() if row is None else Mark(row.at, row.number, row.place)


def set_mark(connection: Connection, channel: str, name: str, reached: Mark) -> None:
    """Move a mark."""
    connection.execute(
        _SET_MARK,
        {
            "channel": channel,
            "name": name,
            "at": reached.at,
            "number": reached.number,
            "place": reached.place,
        },
    )


_OPENED = text("""
    SELECT seller_sku, opened_at FROM fba_mirror
    WHERE channel = :channel AND opened_at IS NOT NULL ORDER BY seller_sku
""")


def opened(connection: Connection, channel: str) -> dict[str, datetime]:
    """Seller SKU -> since when the book follows it."""
    rows = connection.execute(_OPENED, {"channel": channel})
    return {row.seller_sku: row.opened_at for row in rows}


_PLACES = text("""
    SELECT item_id, sku, location, pack FROM binding
    WHERE channel = :channel AND vendor_location_id = :network
    ORDER BY item_id
""")


def places(connection: Connection, channel: str) -> dict[str, Place]:
    """Seller SKU -> where its units in Amazon's network stand in our book."""
    rows = connection.execute(_PLACES, {"channel": channel, "network": FBA})
    return {row.item_id: Place(row.sku, row.location, row.pack) for row in rows}


# Newest by Amazon's clock wins; at the same moment a change of the inbound parts alone is news, for it moves no clock.
_KEEP = text(f"""
    WITH given AS (
        SELECT DISTINCT ON (seller_sku) * FROM json_to_recordset(CAST(:rows AS json)) AS given (
            position integer, seller_sku text, as_of timestamptz, source text,
            {", ".join(f"{part} bigint" for part in PARTS)})
        ORDER BY seller_sku, as_of DESC, position DESC
    ), news AS (
        INSERT INTO fba_reading (channel, seller_sku, as_of, read_at, source, {", ".join(PARTS)})
        SELECT :channel, given.seller_sku, given.as_of, :read_at, given.source,
               {", ".join(f"given.{part}" for part in PARTS)}
        FROM given
        LEFT JOIN LATERAL (
            SELECT * FROM fba_reading
            WHERE channel = :channel AND seller_sku = given.seller_sku ORDER BY as_of DESC, id DESC LIMIT 1
        ) AS newest ON true
        WHERE newest.id IS NULL
           OR (given.as_of >= newest.as_of
               AND ({", ".join(f"given.{part}" for part in PARTS)})
                   IS DISTINCT FROM ({", ".join(f"newest.{part}" for part in PARTS)}))
        ORDER BY given.seller_sku
        RETURNING id, seller_sku
    )
    INSERT INTO fba_mirror (channel, seller_sku, reading_id)
    SELECT :channel, seller_sku, id FROM news ORDER BY seller_sku
    ON CONFLICT (channel, seller_sku) DO UPDATE SET reading_id = excluded.reading_id
    RETURNING seller_sku
""")  # noqa: S608 -- names of columns, from the dataclass


def keep_readings(
    connection: Connection, channel: str, readings: Sequence[FbaReading], *, read_at: datetime
) -> int:
    """Keep what is news: another number, and not older than the newest known. Returns how many were."""
    if not readings:
        return 0
    rows = [
        {
            "position": position,
            "seller_sku": reading.seller_sku,
            "as_of": reading.as_of,
            "source": reading.source,
            **asdict(reading.parts),
        }
        for position, reading in enumerate(readings)
    ]
    values = {"channel": channel, "read_at": read_at, "rows": orjson.dumps(rows).decode()}
    return len(connection.execute(_KEEP, values).fetchall())


# Where the book stood then is where it stands now, less what happened since: only recent postings are touched.
_FOLLOWED = text("""
    SELECT m.seller_sku, b.sku, b.location, b.pack, m.opened_at, m.held_units, m.held_number, m.off_units, m.off_cycles,
           m.off_window,
           as_of.at AS as_of, r.fulfillable, r.pending_orders, r.transshipment, r.processing, r.inbound_working,
           r.inbound_shipped, r.inbound_receiving, r.researching, r.unfulfillable,
           book.on_hand - since.on_hand AS on_hand, book.on_hand - since.on_hand_soon AS on_hand_soon,
           book.committed - least(since.committed, since.committed_soon) AS committed,
           rows.waiting * b.pack AS waiting
    FROM fba_mirror AS m
    JOIN fba_reading AS r ON r.id = m.reading_id
    JOIN binding AS b ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = :network
    CROSS JOIN LATERAL (SELECT greatest(r.as_of, CAST(:horizon AS timestamptz)) AS at) AS as_of
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(units), 0)::bigint AS on_hand,
               coalesce(sum(units) FILTER (WHERE state = 'committed'), 0)::bigint AS committed
        FROM balance
        WHERE sku = b.sku AND location = b.location
          AND state IN ('available', 'committed', 'reserved', 'unavailable')
    ) AS book
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(leg.units), 0)::bigint AS on_hand,
               coalesce(sum(leg.units) FILTER (
                   WHERE p.occurred_at > as_of.at + make_interval(secs => :slack_s)), 0)::bigint AS on_hand_soon,
               coalesce(sum(leg.units) FILTER (WHERE leg.state = 'committed'), 0)::bigint AS committed,
               coalesce(sum(leg.units) FILTER (WHERE leg.state = 'committed'
                   AND p.occurred_at > as_of.at + make_interval(secs => :slack_s)), 0)::bigint AS committed_soon
        FROM posting AS p
        CROSS JOIN LATERAL (VALUES (p.to_location, p.to_state, p.units),
                                   (p.from_location, p.from_state, -p.units)) AS leg (location, state, units)
        WHERE p.sku = b.sku AND p.occurred_at > as_of.at AND leg.location = b.location
          AND leg.state IN ('available', 'committed', 'reserved', 'unavailable')
    ) AS since
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(units) FILTER (WHERE state = 'new' AND disposition = 'SELLABLE'
                   AND event <> 'WhseTransfers' AND at <= as_of.at), 0)::bigint AS waiting
        FROM fba_row
        WHERE channel = m.channel AND seller_sku = m.seller_sku AND at > as_of.at - interval '30 days'
    ) AS rows
    WHERE m.channel = :channel
    ORDER BY m.seller_sku
""")


def followed(
    connection: Connection, channel: str, *, slack_s: float, horizon: datetime
) -> list[Followed]:
    """Every SKU of the channel that Amazon has told of and that is bound.

    slack_s    how far two clocks may tell the same moment apart
    horizon    what did not change since then is taken to be of then: the book is not opened further back
    """
    values = {"channel": channel, "network": FBA, "slack_s": slack_s, "horizon": horizon}
    return [_followed(row) for row in connection.execute(_FOLLOWED, values)]


def _followed(row: Row[tuple[object, ...]]) -> Followed:
    return Followed(
        seller_sku=row.seller_sku,
        place=Place(row.sku, row.location, row.pack),
        parts=parts_of(row),
        as_of=row.as_of,
        opened_at=row.opened_at,
        held=row.held_units,
        held_number=row.held_number,
        off=Off(row.off_units, row.off_cycles, row.off_window) if row.off_units else None,
        committed=row.committed,
        on_hand=row.on_hand,
        on_hand_soon=row.on_hand_soon,
        waiting=row.waiting,
    )


def parts_of(row: Row[tuple[object, ...]], prefix: str = "") -> Parts:
    """The parts in a row that has them as columns."""
    return Parts(**{part: getattr(row, prefix + part) for part in PARTS})


_SET_STATE = text("""
    UPDATE fba_mirror AS m SET
        opened_at = coalesce(m.opened_at, given.opened_at), held_units = given.held, held_number = given.held_number,
        off_units = given.off_units, off_cycles = given.off_cycles, off_window = given.off_window,
        off_since = CASE WHEN given.off_units = 0 THEN NULL
                         WHEN given.off_cycles = 1 THEN CAST(:now AS timestamptz)
                         ELSE coalesce(m.off_since, :now) END
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        seller_sku text, opened_at timestamptz, held bigint, held_number bigint, off_units bigint, off_cycles integer,
        off_window timestamptz)
    WHERE m.channel = :channel AND m.seller_sku = given.seller_sku
""")


def set_states(
    connection: Connection, channel: str, states: Iterable[State], *, now: datetime
) -> None:
    """Write down how the book follows these SKUs, in the transaction that tells the book."""
    rows = [
        {
            "seller_sku": state.seller_sku,
            "opened_at": state.opened_at,
            "held": state.held,
            "held_number": state.held_number,
            "off_units": state.off.units if state.off else 0,
            "off_cycles": state.off.cycles if state.off else 0,
            "off_window": state.off.window_at if state.off else None,
        }
        for state in states
    ]
    if rows:
        values = {"channel": channel, "now": now, "rows": orjson.dumps(rows).decode()}
        connection.execute(_SET_STATE, values)


_KEEP_CHANGES = text("""
    INSERT INTO fba_change (reading_id, before_id, channel, seller_sku, from_at, to_at, sale, mcf, inbound, returned,
                            removal, adjustment, transfer, rest, fulfillable, explained_at)
    SELECT reading_id, before_id, :channel, seller_sku, from_at, to_at, sale, mcf, inbound, returned, removal,
           adjustment, transfer, rest, fulfillable, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        reading_id bigint, before_id bigint, seller_sku text, from_at timestamptz, to_at timestamptz, sale bigint,
        mcf bigint, inbound bigint, returned bigint, removal bigint, adjustment bigint, transfer bigint, rest bigint,
        fulfillable bigint)
    ORDER BY reading_id
    ON CONFLICT (reading_id) DO UPDATE SET
        sale = excluded.sale, mcf = excluded.mcf, inbound = excluded.inbound, returned = excluded.returned,
        removal = excluded.removal, adjustment = excluded.adjustment, transfer = excluded.transfer,
        rest = excluded.rest, explained_at = excluded.explained_at
""")


@dataclass(frozen=True, slots=True)
class Explained:
    """A change between two consecutive readings, explained."""

    reading_id: int
    before_id: int
    seller_sku: str
    from_at: datetime
    to_at: datetime
    change: Change


def keep_changes(
    connection: Connection, channel: str, explained: Iterable[Explained], *, now: datetime
) -> int:
    """Keep explanations; one that was kept before is replaced. Returns the rows written."""
    rows = [
        {
            "reading_id": one.reading_id,
            "before_id": one.before_id,
            "seller_sku": one.seller_sku,
            "from_at": one.from_at,
            "to_at": one.to_at,
            **asdict(one.change),
            "fulfillable": one.change.fulfillable,
        }
        for one in explained
    ]
    if not rows:
        return 0
    values = {"channel": channel, "now": now, "rows": orjson.dumps(rows).decode()}
    return connection.execute(_KEEP_CHANGES, values).rowcount
