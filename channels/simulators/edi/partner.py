"""The trading partner: what its buyers do, and the documents that come of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from channels.simulators.clock import Clock
from channels.simulators.edi import bodies, dirt
from channels.simulators.edi.bodies import Dates
from channels.simulators.edi.books import Books
from channels.simulators.edi.state import Change, Item, Line, LineChange, Order, Sent
from channels.simulators.edi.x12 import GROUP_OF, Segment, Way, check_digit, enclose

HIGHEST_CONTROL: Final = 999_999_999
FIRST_ORDER: Final = 4_500_000_001


class Refused(Exception):
    """The partner does not do that; the message says what and why. The control plane answers it with 409."""


class Unknown(Refused):
    """No such item, store, order or file. The control plane answers it with 404."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of an order to be placed."""

    sku: str
    units: int
    measure: str = "EA"
    stores: Mapping[str, int] = field(default_factory=dict)


class Partner:
    """Books, counters and dice. Change them under `lock` only.

    way     how the partner addresses the merchant
    post    called with what is to be delivered, and the SKUs it is about
    """

    def __init__(self, clock: Clock, way: Way, *, seed: int = 0) -> None:
        self.clock, self.way = clock, way
        self.lock = threading.RLock()
        self.post: Callable[[Sent, Sequence[str]], None] = lambda *_: None
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """A partner without items, stores and orders, whose counters begin anew."""
        self.books = Books()
        self.dice = random.Random(self._seed)
        self.control = self.group = 0
        self._files = self._orders = 0

    # -- what it deals in -----------------------------------------------------------------------------------------

    def add_item(self, sku: str, price: str, ids: Mapping[str, str]) -> Item:
        """List an item. `ids` by qualifier; without any: a UPC, the partner's own number (IN) and the SKU (SK)."""
        if sku in self.books.items:
            raise Refused(f"{sku} is listed already")
        found = dict(ids) or self._new_ids(sku)
        for other in self.books.items.values():
            if shared := set(other.ids) & set(found.items()):
                raise Refused(f"{sorted(shared)} belongs to {other.sku}")
        made = Item(sku, tuple(found.items()), price)
        self.books.items[sku] = made
        return made

    def _new_ids(self, sku: str) -> dict[str, str]:
        body = "6" + "".join(str(self.dice.randrange(10)) for _ in range(10))
        number = 100_000 + len(self.books.items) + 1
        return {"UP": body + check_digit(body), "IN": str(number), "SK": sku}

    def item(self, sku: str) -> Item:
        if sku not in self.books.items:
            raise Unknown(f"no item {sku!r}")
        return self.books.items[sku]

    def order(self, number: str) -> Order:
        if number not in self.books.orders:
            raise Unknown(f"no order {number!r}")
        return self.books.orders[number]

    def store(self, code: str) -> str:
        if code not in self.books.stores:
            raise Unknown(f"no store {code!r}; `store` opens one")
        return self.books.stores[code]

    # -- orders ---------------------------------------------------------------------------------------------------

    def place(
        self,
        wanted: Sequence[Wanted],
        *,
        number: str = "",
        ship_to: str = "",
        kind: str = "SA",
        purpose: str = "00",
        release: str = "",
        dates: Dates | None = None,
    ) -> tuple[Order, list[Segment]]:
        """An order and its 850, not sent yet.

        A known `number` with purpose 05 replaces the order; with 00 it is a mistake of the partner's: its books stay.
        """
        if not wanted:
            raise Refused("an order has lines")
        lines = {str(place): self._line(place, one) for place, one in enumerate(wanted, 1)}
        number = number or self._next_order()
        ship_to = ship_to or next(iter(self.books.stores), "0001")
        name = self.books.stores.get(ship_to, f"DC {ship_to}")
        now = self.clock.now()
        known = self.books.orders.get(number)
        if known is None and purpose == "05":
            raise Unknown(f"no order {number!r} to be replaced")
        made = Order(number, now.date(), now, kind, ship_to, lines)
        if known is None or purpose == "05":
            self.books.orders[number] = made
        body = bodies.purchase_order(
            made,
            list(lines.values()),
            dates or Dates(),
            purpose=purpose,
            release=release,
            name=name,
        )
        return made, body

    def _next_order(self) -> str:
        self._orders += 1
        return str(FIRST_ORDER + self._orders - 1)

    def _line(self, place: int, one: Wanted) -> Line:
        for code in one.stores:
            self.store(code)
        if one.units < 1 or (one.stores and sum(one.stores.values()) != one.units):
            raise Refused(f"{one.sku}: units are above 0, and what the stores get adds up to them")
        return Line(str(place), self.item(one.sku), one.units, one.measure, dict(one.stores))

    def change(
        self, order: Order, wanted: Sequence[tuple[str, int, str]], sequence: int | None
    ) -> Change:
        """A change of lines, not sent yet.

        wanted      (SKU or line number, new units, POC02 or ""); a SKU that the order lacks is added
        sequence    the next one when None; one that is known already is the same change again
        """
        number = sequence or max(order.changes, default=0) + 1
        if number in order.changes:
            return order.changes[number]
        if order.cancelled:
            raise Refused(f"order {order.number} is cancelled")
        changes = [self._line_change(order, *one, sequence=number) for one in wanted]
        if not changes:
            raise Refused("a change has lines")
        made = Change(number, "04", changes, self.clock.now())
        order.changes[number] = made
        return made

    def _line_change(
        self, order: Order, named: str, units: int, code: str, *, sequence: int
    ) -> LineChange:
        if units < 0:
            raise Refused("units are 0 or more; 0 deletes the line")
        line = order.lines.get(named) or next(
            (one for one in order.lines.values() if one.item.sku == named), None
        )
        if line is None:
            line = Line(str(len(order.lines) + 1), self.item(named), 0, added=True)
            order.lines[line.number] = line
            return LineChange(line.number, code or "AI", units, 0)
        before = order.units_after(line.number, sequence - 1)
        usual = "DI" if units == 0 else "QI" if units > before else "QD" if units < before else "CA"
        return LineChange(line.number, code or usual, units, before)

    def cancel(self, order: Order) -> Change:
        """Cancel the whole order, not sent yet."""
        if order.cancelled:
            raise Refused(f"order {order.number} is cancelled already")
        order.cancelled = True
        number = max(order.changes, default=0) + 1
        made = Change(number, "01", [], self.clock.now())
        order.changes[number] = made
        return made

    # -- sending --------------------------------------------------------------------------------------------------

    def send(
        self,
        set_id: str,
        bodies_of: Sequence[list[Segment]],
        *,
        orders: Iterable[str] = (),
        skus: Sequence[str] = (),
        dirty: Iterable[str] = (),
    ) -> Sent:
        """One interchange with one group of sets of one kind, handed to the post."""
        self.control = self.control % HIGHEST_CONTROL + 1
        self.group = self.group % HIGHEST_CONTROL + 1
        sets = [(set_id, body) for body in bodies_of]
        segments = enclose(self.way, self.clock.now(), self.control, self.group, sets)
        data = dirt.soil(segments, dirty, self.dice)
        named = ", ".join(orders)
        kinds = tuple(one for one, _ in sets)
        made = Sent(
            self.file_name(set_id, self.control), self.control, self.group, GROUP_OF[set_id], kinds,
            named, self.clock.now(), data,
        )  # fmt: skip
        self.books.sent.append(made)
        self.post(made, skus)
        return made

    def again(self, sent: Sent, data: bytes | None = None, skus: Sequence[str] = ()) -> str:
        """The same bytes, or others, under a new file name; no new entry in the books. Returns the name."""
        name = self.file_name(sent.sets[0], sent.control)
        copy = Sent(
            name, sent.control, sent.group, sent.kind, sent.sets, sent.order, self.clock.now(),
            sent.data if data is None else data,
        )  # fmt: skip
        self.post(copy, skus)
        return name

    def sent(self, named: Any) -> Sent:
        """What was sent last under a file name or a control number; by an order's number, its 850."""
        for one in reversed(self.books.sent):
            ordered = one.sets[0] == "850" and str(named) in one.order.split(", ")
            if ordered or named in (one.name, one.control):
                return one
        raise Unknown(f"nothing was sent as {named!r}")

    def file_name(self, set_id: str, control: int) -> str:
        """A name that no other file of this partner has."""
        self._files += 1
        return f"{self._files:06d}-{set_id}-{control:09d}.edi"
