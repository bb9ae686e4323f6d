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


# A vendor's clock counts whole seconds, so a sale in the second of the reading is left to the compare-and-set.
_FOLLOW = text("""
    WITH sale AS (
        SELECT channel, sku, location, sum(units)::bigint AS units, min(at) AS at
        FROM json_to_recordset(CAST(:sales AS json))
             AS s (channel text, sku text, location text, units integer, at timestamptz)
        GROUP BY channel, sku, location
    ), held AS (
        SELECT shown.channel, shown.sku, shown.location, sale.units, sale.at
        FROM shown JOIN sale USING (channel, sku, location)
        ORDER BY shown.channel, shown.sku, shown.location
        FOR UPDATE OF shown
    )
    UPDATE shown SET
        units = CASE WHEN shown.confirmed_at < held.at THEN shown.units - held.units ELSE shown.units END,
        read_units = CASE WHEN shown.read_at < held.at THEN shown.read_units - held.units ELSE shown.read_units END,
        missing = CASE WHEN shown.missing_at >= held.at THEN greatest(0, shown.missing - held.units)
                       ELSE shown.missing END
    FROM held
    WHERE shown.channel = held.channel AND shown.sku = held.sku AND shown.location = held.location
      AND (shown.confirmed_at < held.at OR shown.read_at < held.at OR shown.missing > 0)
""")


def follow(connection: Connection, sales: Iterable[OwnSale]) -> None:
    """Let what we believe of the channels follow their own sales; in the transaction that books the orders."""
    rows = [
        {"channel": s.channel, "sku": s.sku, "location": s.location, "units": s.units, "at": s.at}
        for s in sales
        if s.units
    ]
    if rows:
        connection.execute(_FOLLOW, {"sales": orjson.dumps(rows).decode()})


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
