"""A channel that sells lowers its own number before we hear of it; what we believe it shows follows its orders.

Without this every order would cost a stale write and a read-back of the very number that is already there. It is a
belief, not a proof: the next compare-and-set or read-back corrects it. Only sales later than the last reading count;
one before it is what that reading missed (`allocation.missing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, text

from allocation.types import PLAIN
from ledger.types import Move, State

#: When a vendor changes its own number -> the kinds of event that tell of it.
KINDS: Final = {"ordered": ("order", "order_cancel"), "left": ("ship", "return"), "never": ()}


@dataclass(frozen=True, slots=True)
class OwnSale:
    """Units a channel took off its own number; below 0 it put them back.

    at    when, by the channel's clock
    """

    channel: str
    sku: str
    location: str
    units: int
    at: datetime


# Some vendors stamp whole seconds. A sale in the second of a reading, or of a write that would have failed had it not
# known of the sale, may have been on either side of it: before it, it is missing since (`allocation.missing`); what is
# not missing came after it. Taken to be before, it would be feared by the next reading, though it is booked.
_FOLLOW = text("""
    WITH sale AS (
        SELECT channel, sku, location, units, at, units > 0 AND at = date_trunc('second', at) AS whole
        FROM json_to_recordset(CAST(:sales AS json))
             AS s (channel text, sku text, location text, units integer, at timestamptz)
    ), held AS MATERIALIZED (
        SELECT channel, sku, location, confirmed_at, read_at, missing, missing_at
        FROM shown
        WHERE (channel, sku, location) IN (SELECT channel, sku, location FROM sale)
        ORDER BY channel, sku, location
        FOR UPDATE
    ), told AS (
        SELECT held.channel, held.sku, held.location,
               coalesce(sum(sale.units) FILTER (WHERE sale.at > confirmed_at), 0)::bigint AS since_confirmed,
               coalesce(sum(sale.units) FILTER (WHERE sale.at > read_at), 0)::bigint AS since_read,
               coalesce(sum(sale.units) FILTER (WHERE sale.at <= missing_at), 0)::bigint AS missed,
               coalesce(sum(sale.units) FILTER (WHERE whole AND sale.at <= confirmed_at AND c.kind <> ALL(:plain)
                   AND sale.at > confirmed_at - interval '1 second'), 0)::bigint AS in_second_confirmed,
               coalesce(sum(sale.units) FILTER (WHERE whole AND sale.at <= read_at AND confirmed_at < read_at
                   AND sale.at > read_at - interval '1 second'), 0)::bigint AS in_second_read
        FROM held JOIN sale USING (channel, sku, location) JOIN channel c USING (channel)
        GROUP BY held.channel, held.sku, held.location
    )
    UPDATE shown SET
        units = shown.units - since_confirmed
                - greatest(0, in_second_confirmed - greatest(0, least(shown.missing, missed))),
        read_units = shown.read_units - since_read
                     - greatest(0, in_second_read - greatest(0, least(shown.missing, missed))),
        missing = greatest(0, shown.missing - missed)
    FROM told
    WHERE shown.channel = told.channel AND shown.sku = told.sku AND shown.location = told.location
      AND (since_confirmed <> 0 OR since_read <> 0 OR in_second_confirmed > 0 OR in_second_read > 0
           OR shown.missing > 0 AND missed <> 0)
""")


def follow(connection: Connection, sales: Iterable[OwnSale]) -> None:
    """Let what we believe of the channels follow their own sales; in the transaction that books the orders."""
    rows = [
        {"channel": s.channel, "sku": s.sku, "location": s.location, "units": s.units, "at": s.at}
        for s in sales
        if s.units
    ]
    if rows:
        connection.execute(_FOLLOW, {"sales": orjson.dumps(rows).decode(), "plain": sorted(PLAIN)})


def taken(when: str, move: Move) -> tuple[str, int]:
    """Where and how many units the vendor took off by itself; below 0 it put them back."""
    match when, move.from_state, move.to_state:
        case ("ordered", State.AVAILABLE, State.COMMITTED) | (
            "left",
            State.AVAILABLE | State.COMMITTED,
            State.CUSTOMER,
        ):
            return move.from_location, move.units
        case "ordered", State.COMMITTED, State.AVAILABLE:
            return move.from_location, -move.units
        case "left", State.CUSTOMER, State.AVAILABLE:
            return move.to_location, -move.units
        case _:
            return move.from_location, 0
