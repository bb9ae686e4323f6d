"""A partner's orders draw on its programs: reserved units first, booked with the promise, remembered by order line.

Units that a program gives an order are booked as a release and an order in one transaction, so what is free to others
stays as it was. What an order lets go is reserved again, as long as the program's window is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from allocation import program_store, programs
from allocation.program_store import Use
from allocation.programs import Draw, Drawn, Policy, Program
from channels.edi import promise
from channels.edi.promise import Promise, Reserved, Wanted
from channels.edi.standing import Standing, StandingLine
from ledger.events import Release, Reservation
from workers.flows.edi_desk import Desk

#: Source of every event that moves what a program holds.
SOURCE = "program"


@dataclass(frozen=True, slots=True)
class OnOffer:
    """The programs that matter to one order, held until the transaction ends.

    given    the ledger's order line -> program -> units that it has of it
    """

    programs: tuple[Program, ...] = ()
    serving: frozenset[str] = frozenset()
    location: str = ""
    given: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def skus(self) -> set[str]:
        """SKUs that a program serves now."""
        return {
            line.sku for each in self.programs if each.name in self.serving for line in each.lines
        }

    def wanted(self, line: StandingLine, quantity: int) -> Wanted:
        """A line asked for in another quantity, with what programs gave it so far."""
        want = line.wants(quantity)
        drawn = {}
        for name, part in line.ledger_lines():
            given = self.given.get(name, {})
            still = sum(units for program, units in given.items() if program in self.serving)
            if given:
                drawn[part.sku] = promise.Drawn(still, sum(given.values()) - still)
        return replace(want, drawn=drawn)

    def reserved(self, held: Mapping[str, int]) -> Reserved:
        """What the partner is promised before anything that is free.

        held    units reserved of each SKU by the book: never more than these, whoever else released some
        """
        left: Counter[str] = Counter()
        only = set()
        for program in self.programs:
            if program.name in self.serving:
                for line in program.lines:
                    left[line.sku] += line.left
                    if program.policy is Policy.CAP:
                        only.add(line.sku)
        return Reserved({sku: min(units, held.get(sku, 0)) for sku, units in left.items()}, only)


def on_offer(desk: Desk, order: Standing, lines: Sequence[StandingLine]) -> OnOffer:
    """The programs that these lines may draw on, or have drawn on."""
    skus = {part.sku for line in lines for part in line.parts}
    connection, partner = desk.connection, desk.partner.name
    found = program_store.of_order(
        connection, partner, order.order_id, order.location, skus, desk.now
    )
    if not found:
        return OnOffer()
    given: dict[str, dict[str, int]] = {}
    for use in program_store.uses(connection, partner, order.order_id):
        given.setdefault(use.line, {})[use.program] = use.units
    serving = frozenset(each.name for each in found if each.serves(desk.now))
    return OnOffer(tuple(found), serving, order.location, given)


def settle(
    desk: Desk,
    order: Standing,
    offer: OnOffer,
    made: Iterable[tuple[StandingLine, Promise]],
) -> tuple[list[Reservation], list[Release]]:
    """Count what these promises take and let go; returns what is reserved again, and what is released for them."""
    if not offer.programs:
        return [], []
    draws = [
        Draw(
            line=name,
            sku=part.sku,
            was=offer.given.get(name, {}),
            keeps=line.accepted * part.units,
            takes=promised.drawn.get(part.sku, 0),
        )
        for line, promised in made
        for name, part in line.ledger_lines()
    ]
    drawn = programs.draw(offer.programs, offer.location, draws, desk.now)
    if not drawn:
        return [], []
    by_name = {each.name: each for each in offer.programs}
    back: list[Reservation] = []
    out: list[Release] = []
    for each in drawn:
        program = programs.counted(by_name[each.program], offer.location, each)
        by_name[each.program] = program
        said = _said(desk, order, program, each, offer.location)
        if each.units > 0:
            out.append(Release(**said))
        elif not each.to_free:
            back.append(Reservation(**said))
    program_store.keep(desk.connection, by_name.values())
    now = [
        Use(x.line, x.program, x.sku, offer.given.get(x.line, {}).get(x.program, 0) + x.units)
        for x in drawn
    ]
    partner = desk.partner.name
    program_store.keep_uses(desk.connection, partner, order.order_id, offer.location, now)
    return back, out


def _said(
    desk: Desk, order: Standing, program: Program, drawn: Drawn, location: str
) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "id": f"{program.name}:{program.moves}",
        "occurred_at": desk.now,
        "actor": desk.partner.name,
        "reference": program.name,
        "reason": f"order {order.order_id} line {drawn.line}",
        "sku": drawn.sku,
        "location": location,
        "units": abs(drawn.units),
    }
