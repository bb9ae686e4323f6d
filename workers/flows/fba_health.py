"""The health of Amazon's stock: how every SKU stands, what to take out, what to send in. Nothing is ordered or sent.

All of it is computed from the book, the mirror and forecasts; once a day it is kept, for pages. What is not in sync is
listed with why, and its numbers are not published: they stand in no sum and in no proposal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, text

from allocation.pace import rates
from allocation.pace_store import sums_of
from allocation.planning import forecast_store, network, order_store, send_in, size_store
from allocation.planning.ageing import Layer
from allocation.planning.network import Factors, Held, Standing
from allocation.planning.order_store import Spot
from allocation.planning.removal_fees import STANDARD, NoFees, removal_fee
from allocation.planning.send_in import Proposal, Room, Short, Terms, Wanting
from allocation.planning.size_store import Size
from channels.amazon import network_store, sizes, standing_store
from channels.amazon.sizes import Size as Measured
from channels.amazon.standing_store import Stock
from channels.amazon.stranded import STRANDED
from reconcile.in_sync import out_of_sync

#: SKUs of one transaction.
BATCH: Final = 200
#: Where the tables of surcharges hold.
_USA: Final = "ATVPDKIKX0DER"
_NOTHING_SENT: Final[dict[str, object]] = {
    "send_units": 0,
    "send_cartons": 0,
    "send_from": {},
    "short_units": 0,
    "short_why": "",
}

#: Opens a transaction.
Opens: TypeAlias = Callable[[], AbstractContextManager[Connection]]

_MARKETPLACE = text("SELECT options ->> 'marketplace_id' FROM channel WHERE channel = :channel")


@dataclass(frozen=True, slots=True)
class Line:
    """One seller SKU in Amazon's network.

    paced_by        what `per_day` is: a run of forecasts, or the pace of four weeks
    size            of one unit; None: nobody said and Amazon did not measure
    stranded, says  rows of Amazon's reports; None: they do not name it
    held_back       why its numbers are not published; empty: they are
    """

    stock: Stock
    standing: Standing
    paced_by: str
    size: Size | None
    stranded: Mapping[str, Any] | None
    says: Mapping[str, Any] | None
    held_back: tuple[str, ...]


@dataclass(slots=True)
class Health:
    """All SKUs of a channel.

    lines        those whose numbers are published, by seller SKU;  held_back  the others
    unbound      seller SKU -> Amazon's units of what is there and none of ours
    known_since  every receipt since then is known; None: none is
    stranded_at  when a report last said what is stranded; None: none ever did
    """

    lines: list[Line] = field(default_factory=list)
    held_back: list[Line] = field(default_factory=list)
    unbound: dict[str, int] = field(default_factory=dict)
    known_since: datetime | None = None
    stranded_at: datetime | None = None

    @property
    def factors(self) -> Factors:
        """What Amazon's index is made of, of what is published."""
        return network.factors(line.standing for line in self.lines)


def health(opens: Opens, channel: str, now: datetime) -> Health:
    """How every SKU of a channel stands now."""
    found = Health()
    with opens() as connection:
        found.known_since = network_store.receipts_since(connection, channel)
        found.stranded_at = standing_store.stranded_told_at(connection, channel, STRANDED)
    after = ""
    while True:
        with opens() as connection:
            told = standing_store.followed(connection, channel, after, BATCH)
            if not told:
                return found
            bound = [sku for sku, is_bound, _ in told if is_bound]
            for line in lines(connection, channel, bound, now):
                (found.held_back if line.held_back else found.lines).append(line)
        found.unbound |= {sku: units for sku, is_bound, units in told if not is_bound and units}
        after = told[-1][0]


def lines(
    connection: Connection, channel: str, seller_skus: Sequence[str], now: datetime
) -> Iterator[Line]:
    """How these seller SKUs stand; one that is not bound is left out."""
    stock = standing_store.stock(connection, channel, seller_skus, now)
    skus = sorted({each.sku for each in stock})
    arrivals = standing_store.arrivals(connection, channel, seller_skus, now)
    stranded = standing_store.stranded(connection, channel, seller_skus, now)
    told_at = standing_store.stranded_told_at(connection, channel, STRANDED)
    is_told = told_at is not None and told_at > now - standing_store.STRANDED_FOR
    says = standing_store.says(connection, channel, seller_skus, now)
    measured = standing_store.measured(connection, channel, seller_skus)
    said = size_store.sizes_of(connection, skus)
    paces = per_day(connection, skus, now)
    charged = connection.execute(_MARKETPLACE, {"channel": channel}).scalar_one() in (None, _USA)
    out = out_of_sync(connection, skus)
    known = network_store.receipts_since(connection, channel)
    known_since = known.date() if known else None
    for each in stock:
        size = _size(said.get(each.sku), _measured(each, measured))
        pace, paced_by = paces.get((each.sku, each.location), (0.0, "nothing was sold"))
        row = stranded.get(each.seller_sku)
        units = int(row["fulfillable"]) * each.pack if row else 0 if is_told else None
        came = [Layer(day, many * each.pack) for day, many in arrivals.get(each.seller_sku, [])]
        held = Held(
            each.on_hand, each.available, each.inbound, came, each.shipped_90, each.shipped_60, each.snapshots,
            pace, units, size.cubic_feet if size else None, charged, each.in_stock, known_since,
            size.storage_type if size else STANDARD, _fee(each, size, now.date()) if charged else None,
        )  # fmt: skip
        standing = network.stand(held, now.date())
        why = tuple(out.get(each.sku, ()))
        yield Line(each, standing, paced_by, size, row, says.get(each.seller_sku), why)


def _size(said: Size | None, weighed: Size | None) -> Size | None:
    """What the house said of a unit, with Amazon's weight where it said none; else what Amazon measured."""
    if said is None or said.pounds is not None or weighed is None:
        return said or weighed
    return replace(said, pounds=weighed.pounds)


def _measured(stock: Stock, measured: Mapping[str, Measured]) -> Size | None:
    """What Amazon measured of one of its units, as a size of ours; it tells nothing of cartons."""
    one = measured.get(stock.seller_sku)
    if one is None:
        return None
    feet, weight = one.cubic_feet, None if one.pounds is None else one.pounds / stock.pack
    kind = sizes.storage_type(one.size_band)
    return Size(stock.sku, feet / stock.pack, kind, stock.pack, feet, weight)


def _fee(stock: Stock, size: Size | None, today: date) -> Decimal | None:
    """Dollars for taking a unit of ours out, its part of one of Amazon's; None where its weight is not known."""
    if size is None or size.pounds is None:
        return None
    pounds, feet = size.pounds * stock.pack, size.cubic_feet * stock.pack
    try:
        return removal_fee(pounds, feet, size.storage_type, today) / stock.pack
    except NoFees:
        return None


def per_day(
    connection: Connection, skus: Sequence[str], now: datetime
) -> dict[Spot, tuple[float, str]]:
    """Units a day by SKU and location, and what says so: the newest forecast, else the pace of the last weeks."""
    found: dict[Spot, tuple[float, str]] = {}
    for sku, sums in sums_of(connection, skus).items():
        for one in sums:
            known = rates(one, now)
            before = found.get((sku, one.location), (0.0, ""))[0]
            pace = known.slow.units_per_day if known else 0.0
            found[sku, one.location] = before + pace, "pace of 28 days"
    run = forecast_store.newest(connection)
    if run is not None:
        for spot, forecast in forecast_store.forecasts(connection, run, skus).items():
            found[spot] = max(0.0, forecast.per_day), f"forecast {run.id} of {run.until_day}"
    return found


# -- what to send in -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendIn:
    """A proposal, the room it was made in by type of storage, and what could not be looked at."""

    proposal: Proposal
    rooms: Mapping[str, Room]
    types: Mapping[str, str]
    health: Health


def propose(
    opens: Opens, channel: str, terms: Terms, now: datetime, homes: Sequence[str] = ()
) -> SendIn:
    """What to send into the network, from these locations or from every warehouse.

    The limits are those of the day on which a shipment of today is there; what is not published takes room as well.
    """
    return _propose(opens, channel, health(opens, channel, now), terms, now, homes)


def _propose(
    opens: Opens, channel: str, found: Health, terms: Terms, now: datetime, homes: Sequence[str]
) -> SendIn:
    there = now + timedelta(days=terms.lead_days)
    with opens() as connection:
        limits = network_store.capacity_on(connection, channel, there.date())
        skus = sorted({line.stock.sku for line in found.lines})
        free = _free(connection, skus, terms, now, homes)
    rooms = {name: Room(limit.cubic_feet, limit.units) for name, limit in limits.items()}
    for line in (*found.lines, *found.held_back):
        _fill(rooms, line)
    stopped = {line.stock.seller_sku: why for line in found.lines if (why := _stops(line))}
    wanting = [_wanting(line, free) for line in found.lines]
    going = [one for one in wanting if one.seller_sku not in stopped]
    proposal = send_in.propose(going, rooms, terms)
    proposal.short += [
        Short(one.sku, one.seller_sku, missing, stopped[one.seller_sku])
        for one in wanting
        if one.seller_sku in stopped and (missing := send_in.wanted_units(one, terms))
    ]
    types = {line.stock.seller_sku: _type(line.size) for line in found.lines}
    return SendIn(proposal, rooms, types, found)


def _stops(line: Line) -> str:
    """Why no more of a SKU is sent, whatever sells; "" where nothing stands in the way."""
    standing = line.standing
    if standing.held.stranded and line.stranded:
        return f"{standing.held.stranded} are stranded: {line.stranded['reason']}"
    if standing.removal is not None:
        return f"{standing.removal.units} are to be taken out first"
    return ""


def _type(size: Size | None) -> str:
    return size.storage_type if size else "standard"


def _fill(rooms: Mapping[str, Room], line: Line) -> None:
    """Count in what a SKU takes already: all that is there, sellable or not, and open shipments."""
    room = rooms.get(_type(line.size))
    if room is None:
        return
    stock = line.stock
    units = max(0, stock.on_hand) + stock.inbound + stock.unfulfillable
    room.used_units += units // stock.pack
    if line.size:
        room.used_cubic_feet += units * line.size.cubic_feet


def _wanting(line: Line, free: Mapping[str, Mapping[str, int]]) -> Wanting:
    stock, size = line.stock, line.size
    carton = size.carton_units if size else stock.pack
    return Wanting(
        stock.sku,
        stock.seller_sku,
        line.standing.held.per_day,
        max(0, stock.available) + stock.inbound,
        _type(size),
        carton,
        size.carton_cubic_feet if size else None,
        free.get(stock.sku, {}),
        stock.pack,
    )


def _free(
    connection: Connection, skus: Sequence[str], terms: Terms, now: datetime, homes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """By SKU and location, what a place can do without: free, less what it sells itself in the days it keeps."""
    paces = per_day(connection, skus, now)
    warehouses = order_store.warehouses(connection)
    found: dict[str, dict[str, int]] = {}
    for (sku, location), units in order_store.free(connection, skus).items():
        if location not in (homes or warehouses):
            continue
        keeps = paces.get((sku, location), (0.0, ""))[0] * terms.keep_days
        spare = units - round(keeps)
        if spare > 0:
            found.setdefault(sku, {})[location] = spare
    return found


# -- the daily look --------------------------------------------------------------------------------------------------


def row_of(line: Line) -> dict[str, object]:
    """A line as it is kept."""
    standing, stock = line.standing, line.stock
    removal, worth = standing.removal, standing.worth
    return {
        "seller_sku": stock.seller_sku,
        "sku": stock.sku,
        "location": stock.location,
        "on_hand": stock.on_hand,
        "available": stock.available,
        "inbound": stock.inbound,
        "per_day": standing.held.per_day,
        "days_of_supply": standing.days_of_supply,
        "excess_units": standing.excess_units,
        "sell_through": standing.sell_through,
        "stranded_units": standing.held.stranded,
        "oldest_days": standing.oldest_days,
        "aged_units": standing.aged_units,
        "surcharge": standing.surcharge,
        "removal_units": removal.units if removal else 0,
        "saved": worth.saved if worth else None,
        "fee": worth.fee if worth else None,
        "net": worth.net if worth else None,
        "why": standing.why,
        "held_back": "; ".join(line.held_back),
    }


def look(opens: Opens, channel: str, now: datetime) -> int:
    """Keep how every SKU stands, what to send of it, and the factors of the day; returns the SKUs looked at."""
    found = health(opens, channel, now)
    proposal = _propose(opens, channel, found, Terms(), now, ()).proposal
    sent = _sent(proposal)
    rows = [
        row_of(line) | sent.get(line.stock.seller_sku, _NOTHING_SENT)
        for line in (*found.lines, *found.held_back)
    ]
    for start in range(0, len(rows), BATCH):
        with opens() as connection:
            standing_store.keep(connection, channel, rows[start : start + BATCH], now)
    with opens() as connection:
        standing_store.forget(connection, channel, now)
        standing_store.keep_factors(
            connection, channel, now.date(), asdict(found.factors), len(found.held_back)
        )
    return len(rows)


def _sent(proposal: Proposal) -> dict[str, dict[str, object]]:
    """By seller SKU, the columns that a proposal is kept in."""
    places: dict[str, dict[str, int]] = {}
    cartons: dict[str, int] = {}
    for place, lines_ in proposal.shipments.items():
        for line in lines_:
            places.setdefault(line.seller_sku, {})[place] = line.units
            cartons[line.seller_sku] = cartons.get(line.seller_sku, 0) + line.cartons
    short = {each.seller_sku: each for each in proposal.short}
    return {
        sku: {
            "send_units": sum(places.get(sku, {}).values()),
            "send_cartons": cartons.get(sku, 0),
            "send_from": places.get(sku, {}),
            "short_units": short[sku].units if sku in short else 0,
            "short_why": short[sku].why if sku in short else "",
        }
        for sku in places.keys() | short.keys()
    }
