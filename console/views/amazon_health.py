"""The health of Amazon's stock for people: how each SKU stands and why, what to take out, what to send in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from allocation.planning import ageing, network, size_store
from allocation.planning.send_in import Terms
from allocation.planning.surcharges import BY_DATE, bands_on
from channels.amazon import health_store, network_store
from console.access.types import Unknown
from console.views.amazon import channel_of, channels_of
from console.views.listing import Listing
from ledger.db import transaction
from workers.flows import fba_health
from workers.flows.fba_health import Health, Line

#: Of a line: what is printed, and what is exported beside it.
LISTED: Final = (
    "seller_sku", "on_hand", "available", "inbound", "per_day", "days_of_supply", "excess_units", "sell_through",
    "stranded_units", "oldest_days", "aged_units", "surcharge",
)  # fmt: skip
EXPORTED: Final = (
    *LISTED, "sku", "location", "paced_by", "stranded_why", "removal_units", "saved", "fee", "net", "first_surcharge",
    "unfulfillable", "cubic_feet", "pounds", "storage_type", "in_stock", "amazon_days_of_supply",
    "amazon_sell_through", "amazon_excess_units", "amazon_aged_units", "recommended_action", "alert",
)  # fmt: skip
REMOVALS: Final = (
    "seller_sku", "sku", "units", "saved", "fee", "net", "first_surcharge", "oldest_days", "sell_through", "why",
)  # fmt: skip
SENT: Final = (
    "location",
    "sku",
    "seller_sku",
    "units",
    "cartons",
    "cubic_feet",
    "storage_type",
    "why",
)

#: How SKUs stood at the last daily look; channel, sku (or NULL); all: also what lies as it should.
STANDING: Final = Listing(
    "s.channel, s.seller_sku, s.sku, s.location, s.on_hand, s.available, s.inbound, s.per_day, s.days_of_supply,"
    " s.excess_units, s.sell_through, s.stranded_units, s.oldest_days, s.aged_units, s.surcharge, s.removal_units,"
    " s.saved, s.fee, s.net, s.why, s.held_back, s.send_units, s.send_cartons, s.send_from, s.short_units,"
    " s.short_why, s.stood_at",
    "FROM fba_standing AS s",
    """
    (CAST(:channel AS text) IS NULL OR s.channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR :sku IN (s.seller_sku, s.sku))
      AND (:every OR s.aged_units > 0 OR s.excess_units > 0 OR s.removal_units > 0 OR s.stranded_units > 0
           OR s.held_back <> '')
    """,
    (("s.channel", "text"), ("s.seller_sku", "text")),
    newest=False,
)
#: What the last daily look would send in or take out, or could not send; channel, sku, location it leaves (or NULL).
TO_DO: Final = Listing(
    STANDING.columns,
    STANDING.source,
    """
    (CAST(:channel AS text) IS NULL OR s.channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR :sku IN (s.seller_sku, s.sku))
      AND (CAST(:location AS text) IS NULL OR jsonb_exists(s.send_from, :location))
      AND (s.send_units > 0 OR s.short_units > 0 OR s.removal_units > 0)
    """,
    STANDING.key,
    newest=False,
)
_FACTORS = text("""
    SELECT DISTINCT ON (channel) channel, day, on_hand, excess_ratio, sell_through, stranded_ratio, in_stock_ratio,
           storage_weeks, skus, held_back
    FROM fba_factor WHERE CAST(:channel AS text) IS NULL OR channel = :channel
    ORDER BY channel, day DESC
""")


def health(engine: Engine, name: str | None, now: datetime) -> dict[str, Any]:
    """How every SKU stands, what is held back and why, the factors of the index beside the score that was typed in.

    raises    Unknown: which channel
    """
    channel, score = _channel_and_score(engine, name)
    found = _health(engine, channel, now)
    return {
        "channel": channel,
        "lines": [row_of(line) for line in found.lines],
        "held_back": _held_back(found),
        "factors": _rounded(asdict(found.factors)),
        "ipi": score,
        "receipts_known_since": found.known_since,
        "stranded_told_at": found.stranded_at,
    }


def removals(engine: Engine, name: str | None, now: datetime) -> dict[str, Any]:
    """What to take out of the network, what saves most first; and what is held back and why."""
    channel, _ = _channel_and_score(engine, name)
    found = _health(engine, channel, now)
    rows = [row for line in found.lines if (row := _removal(line)) is not None]
    rows.sort(key=_most_saved_first)
    return {
        "channel": channel,
        "lines": rows,
        "stay": [row for line in found.lines if (row := _staying(line)) is not None],
        "units": sum(row["units"] for row in rows),
        **{name: _sum_of_known(rows, name) for name in ("saved", "fee", "net")},
        "held_back": _held_back(found),
    }


def _removal(line: Line) -> dict[str, Any] | None:
    standing = line.standing
    if standing.removal is None:
        return None
    return {
        "seller_sku": line.stock.seller_sku,
        "sku": line.stock.sku,
        "units": standing.removal.units,
        "saved": standing.worth.saved if standing.worth else None,
        "fee": standing.worth.fee if standing.worth else None,
        "net": standing.worth.net if standing.worth else None,
        "first_surcharge": standing.first_surcharge,
        "oldest_days": standing.oldest_days,
        "sell_through": _short(standing.sell_through),
        "why": standing.why + _not_known(line),
    }


def _not_known(line: Line) -> str:
    """What must be said before a removal can be held against its fee."""
    if line.size is None:
        return "; no size: what it saves is not known"
    if line.standing.worth is None:
        return "; Amazon's fees there are not known"
    return "; no weight: what it costs is not known" if line.standing.worth.fee is None else ""


def _staying(line: Line) -> dict[str, Any] | None:
    """A SKU of which units will be aged unsold, and none is worth taking out."""
    if line.standing.removal is not None or not line.standing.stays:
        return None
    stock = line.stock
    return {"seller_sku": stock.seller_sku, "sku": stock.sku, "why": line.standing.stays}


def _most_saved_first(row: Mapping[str, Any]) -> tuple[Decimal, int, str]:
    net = row["saved"] if row["net"] is None else row["net"]
    return -(net or Decimal(0)), -row["units"], row["seller_sku"]


def _sum_of_known(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal:
    return sum((row[name] or Decimal(0) for row in rows), Decimal(0))


def send_in(
    engine: Engine, name: str | None, terms: Terms, homes: Sequence[str], now: datetime
) -> dict[str, Any]:
    """What to send into the network, shipment by shipment, with what falls short and the room there is."""
    channel, _ = _channel_and_score(engine, name)
    found = fba_health.propose(lambda: transaction(engine), channel, terms, now, homes)
    shipments = [
        {
            "location": place,
            "units": sum(line.units for line in lines),
            "cartons": sum(line.cartons for line in lines),
            "cubic_feet": _sum_of([line.cubic_feet for line in lines]),
            "lines": [
                {"location": place, **asdict(line), "storage_type": found.types[line.seller_sku]}
                for line in lines
            ],
        }
        for place, lines in sorted(found.proposal.shipments.items())
    ]
    return {
        "channel": channel,
        "shipments": shipments,
        "short": [asdict(each) for each in found.proposal.short],
        "rooms": [
            {"storage_type": name, **asdict(room)} for name, room in sorted(found.rooms.items())
        ],
        "held_back": _held_back(found.health),
    }


def explained(
    connection: Connection, name: str | None, seller_sku: str, now: datetime
) -> dict[str, Any]:
    """One SKU with every number that its standing follows from: arrivals by age and price, snapshots, pace, size.

    raises    Unknown: which channel, or Amazon never told of the SKU, or it is bound to none of ours
    """
    channel = channel_of(connection, name)
    found = list(fba_health.lines(connection, channel, [seller_sku], now))
    if not found:
        raise Unknown(
            f"{channel} holds no {seller_sku!r} that is bound to a SKU: see lockstep amazon fba"
        )
    line = found[0]
    standing, stock = line.standing, line.stock
    on = network.next_snapshot(now.date())
    return row_of(line) | {
        "channel": channel,
        "held_back": list(line.held_back),
        "why": standing.why,
        "fee_per_unit": standing.held.removal_fee,
        "opened_at": stock.opened_at,
        "receipts_known_since": network_store.receipts_since(connection, channel),
        "layers": _layers(line, now),
        "snapshot_on": on,
        "shipped_90": stock.shipped_90,
        "snapshots": list(stock.snapshots),
        "excess_from_days": ageing.EXCESS_DAYS,
        "stranded": dict(line.stranded) if line.stranded else None,
        "says": dict(line.says) if line.says else None,
        "size": asdict(line.size) if line.size else None,
    }


def _layers(line: Line, now: datetime) -> list[dict[str, Any]]:
    """Each arrival that is still there: its age at the next snapshot, and what it costs then."""
    on, feet = network.next_snapshot(now.date()), line.size.cubic_feet if line.size else None
    then = network.at_least(line.standing.layers, line.standing.held.known_since, on)
    known = line.standing.surcharge is not None and on >= min(BY_DATE)
    bands = bands_on(on, BY_DATE) if known else ()
    rows = []
    for layer, aged, later in zip(line.standing.layers, line.standing.aged, then, strict=True):
        band = next((b for b in reversed(bands) if later.is_at_least(b.from_days)), None)
        rows.append(
            {
                "came_on": layer.came_on,
                "units": layer.units,
                "days": aged.days,
                "days_then": later.days,
                "per_cubic_foot": band.per_cubic_foot if band else None,
                "per_unit": band.per_unit if band else None,
                "dollars": ageing.surcharge([later], feet, on) if known and feet else None,
            }
        )
    return rows


def sizes(connection: Connection, sku: str | None) -> list[dict[str, Any]]:
    """What the house said of how large its units are."""
    return [dict(row) for row in size_store.every(connection, sku)]


def capacities(connection: Connection, name: str | None) -> list[dict[str, Any]]:
    """The limits of storage that were written down, by type, the newest day first."""
    found = network_store.capacities(connection, channel_of(connection, name))
    return [dict(row) for row in found]


def limits(connection: Connection, channel: str | None, now: datetime) -> list[dict[str, Any]]:
    """The limits in force today of each channel of Amazon's, or of this one."""
    return [
        {"channel": name, **asdict(limit)}
        for name in channels_of(connection)
        if channel in (None, name)
        for limit in network_store.capacity_on(connection, name, now.date()).values()
    ]


def factors(connection: Connection, channel: str | None) -> list[dict[str, Any]]:
    """The factors of the last daily look of each channel, or of this one."""
    return [dict(row) for row in connection.execute(_FACTORS, {"channel": channel}).mappings()]


def row_of(line: Line) -> dict[str, Any]:
    """A line of the report."""
    kept, says, stock = fba_health.row_of(line), line.says or {}, line.stock
    rounded = {"per_day": 3, "days_of_supply": 1, "sell_through": 3}
    row = kept | {name: _short(kept[name], places) for name, places in rounded.items()}
    row |= {
        "paced_by": line.paced_by,
        "stranded_why": line.stranded["reason"] if line.stranded else "",
        "first_surcharge": line.standing.first_surcharge,
        "unfulfillable": stock.unfulfillable,
        "pounds": line.size.pounds.normalize() if line.size and line.size.pounds else None,
        "cubic_feet": line.size.cubic_feet.normalize() if line.size else None,
        "storage_type": line.size.storage_type if line.size else None,
        "in_stock": _short(stock.in_stock),
        "amazon_days_of_supply": says.get("days_of_supply"),
        "amazon_sell_through": says.get("sell_through"),
        "amazon_excess_units": says.get("excess_units"),
        "amazon_aged_units": says.get("aged_181_units"),
        "recommended_action": says.get("recommended_action", ""),
        "alert": says.get("alert", ""),
    }
    return {name: row[name] for name in EXPORTED}


def _health(engine: Engine, channel: str, now: datetime) -> Health:
    return fba_health.health(lambda: transaction(engine), channel, now)


def _channel_and_score(engine: Engine, name: str | None) -> tuple[str, Mapping[str, Any] | None]:
    with transaction(engine) as connection:
        channel = channel_of(connection, name)
        scores = health_store.ipi(connection, channel)
    return channel, scores[0] if scores else None


def _held_back(found: Health) -> list[dict[str, str]]:
    rows = [
        {
            "seller_sku": line.stock.seller_sku,
            "sku": line.stock.sku,
            "why": "; ".join(line.held_back),
        }
        for line in found.held_back
    ]
    return rows + [
        {
            "seller_sku": sku,
            "sku": "",
            "why": f"Amazon holds {units}, and it is bound to none of ours: see lockstep channel map",
        }
        for sku, units in sorted(found.unbound.items())
    ]


def _sum_of(feet: Sequence[Decimal | None]) -> Decimal | None:
    """The sum; None where one is not known."""
    known = [each for each in feet if each is not None]
    return sum(known, Decimal(0)) if len(known) == len(feet) else None


def _short(number: Any, places: int = 3) -> float | None:
    return None if number is None else round(float(number), places)


def _rounded(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(v, 4) if isinstance(v, float) else v for name, v in said.items()}
