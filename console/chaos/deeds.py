"""What people, buyers and bad luck do in a schedule, and the diary of what that means for the stock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from console.chaos.house import House
from console.chaos.operators import OPERATORS
from console.chaos.trade import TRADE
from console.chaos.types import Breach, Step
from console.chaos.vendors import REFUSALS

_BOOK = "SELECT sku, location, state, units FROM balance WHERE sku = :sku AND location = :place"
_BELIEF = "SELECT units FROM shown WHERE channel = :shop AND sku = :sku AND location = :place"
#: What needs no diary.
_OTHERS = {**TRADE, **OPERATORS}
_WAITS = """
    SELECT EXISTS (SELECT FROM due WHERE sku = :sku) OR EXISTS (SELECT FROM push_due WHERE sku = :sku)
        OR EXISTS (SELECT FROM inbox WHERE state IN ('pending', 'waiting'))
"""


@dataclass
class Placed:
    """An order of one line that a shop took.

    units      ordered now;  cancelled: will not ship;  shipped, returned: left, and came back
    """

    shop: str
    ref: str
    sku: str
    place: str
    units: int
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    closed: bool = False

    @property
    def open(self) -> int:
        """Units that are still to ship."""
        return self.units - self.cancelled - self.shipped


@dataclass
class Deeds:
    """The hands of everybody outside.

    diary      (SKU, place, state) -> units as they must be when everything is known
    oversold   order lines taken beyond what was there;  breaches: promises that broke on the spot
    touched    (channel, SKU) of numbers that somebody changed behind our back;  troubled: channels that failed
    skews_s, deadly    as of the plan, workers die;  compared: how often each window (channel, moment) was read
    """

    house: House
    diary: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    placed: list[Placed] = field(default_factory=list)
    taken: int = 0
    oversold: int = 0
    refused: int = 0
    breaches: list[Breach] = field(default_factory=list)
    facts: int = 0
    touched: set[tuple[str, str]] = field(default_factory=set)
    troubled: set[str] = field(default_factory=set)
    skews_s: tuple[float, ...] = ()
    deadly: bool = False
    compared: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for (sku, place), units in self.house.cast.opened.items():
            self.diary[sku, place, "available"] += units

    def do(self, step: Step) -> None:
        """One step; what a vendor refuses, or what makes no sense by now, is left out."""
        try:
            if step.verb in _OTHERS:
                _OTHERS[step.verb](self.house, **step.facts)
            else:
                getattr(self, step.verb)(**step.facts)
        except REFUSALS as refusal:
            self.refused += 1
            self.house.note(f"refused: {refusal}")

    # ---- buyers and clerks of the shops ----

    def order(self, shop: str, sku: str, place: str, units: int) -> None:
        """A buyer."""
        account = self.house.accounts[shop]
        place = account.nearest(place)
        showed = account.levels()[sku, place]
        was_there = self.diary[sku, place, "available"]
        calm = units > was_there and self._all_is_known(shop, sku, place, showed)
        told = account.do(
            "order", lines=[{"sku": sku, "units": units}], location=account.places[place]
        )
        self.taken += 1
        self.placed.append(Placed(shop, told[account.named], sku, place, units))
        self._move(sku, place, "available", "committed", units)
        if units > was_there:
            self.oversold += 1
            if calm:
                said = f"{shop} sold {units} of {sku} at {place}, showed {showed}, {was_there} were there and known"
                self.breaches.append(Breach("oversold without need", said))

    def _all_is_known(self, shop: str, sku: str, place: str, showed: int) -> bool:
        """Whether the book knows everything, nothing waits, and the shop shows what we believe it does."""
        house = self.house
        book = {row.state: row.units for row in house.rows(_BOOK, sku=sku, place=place)}
        believed = house.rows(_BELIEF, shop=shop, sku=sku, place=place)
        return (
            book.get("available", 0) == self.diary[sku, place, "available"]
            and not house.rows(_WAITS, sku=sku)[0][0]
            and bool(believed)
            and believed[0][0] == showed
            and not house.stage.workers
        )

    def sale(self, till: str, sku: str, place: str, units: int) -> None:
        """Somebody pays at a till and takes it along: no more than lies there."""
        there = sum(self.diary[sku, place, state] for state in ("available", "committed"))
        units = min(units, there)
        if units < 1:
            return
        account = self.house.accounts[till]
        told = account.do(
            "sale", lines=[{"sku": sku, "units": units}], location=account.places[place]
        )
        self.taken += 1
        self.placed.append(Placed(till, told["id"], sku, place, units, shipped=units))
        self._move(sku, place, "available", "customer", units)

    def bring_back(self, till: str, nth: int) -> None:
        """All that was sold once is brought back to the till and put on its shelf."""
        order = self._order(till, nth)
        if order is None:
            return
        account = self.house.accounts[till]
        account.do(
            "give_back",
            order=order.ref,
            lines=[{"sku": order.sku, "units": order.units}],
            restock=True,
            location=account.places[order.place],
        )
        self._move(order.sku, order.place, "customer", "available", order.units)
        order.closed = True

    def cancel(self, shop: str, nth: int, restock: bool) -> None:
        """An order that has not been shipped is cancelled."""
        order = self._order(shop, nth)
        if order is None or order.shipped > order.returned:
            return
        account = self.house.accounts[shop]
        account.do("cancel_order", order=order.ref, restock=restock)
        state = "available" if restock or account.gives_back else "unavailable"
        self._move(order.sku, order.place, "committed", state, order.open)
        order.cancelled += order.open
        order.closed = True

    def fulfil(self, shop: str, nth: int) -> None:
        """All of an order leaves."""
        order = self._order(shop, nth)
        if order is None or not order.open:
            return
        account = self.house.accounts[shop]
        account.do(account.ships, order=order.ref)
        self._move(order.sku, order.place, "committed", "customer", order.open)
        order.shipped += order.open

    def refund(self, shop: str, nth: int, units: int, kind: str) -> None:
        """Units of an order are paid back: before they left (cancel, no_restock) or after (return)."""
        order = self._order(shop, nth)
        if order is None:
            return
        most = order.shipped - order.returned if kind == "return" else order.open
        units = min(units, most)
        if units < 1:
            return
        account = self.house.accounts[shop]
        line = {"sku": order.sku, "units": units, "restock_type": kind}
        account.do(
            "refund", order=order.ref, lines=[line | {"location": account.places[order.place]}]
        )
        if kind == "return":
            self._move(order.sku, order.place, "customer", "available", units)
            order.returned += units
        else:
            state = "available" if kind == "cancel" else "unavailable"
            self._move(order.sku, order.place, "committed", state, units)
            order.cancelled += units

    def edit(self, shop: str, nth: int, units: int) -> None:
        """The units of an order are changed to so many."""
        order = self._order(shop, nth)
        if order is None or order.shipped or order.cancelled:
            return
        self.house.accounts[shop].do(
            "edit_order", order=order.ref, lines=[{"sku": order.sku, "units": units}]
        )
        self._move(order.sku, order.place, "available", "committed", units - order.units)
        order.units = units

    def human(self, shop: str, sku: str, place: str, units: int, silent: bool) -> None:
        """Somebody changes a number in the shop by hand."""
        account = self.house.accounts[shop]
        place = account.nearest(place)
        verb = "drift" if silent else "external_edit"
        self.touched.add((shop, sku))
        facts: dict[str, Any] = {"units": units}
        if account.kind == "square" and not silent:
            facts = {"in_stock": account.levels()[sku, place] + units}
        elif account.kind == "amazon" and not silent:
            facts = {"units": account.levels()[sku, place] + units}
        account.do(verb, sku=sku, location=account.places[place], **facts)

    def fault(self, shop: str, kind: str, count: int, seed: int) -> None:
        """The vendor's own mischief, of the kinds that it knows."""
        known = self.house.accounts[shop].faults
        if known is not None and kind not in known:
            return
        more: dict[str, Any] = {}
        if kind == "throttle":
            more["seconds"] = 20.0
        elif kind == "webhook_late":
            more["seconds"] = 40.0
        elif kind == "external_edit":
            more["units"] = 2
        if not kind.startswith("webhook"):
            self.troubled.add(shop)
        self.house.accounts[shop].do("fault", kind=kind, count=count, seed=seed, **more)

    # ---- the warehouse ----

    def receive(self, sku: str, place: str, units: int) -> None:
        """Goods come in."""
        self._tell("receipt", sku, place, units=units)
        self.diary[sku, place, "available"] += units

    def write_off(self, sku: str, place: str, units: int) -> None:
        """Goods are broken; no more than lie there."""
        units = min(units, self.diary[sku, place, "available"])
        if units > 0:
            self._tell("write_off", sku, place, units=units, reason="broken")
            self.diary[sku, place, "available"] -= units

    def adjust(self, sku: str, place: str, units: int) -> None:
        """Goods are found or missing."""
        units = max(units, -max(0, self.diary[sku, place, "available"]))
        if units:
            self._tell("adjustment", sku, place, units=units, reason="found")
            self.diary[sku, place, "available"] += units

    def transfer(self, sku: str, place: str, units: int, takes_s: float) -> None:
        """Goods go to the other place."""
        units = min(units, self.diary[sku, place, "available"])
        if units < 1:
            return
        other = next((of for of in self.house.cast.places if of != place), place)
        reference = f"TR-{self.facts}"
        self._tell("transfer_ship", sku, place, units=units, reference=reference)
        self.diary[sku, place, "available"] -= units
        self.diary[sku, "IN-TRANSIT", "in_transit"] += units

        def arrives() -> None:
            self._tell("transfer_receive", sku, other, units=units, reference=reference)
            self.diary[sku, other, "available"] += units
            self.diary[sku, "IN-TRANSIT", "in_transit"] -= units

        at = self.house.clock.now() + timedelta(seconds=takes_s)
        self.house.later.append((at, self.facts, f"{reference} arrives", arrives))

    def count(self, sku: str, place: str, off: int) -> None:
        """Somebody counts a shelf and finds `off` more than there should be.

        At the end of a second: vendors stamp whole ones, and whether a parcel left before the count must be sure.
        """
        at = self.house.clock.now().replace(microsecond=0) + timedelta(seconds=1)
        self.house.clock.advance((at - self.house.clock.now()).total_seconds())
        states = ("available", "unavailable", "committed", "reserved")
        on_hand = sum(self.diary[sku, place, state] for state in states)
        counted = max(0, on_hand + off)
        if on_hand < 0:
            return
        seen_at = at - timedelta(milliseconds=1)
        self._tell("count", sku, place, counted=counted, occurred_at=seen_at.isoformat())
        self.diary[sku, place, "available"] += counted - on_hand

    def reserve(self, sku: str, place: str, units: int) -> None:
        """Goods are put aside for somebody."""
        units = min(units, self.diary[sku, place, "available"])
        if units > 0:
            self._tell("reservation", sku, place, units=units, reference=f"FAIR-{self.facts}")
            self._move(sku, place, "available", "reserved", units)

    # ---- the diary ----

    def _order(self, shop: str, nth: int) -> Placed | None:
        mine = [order for order in self.placed if order.shop == shop and not order.closed]
        return mine[nth % len(mine)] if mine else None

    def _move(self, sku: str, place: str, before: str, after: str, units: int) -> None:
        self.diary[sku, place, before] -= units
        self.diary[sku, place, after] += units

    def _tell(self, kind: str, sku: str, place: str, **more: object) -> None:
        self.facts += 1
        fact = {"kind": kind, "id": f"{kind}:{self.facts}", "sku": sku, "location": place}
        self.house.tell(fact | more)


def as_booked(diary: Mapping[tuple[str, str, str], int]) -> dict[tuple[str, str, str], int]:
    """The diary's places that the book has, without those that hold nothing."""
    outside = ("customer",)
    return {place: units for place, units in diary.items() if units and place[2] not in outside}
