"""The network's own records in PostgreSQL: what is stranded, what Amazon measured, limits of storage, past receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import orjson
from sqlalchemy import Connection, text

from channels.amazon.movements import LEDGER
from channels.amazon.sizes import Size
from channels.amazon.stranded import Stranded

#: Kind of the reports that tell of receipts from before the book was opened.
PAST: Final = f"{LEDGER}/Receipts"
#: Amazon tells of 18 months, in spans of some 90 days; that is older than the oldest age it charges by.
_SPAN: Final = timedelta(days=90)
_SPANS: Final = 6
_AGAIN: Final = timedelta(days=1)
#: What Amazon says of a report that would be empty.
_EMPTY: Final = "Amazon: CANCELLED"

_STRAND = text("""
    INSERT INTO fba_stranded (channel, seller_sku, since, reason, action, fulfillable, auto_removal_at, read_at)
    SELECT :channel, seller_sku, since, reason, action, fulfillable, auto_removal_at, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        seller_sku text, since timestamptz, reason text, action text, fulfillable bigint, auto_removal_at timestamptz)
    ORDER BY seller_sku
    ON CONFLICT (channel, seller_sku) DO UPDATE SET
        since = excluded.since, reason = excluded.reason, action = excluded.action,
        fulfillable = excluded.fulfillable, auto_removal_at = excluded.auto_removal_at, read_at = excluded.read_at,
        gone_at = NULL
""")
_NO_MORE = text("""
    UPDATE fba_stranded SET gone_at = :now
    WHERE channel = :channel AND gone_at IS NULL AND seller_sku <> ALL(CAST(:skus AS text[]))
""")


def keep_stranded(
    connection: Connection, channel: str, rows: Sequence[Stranded], *, now: datetime
) -> int:
    """Keep what a report names; what it leaves out is stranded no more. Returns how many it names."""
    given = orjson.dumps([asdict(row) for row in rows]).decode()
    connection.execute(_STRAND, {"channel": channel, "now": now, "rows": given})
    skus = [row.seller_sku for row in rows]
    connection.execute(_NO_MORE, {"channel": channel, "now": now, "skus": skus})
    return len(rows)


_MEASURE = text("""
    INSERT INTO fba_size (channel, seller_sku, cubic_feet, size_band, pounds, read_at)
    SELECT :channel, seller_sku, cubic_feet, size_band, pounds, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        seller_sku text, cubic_feet numeric, size_band text, pounds numeric)
    ORDER BY seller_sku
    ON CONFLICT (channel, seller_sku) DO UPDATE SET
        cubic_feet = excluded.cubic_feet, size_band = excluded.size_band, pounds = excluded.pounds,
        read_at = excluded.read_at
""")


def keep_sizes(connection: Connection, channel: str, rows: Sequence[Size], *, now: datetime) -> int:
    """Keep what Amazon measured; a newer measure replaces an older one."""
    if not rows:
        return 0
    given = orjson.dumps([asdict(row) for row in rows], default=str).decode()
    return connection.execute(_MEASURE, {"channel": channel, "now": now, "rows": given}).rowcount


# -- receipts of before ----------------------------------------------------------------------------------------------

_FIRST = text("SELECT min(data_from) FROM amazon_report WHERE channel = :channel AND kind = :kind")
_SLICES = text("""
    SELECT data_from, state, error, asked_at FROM amazon_report
    WHERE channel = :channel AND kind = :kind AND data_from IS NOT NULL
    ORDER BY asked_at, report_id
""")


def past_to_ask(
    connection: Connection, channel: str, now: datetime
) -> tuple[datetime, datetime] | None:
    """The next span of receipts to ask for, newest first; None: all were asked for, or the ledger never was.

    A span whose report failed is asked for again a day later; one that Amazon cancelled had no receipts.
    """
    begun = connection.execute(_FIRST, {"channel": channel, "kind": LEDGER}).scalar_one()
    if begun is None:
        return None
    asked = {
        row.data_from: row
        for row in connection.execute(_SLICES, {"channel": channel, "kind": PAST})
    }
    for number in range(_SPANS):
        since = begun - _SPAN * (number + 1)
        row = asked.get(since)
        if row is None or _is_to_ask_again(row.state, row.error, row.asked_at, now):
            return since, since + _SPAN - timedelta(seconds=1)
    return None


def _is_to_ask_again(state: str, error: str, asked_at: datetime, now: datetime) -> bool:
    return state == "failed" and error != _EMPTY and now >= asked_at + _AGAIN


def receipts_since(connection: Connection, channel: str) -> datetime | None:
    """Since when every receipt in the network is known, as far as reports have come without a gap; None: not at all."""
    since: datetime | None = connection.execute(
        _FIRST, {"channel": channel, "kind": LEDGER}
    ).scalar_one()
    if since is None:
        return None
    came = {
        row.data_from
        for row in connection.execute(_SLICES, {"channel": channel, "kind": PAST})
        if row.state == "done" or row.error == _EMPTY
    }
    while since - _SPAN in came:
        since -= _SPAN
    return since


# -- limits ----------------------------------------------------------------------------------------------------------

_SET_CAPACITY = text("""
    INSERT INTO fba_capacity (channel, storage_type, since, cubic_feet, units, set_by, set_at)
    VALUES (:channel, :storage_type, :since, :cubic_feet, :units, :by, :now)
""")
_CAPACITY = text("""
    SELECT DISTINCT ON (storage_type, since) storage_type, since, cubic_feet, units, set_by, set_at
    FROM fba_capacity WHERE channel = :channel
    ORDER BY storage_type, since DESC, set_at DESC
""")


@dataclass(frozen=True, slots=True)
class Capacity:
    """A limit of one type of storage from a day on, in cubic feet or Amazon's units or both; None: not limited so."""

    storage_type: str
    since: date
    cubic_feet: Decimal | None
    units: int | None


def set_capacity(
    connection: Connection, channel: str, limit: Capacity, *, by: str, now: datetime
) -> None:
    """Write down a limit as a person read it; an earlier entry of the same day stays, the newest counts."""
    connection.execute(_SET_CAPACITY, asdict(limit) | {"channel": channel, "by": by, "now": now})


def capacities(connection: Connection, channel: str) -> list[Mapping[str, object]]:
    """Every limit that was written down, by type, the newest day first."""
    return [dict(row) for row in connection.execute(_CAPACITY, {"channel": channel}).mappings()]


def capacity_on(connection: Connection, channel: str, on: date) -> dict[str, Capacity]:
    """The limits in force on a day, by type of storage."""
    found: dict[str, Capacity] = {}
    for row in connection.execute(_CAPACITY, {"channel": channel}):
        if row.since <= on:
            found.setdefault(
                row.storage_type, Capacity(row.storage_type, row.since, row.cubic_feet, row.units)
            )
    return found
