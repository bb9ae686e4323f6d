"""A change of an order as new quantities of its lines: which quantity is meant, partners see differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from channels.edi.documents import ChangeLine, OrderChange, OrderLine
from channels.edi.drafting import Draft, Puzzling, draft_line
from channels.edi.partner import Partner
from channels.edi.standing import Standing, StandingLine
from channels.names import Names

_UP: Final = frozenset({"QI"})
_DOWN: Final = frozenset({"QD"})
#: Codes that leave the quantity alone.
_PRICE: Final = frozenset({"PC"})


@dataclass(frozen=True, slots=True)
class Change:
    """One POC line, understood.

    drafts     what its line (or its stores' parts of it) is to become; none when it is refused
    refused    why it changes nothing, "" when it does
    """

    asked: ChangeLine
    drafts: tuple[Draft, ...] = ()
    refused: str = ""


def understand(
    change: OrderChange, standing: Standing, partner: Partner, names: Names
) -> list[Change]:
    """Every POC line of a change, understood against the order as it stands."""
    places = _last_place(standing, change)
    known = standing.by_number()
    understood = []
    for asked in change.lines:
        of_line = known.get(asked.line.number, [])
        if not of_line:
            places += 1
        understood.append(_one(asked, of_line, places, partner, names))
    return understood


def _last_place(standing: Standing, change: OrderChange) -> int:
    """The largest place or number of any line: a line that is added without a number gets one that nobody has."""
    numbers = [line.line for line in standing.lines] + [each.line.number for each in change.lines]
    counted = [int(number) for number in numbers if number.isascii() and number.isdecimal()]
    return max([0, *(line.place for line in standing.lines), *(n for n in counted if n < 10**6)])


def cancelled(standing: Standing) -> list[Draft]:
    """Every line asked for in nothing."""
    return [Draft(line, Decimal(0), 0) for line in standing.lines]


def replacing(drafts: Sequence[Draft], standing: Standing) -> list[Draft]:
    """An order that replaces another: its lines as drafted, and nothing of those it does not name.

    raises    Puzzling when a line that was promised already means another item now
    """
    named = {draft.standing.key for draft in drafts}
    before = standing.by_key()
    kept = [_onto(draft, before.get(draft.standing.key)) for draft in drafts]
    return [*kept, *(draft for draft in cancelled(standing) if draft.standing.key not in named)]


def _onto(draft: Draft, before: StandingLine | None) -> Draft:
    if before is None or not before.accepted:
        return draft
    if before.parts != draft.standing.parts:
        raise Puzzling(
            f"line {before.line} was promised as item {before.item} and is {draft.standing.item or 'unknown'} now:"
            " cancel the order and ask for a new one"
        )
    return Draft(before, draft.quantity, draft.wanted)


def _one(
    asked: ChangeLine, of_line: Sequence[StandingLine], place: int, partner: Partner, names: Names
) -> Change:
    if not of_line:
        if asked.change not in ("AI", "RZ"):
            return Change(asked, refused=f"the order has no line {asked.line.number}")
        line = _with_quantity(asked, _asked_for(asked, Decimal(0), partner))
        return Change(asked, tuple(draft_line(line, place, partner, names)))
    if asked.change == "AI" and any(line.ordered for line in of_line):
        return Change(asked, refused=f"the order has line {asked.line.number} already")
    if asked.change == "DI":
        return Change(asked, tuple(Draft(line, Decimal(0), 0) for line in of_line))
    return _quantities(asked, of_line, partner, names)


def _quantities(
    asked: ChangeLine, of_line: Sequence[StandingLine], partner: Partner, names: Names
) -> Change:
    before = Decimal(sum(line.ordered for line in of_line))
    quantity = _asked_for(asked, before, partner)
    if asked.line.measure and asked.line.measure != of_line[0].measure:
        return Change(asked, refused=f"line {asked.line.number} is ordered in {of_line[0].measure}")
    made = list(
        draft_line(_with_quantity(asked, quantity), of_line[0].place, partner, names)
        if asked.line.products
        else draft_line(_as_before(asked, quantity, of_line[0]), of_line[0].place, partner, names)
    )
    if {draft.standing.store for draft in made} != {line.store for line in of_line}:
        return Change(
            asked, refused=f"line {asked.line.number} is split among stores; the change must be too"
        )
    problem = next((draft.problem for draft in made if draft.problem), "")
    if problem:
        return Change(asked, refused=problem)
    by_store = {line.store: line for line in of_line}
    if any(
        draft.standing.parts != by_store[draft.standing.store].parts
        for draft in made
        if of_line[0].parts
    ):
        return Change(asked, refused=f"line {asked.line.number} cannot become another item")
    drafts = tuple(_again(draft, by_store[draft.standing.store]) for draft in made)
    return Change(asked, drafts)


def _again(draft: Draft, before: StandingLine) -> Draft:
    """The line as it stands, in the quantity drafted; one that had no item of ours takes the draft's."""
    standing = before if before.parts else draft.standing
    return Draft(standing, draft.quantity, draft.wanted)


def _asked_for(asked: ChangeLine, before: Decimal, partner: Partner) -> Decimal:
    """The new quantity of a line."""
    said = asked.line.quantity
    if asked.change in _PRICE and partner.poc != "new":
        return before
    match partner.poc:
        case "left":
            return before if asked.left is None else asked.left
        case "delta" if asked.change in _DOWN:
            return before - (said or 0)
        case "delta" if asked.change in _UP or asked.change in ("CA", "PQ"):
            return before + (said or 0)
    return before if said is None else said


def _with_quantity(asked: ChangeLine, quantity: Decimal) -> OrderLine:
    line = asked.line
    return OrderLine(
        number=line.number,
        quantity=quantity,
        measure=line.measure,
        price=line.price,
        products=line.products,
        stores=line.stores,
    )


def _as_before(asked: ChangeLine, quantity: Decimal, before: StandingLine) -> OrderLine:
    return OrderLine(
        number=before.line,
        quantity=quantity,
        measure=before.measure,
        price=asked.line.price,
        products=before.products,
        stores=asked.line.stores,
    )
