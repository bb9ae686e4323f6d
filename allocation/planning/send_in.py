"""What to send into somebody else's network: enough for the days that are wanted, and no more than there is room for.

Cartons go one by one to the SKU that would run out first, so that where room or stock is short every SKU lasts as long
as the others. A carton that would make more than `ageing.EXCESS_DAYS` of supply is not sent: optimal, not maximal.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from allocation.planning.ageing import EXCESS_DAYS


@dataclass(frozen=True, slots=True)
class Terms:
    """What a proposal is made with.

    target_days    of supply that are wanted when a shipment of today is there
    lead_days      until it is;  keep_days  of its own sales that each place keeps for itself
    """

    target_days: float = 45.0
    lead_days: float = 14.0
    keep_days: float = 14.0


@dataclass(frozen=True, slots=True)
class Wanting:
    """A SKU in the network, and where more of it lies.

    position           units there and on their way
    carton_units       1: it is sent by the unit;  carton_cubic_feet  None: its size is not known
    homes              location -> units that it can do without, above 0
    pack               units of ours in one of the network's
    """

    sku: str
    seller_sku: str
    per_day: float
    position: int
    storage_type: str
    carton_units: int
    carton_cubic_feet: Decimal | None
    homes: Mapping[str, int]
    pack: int = 1

    @property
    def theirs(self) -> int:
        """A carton in the network's units."""
        return math.ceil(self.carton_units / self.pack)


@dataclass(slots=True)
class Room:
    """Room for one type of storage, in the network's units; a limit of None is none.

    used    by what is there and on its way;  taken  by what is proposed
    """

    cubic_feet: Decimal | None = None
    units: int | None = None
    used_cubic_feet: Decimal = Decimal(0)
    used_units: int = 0
    taken_cubic_feet: Decimal = Decimal(0)
    taken_units: int = 0

    def lacks(self, units: int, cubic_feet: Decimal | None) -> str:
        """Why so much does not fit in; "" where it does."""
        if self.cubic_feet is not None:
            if cubic_feet is None:
                return "no size: say it with `lockstep amazon size set`"
            if self.used_cubic_feet + self.taken_cubic_feet + cubic_feet > self.cubic_feet:
                return f"no room: {self.cubic_feet:f} cubic feet are the limit"
        if self.units is not None and self.used_units + self.taken_units + units > self.units:
            return f"no room: {self.units} units are the limit"
        return ""

    def take(self, units: int, cubic_feet: Decimal | None) -> None:
        """Count a carton in."""
        self.taken_units += units
        self.taken_cubic_feet += cubic_feet or Decimal(0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A line of a shipment."""

    sku: str
    seller_sku: str
    units: int
    cartons: int
    cubic_feet: Decimal | None
    why: str


@dataclass(frozen=True, slots=True)
class Short:
    """A SKU that gets fewer units than it wants, and why."""

    sku: str
    seller_sku: str
    units: int
    why: str


@dataclass(slots=True)
class Proposal:
    """Shipments by the place they leave, and what falls short of what is wanted."""

    shipments: dict[str, list[Sent]] = field(default_factory=dict)
    short: list[Short] = field(default_factory=list)


@dataclass(slots=True)
class _Going:
    """How far one SKU has come; cartons by the place they leave."""

    of: Wanting
    wanted: int
    homes: dict[str, int]
    cartons: dict[str, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return sum(self.cartons.values()) * self.of.carton_units

    @property
    def lasts(self) -> float:
        return (self.of.position + self.units) / self.of.per_day


def wanted_units(one: Wanting, terms: Terms) -> int:
    """Units until it has what is wanted on the day a shipment of today is there; 0 where nothing sells."""
    need = one.per_day * (terms.lead_days + terms.target_days)
    return max(0, math.ceil(round(need, 9)) - one.position)


def propose(wanting: Sequence[Wanting], rooms: Mapping[str, Room], terms: Terms) -> Proposal:
    """What to send from where.

    rooms      by type of storage; a type that is not in it has no limit. What is proposed is counted in
    returns    shipments by location, lines by SKU; of each SKU that falls short, the units and the reason
    """
    going = [
        _Going(one, wanted, dict(one.homes))
        for one in wanting
        if (wanted := wanted_units(one, terms))
    ]
    queue = [(each.lasts, each.of.seller_sku, number) for number, each in enumerate(going)]
    heapq.heapify(queue)
    why: dict[int, str] = {}
    while queue:
        _, name, number = heapq.heappop(queue)
        each = going[number]
        stopped = _add_carton(each, rooms.get(each.of.storage_type), terms)
        if stopped is None:
            heapq.heappush(queue, (each.lasts, name, number))
        elif stopped:
            why[number] = stopped
    return _proposal(going, why, terms)


def _add_carton(each: _Going, room: Room | None, terms: Terms) -> str | None:
    """Send one carton more: None, or why it stops here; "" where it has what it wants."""
    one, missing = each.of, each.wanted - each.units
    if missing <= 0:
        return ""
    if _is_too_much(each, terms):
        return f"a carton of {one.carton_units} is more than {EXCESS_DAYS} days of supply"
    home = max(each.homes, key=lambda place: (each.homes[place], place), default=None)
    if home is None or each.homes[home] < one.carton_units:
        return "no more at home" if each.homes else "none at home"
    lacks = room.lacks(one.theirs, one.carton_cubic_feet) if room else ""
    if lacks:
        return lacks
    if room:
        room.take(one.theirs, one.carton_cubic_feet)
    each.homes[home] -= one.carton_units
    each.cartons[home] = each.cartons.get(home, 0) + 1
    return None


def _is_too_much(each: _Going, terms: Terms) -> bool:
    one = each.of
    most = one.per_day * (terms.lead_days + max(EXCESS_DAYS, terms.target_days))
    return one.position + each.units + one.carton_units > math.ceil(round(most, 9))


def _proposal(going: Iterable[_Going], why: Mapping[int, str], terms: Terms) -> Proposal:
    found = Proposal()
    for number, each in enumerate(going):
        one = each.of
        for place, cartons in sorted(each.cartons.items()):
            feet = one.carton_cubic_feet
            line = Sent(
                one.sku,
                one.seller_sku,
                cartons * one.carton_units,
                cartons,
                None if feet is None else feet * cartons,
                f"{one.position} last {one.position / one.per_day:.0f} days;"
                f" {terms.lead_days:g} of transit and {terms.target_days:g} days are wanted",
            )
            found.shipments.setdefault(place, []).append(line)
        missing = each.wanted - each.units
        if missing > 0:
            found.short.append(Short(one.sku, one.seller_sku, missing, why.get(number, "")))
    for lines in found.shipments.values():
        lines.sort(key=lambda line: (line.sku, line.seller_sku))
    return found
