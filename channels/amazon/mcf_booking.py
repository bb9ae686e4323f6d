"""What the book is told of an MCF order, so that Amazon's stock falls once and no other stock at all.

An MCF order that is for an order of the book (a shop's) holds nothing by itself: that order has its units committed
until they are shipped. A foreign one is an order of its own. Everything told is remembered (`Told`), and what turns out
to have been another's is taken back by reversals.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from channels.amazon.mcf import McfDetail, McfShipped
from channels.amazon.movements import Place
from ledger.events import AnyFact, Order, OrderCancel, Reversal, Ship

_ACTOR: Final = "amazon:mcf"
#: Characters of a fact's id that are ours to fill.
_LONGEST: Final = 240


@dataclass(frozen=True, slots=True)
class Told:
    """One fact the book was given for an MCF order.

    line     of the order it speaks of;  units  of ours
    """

    fact_id: str
    kind: Literal["order", "order_cancel", "ship"]
    channel: str
    order: str
    line: str
    units: int


@dataclass(frozen=True, slots=True)
class Act:
    """A fact to be told, and how to remember it: as `told`, or as the end of the one called `undoes`."""

    fact: AnyFact
    told: Told | None = None
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the order in the book that an MCF order is for; units are ours."""

    line: str
    sku: str
    ordered: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Left:
    """A shipment that the shop itself told the book: from where it left, what of which line."""

    source: str
    source_id: str
    line: str
    location: str
    units: int
    at: datetime


def foreign(
    detail: McfDetail, places: Mapping[str, Place], told: Sequence[Told], channel: str
) -> list[Act]:
    """Acts for an MCF order that nobody else in the book has: ordered once, shipped once, the rest let go."""
    known = {one.fact_id for one in told}
    seller_id = detail.order.seller_id
    ordered = {one.line for one in told if one.kind == "order"}
    acts: list[Act] = []
    for line in detail.lines:
        place = places[line.seller_sku]
        gone = _never(detail, line.item_id)
        if line.item_id not in ordered:
            if gone >= line.units:
                continue
            acts.append(_ordered(detail, line.item_id, place, line.units * place.pack, channel))
        let_go = sum(
            one.units for one in told if one.kind == "order_cancel" and one.line == line.item_id
        )
        more = gone * place.pack - let_go
        if more > 0:
            acts.append(_cancelled(detail, line.item_id, more, gone * place.pack, channel))
    for shipped in detail.shipped:
        place = places[_sku_of(detail, shipped.item_id)]
        fact_id = _ship_id(seller_id, shipped, channel, shipped.item_id)
        if fact_id not in known:
            key = (channel, seller_id, shipped.item_id)
            acts.append(_ship(shipped, fact_id, key, shipped.units * place.pack, place, channel))
    return acts


def _never(detail: McfDetail, item_id: str) -> int:
    """Units of an item that will never leave: said to be, or not shipped when all is over."""
    line = next(one for one in detail.lines if one.item_id == item_id)
    if not detail.ended:
        return min(line.units, line.cancelled + line.unfulfillable)
    return line.units - sum(one.units for one in detail.shipped if one.item_id == item_id)


def _sku_of(detail: McfDetail, item_id: str) -> str:
    return next(line.seller_sku for line in detail.lines if line.item_id == item_id)


def matched(
    detail: McfDetail,
    places: Mapping[str, Place],
    told: Sequence[Told],
    order: tuple[str, str],
    lines: Sequence[Line],
    left: Sequence[Left],
    source: str,
) -> list[Act]:
    """Acts for an MCF order that is for an order in the book: what Amazon shipped leaves its stock, once.

    order    (channel, order) in the book;  lines  its lines;  left  what the shop itself told to have left
    source   Amazon's channel, under whose name the facts stand
    """
    acts: list[Act] = []
    for seller_sku in dict.fromkeys(line.seller_sku for line in detail.lines):
        place = places[seller_sku]
        items = {line.item_id for line in detail.lines if line.seller_sku == seller_sku}
        shipped = [one for one in detail.shipped if one.item_id in items]
        mine = [line for line in lines if line.sku == place.sku]
        of_lines = {line.line for line in mine}
        theirs = [one for one in left if one.line in of_lines]
        ours = [one for one in told if one.kind == "ship" and one.line in of_lines]
        acts += _once(detail, place, shipped, mine, theirs, ours, order, source)
    return acts


def _once(
    detail: McfDetail,
    place: Place,
    shipped: Sequence[McfShipped],
    lines: Sequence[Line],
    theirs: Sequence[Left],
    ours: Sequence[Told],
    order: tuple[str, str],
    source: str,
) -> list[Act]:
    """The shipped units leave Amazon's stock, whoever says so; what the shop took elsewhere for them comes back."""
    total = sum(one.units for one in shipped) * place.pack
    here = sum(one.units for one in theirs if one.location == place.location)
    told = sum(one.units for one in ours)
    acts = list(_take_back(ours, here + told - total, order, source, detail.order.status_at))
    if not acts:
        room = max(0, total - here - told)
        acts += _tell(detail, place, shipped, lines, ours, room, order, source)
    elsewhere = [one for one in theirs if one.location != place.location]
    promised = sum(line.ordered - line.cancelled for line in lines)
    over = total + sum(one.units for one in elsewhere) - promised
    for one in elsewhere:
        if 0 < one.units <= min(over, total):
            over -= one.units
            acts.append(Act(_reversal(source, one.source, one.source_id, one.at)))
    return acts


def _take_back(
    ours: Sequence[Told], over: int, order: tuple[str, str], source: str, at: datetime
) -> Iterator[Act]:
    """The shop says the same shipment itself: ours is the one too many."""
    for one in ours:
        if 0 < one.units <= over:
            over -= one.units
            yield Act(_reversal(source, source, one.fact_id, at), undoes=one.fact_id)


def _tell(
    detail: McfDetail,
    place: Place,
    shipped: Sequence[McfShipped],
    lines: Sequence[Line],
    ours: Sequence[Told],
    room: int,
    order: tuple[str, str],
    source: str,
) -> Iterator[Act]:
    """Ships of what the book does not know yet, spread over the order's lines of this SKU."""
    known = {one.fact_id for one in ours}
    taken: dict[str, int] = defaultdict(int)
    for before in ours:
        taken[before.line] += before.units
    for one in shipped:
        units = one.units * place.pack
        for line in sorted(lines, key=lambda line: line.line != one.item_id):
            fact_id = _ship_id(detail.order.seller_id, one, order[0], line.line)
            if fact_id in known:
                units -= next(told.units for told in ours if told.fact_id == fact_id)
                continue
            free = line.ordered - line.cancelled - taken[line.line]
            part = min(units, free, room)
            if part > 0:
                units, room = units - part, room - part
                taken[line.line] += part
                yield _ship(one, fact_id, (*order, line.line), part, place, source)


def undo(told: Sequence[Told], source: str, at: datetime) -> list[Act]:
    """Acts that take back what was told of an order which turned out to be another's: the newest first."""
    rank = {"ship": 0, "order_cancel": 1, "order": 2}
    return [
        Act(_reversal(source, source, one.fact_id, at), undoes=one.fact_id)
        for one in sorted(told, key=lambda one: (rank[one.kind], one.fact_id))
    ]


def _ordered(detail: McfDetail, item_id: str, place: Place, units: int, channel: str) -> Act:
    seller_id = detail.order.seller_id
    fact = Order(
        source=channel,
        id=f"mcf-order:{seller_id}:{item_id}",
        occurred_at=detail.order.received_at,
        actor=_ACTOR,
        channel=channel,
        order=seller_id,
        line=item_id,
        sku=place.sku,
        location=place.location,
        units=units,
    )
    return Act(fact, Told(fact.id, "order", channel, seller_id, item_id, units))


def _cancelled(detail: McfDetail, item_id: str, units: int, total: int, channel: str) -> Act:
    seller_id = detail.order.seller_id
    fact = OrderCancel(
        source=channel,
        id=f"mcf-cancel:{seller_id}:{item_id}:{total}",
        occurred_at=detail.order.status_at,
        actor=_ACTOR,
        reason=f"Amazon: {detail.order.status}",
        channel=channel,
        order=seller_id,
        line=item_id,
        units=units,
    )
    return Act(fact, Told(fact.id, "order_cancel", channel, seller_id, item_id, units))


def _ship_id(seller_id: str, shipped: McfShipped, channel: str, line: str) -> str:
    """One shipment, one item, one line of the order it is for: that may be another order once we know better."""
    said = f"{seller_id}:{shipped.shipment_id}:{shipped.item_id}:{channel}:{line}"
    if len(said) > _LONGEST:
        said = f"{seller_id}:{hashlib.sha256(said.encode()).hexdigest()}"
    return f"mcf-ship:{said}"


def _ship(
    shipped: McfShipped,
    fact_id: str,
    line: tuple[str, str, str],
    units: int,
    place: Place,
    source: str,
) -> Act:
    channel, order, line_id = line
    fact = Ship(
        source=source,
        id=fact_id,
        occurred_at=shipped.shipped_at,
        actor=_ACTOR,
        channel=channel,
        order=order,
        line=line_id,
        units=units,
        location=place.location,
    )
    return Act(fact, Told(fact_id, "ship", channel, order, line_id, units))


def _reversal(source: str, of_source: str, of_id: str, at: datetime) -> Reversal:
    return Reversal(
        source=source,
        id=f"mcf-undo:{hashlib.sha256(f'{of_source}:{of_id}'.encode()).hexdigest()}",
        occurred_at=at,
        actor=_ACTOR,
        reverses_source=of_source,
        reverses_id=of_id,
        reason="an MCF order and the order it is for told the same units",
    )
