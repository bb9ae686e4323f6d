"""What a partner's line means to us: its item as our SKUs, its unit of measure as units, its stores as parts of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from channels.edi.documents import OrderLine, ProductId
from channels.edi.partner import Partner
from channels.edi.standing import StandingLine
from channels.names import Names, Part

#: No order is larger, whatever its partner typed; what is, no column of ours could hold.
MOST: Final = 1_000_000_000


class Puzzling(Exception):
    """A document that only a person can decide on; the message says what is the matter and what to do."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A line as asked for, before anything is promised.

    quantity    in the line's measure, as the partner wrote it
    wanted      the same as a whole number
    problem     why nothing can be promised of it, "" when something can
    """

    standing: StandingLine
    quantity: Decimal
    wanted: int
    problem: str = ""


def ids_of(lines: Sequence[OrderLine]) -> set[str]:
    """Every product number that these lines name."""
    return {product.value for line in lines for product in line.products}


def drafts(lines: Sequence[OrderLine], partner: Partner, names: Names) -> list[Draft]:
    """A draft for each line, or for each store's part of it.

    raises    Puzzling when two lines have one number
    """
    made = [
        draft
        for place, line in enumerate(lines, 1)
        for draft in draft_line(line, place, partner, names)
    ]
    counts = Counter(draft.standing.key for draft in made)
    twice = next((key for key, count in counts.items() if count > 1), None)
    if twice:
        at = f" for store {twice[1]}" if twice[1] else ""
        raise Puzzling(f"two lines are numbered {twice[0]!r}{at}: ask the partner which one holds")
    return made


def draft_line(line: OrderLine, place: int, partner: Partner, names: Names) -> Iterator[Draft]:
    """The drafts of one line."""
    product, parts = _item(line.products, partner, names)
    each = partner.each(line.measure)
    standing = StandingLine(
        line=line.number or str(place),
        store="",
        place=place,
        item=product.value if product else "",
        products=line.products,
        parts=tuple(Part(part.sku, part.units * (each or 1)) for part in parts) if each else (),
        measure=line.measure,
        price=line.price,
    )
    problem = _problem(line, parts, each)
    quantities = [("", line.quantity or Decimal(0))]
    if line.stores:
        told = sum((share.quantity for share in line.stores), Decimal(0))
        if line.quantity is not None and told != line.quantity:
            problem = problem or f"its stores get {told:f} of {line.quantity:f}"
        else:
            quantities = _by_store(line)
    for store, quantity in quantities:
        yield _draft(standing, store, quantity, problem)


def _by_store(line: OrderLine) -> list[tuple[str, Decimal]]:
    shares: dict[str, Decimal] = {}
    for share in line.stores:
        shares[share.store] = shares.get(share.store, Decimal(0)) + share.quantity
    return list(shares.items())


def _draft(standing: StandingLine, store: str, quantity: Decimal, problem: str) -> Draft:
    whole = int(quantity.to_integral_value())
    if not problem and quantity > MOST:
        problem = f"{quantity:f} {standing.measure} is more than anybody has"
    if not problem and (whole != quantity or quantity < 0):
        problem = f"{quantity:f} {standing.measure} is no whole number"
    here = StandingLine(
        line=standing.line,
        store=store,
        place=standing.place,
        item=standing.item,
        products=standing.products,
        parts=() if problem else standing.parts,
        measure=standing.measure,
        price=standing.price,
    )
    return Draft(here, quantity, min(max(0, whole), MOST), problem)


def _problem(line: OrderLine, parts: Sequence[Part], each: int | None) -> str:
    if not parts:
        said = ", ".join(f"{product.qualifier} {product.value}" for product in line.products)
        return f"item {said or '(none)'} is not mapped"
    if each is None:
        return f"how many one {line.measure or '(no measure)'} is, option measures does not say"
    if line.quantity is None:
        return "it has no quantity"
    return ""


def _item(
    products: Sequence[ProductId], partner: Partner, names: Names
) -> tuple[ProductId | None, tuple[Part, ...]]:
    """The product number that we know, the partner's preferred qualifier first."""
    ranks = {qualifier: rank for rank, qualifier in enumerate(partner.items)}
    for product in sorted(products, key=lambda each: ranks.get(each.qualifier, len(ranks))):
        if parts := names.parts(product.value):
            return product, parts
    return None, ()
