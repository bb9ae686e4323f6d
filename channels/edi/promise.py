"""What may be promised of each line, now and later: pure arithmetic on what the ledger holds.

Lines are served in their order, each as far as every SKU it takes is left. What a change lets go is there for the
others first. Never more is promised than is available: whatever is asked, for each SKU

    sum over lines of (accepted - held before) x units of the SKU in one  <=  max(0, available)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.names import Part


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of an order, or one store's part of it, counted in the line's own unit of measure.

    quantity    ordered now, in all
    parts       what one of the measure takes from our stock; none where the item has no name of ours
    held        promised already
    shipped     gone already; never taken back
    """

    line: str
    store: str
    quantity: int
    parts: tuple[Part, ...]
    held: int = 0
    shipped: int = 0


@dataclass(frozen=True, slots=True)
class Promise:
    """What becomes of one line; the three sum to what is ordered.

    accepted       committed in the ledger
    backordered    promised for later, not committed
    """

    wanted: Wanted
    accepted: int
    backordered: int = 0
    rejected: int = 0

    @property
    def ordered(self) -> int:
        """The quantity as it stands: what was asked for, but never less than what has gone already."""
        return self.accepted + self.backordered + self.rejected


@dataclass(frozen=True, slots=True)
class Terms:
    """partial: less than a line may be promised now; backorder: the rest may be promised for later."""

    partial: bool = True
    backorder: bool = True


def promise(wanted: Sequence[Wanted], available: Mapping[str, int], terms: Terms) -> list[Promise]:
    """A promise for each line, in order.

    available    units of each SKU that may be promised; below 0 counts as none
    """
    pool = {sku: max(0, units) for sku, units in available.items()}
    for each in wanted:
        for part in each.parts:
            let_go = each.held - _kept(each)
            pool[part.sku] = pool.get(part.sku, 0) + let_go * part.units
    return [_one(each, pool, terms) for each in wanted]


def _kept(wanted: Wanted) -> int:
    """How much of the promise made before stays."""
    return min(wanted.held, max(wanted.quantity, min(wanted.shipped, wanted.held)))


def _one(wanted: Wanted, pool: dict[str, int], terms: Terms) -> Promise:
    kept = _kept(wanted)
    more = max(0, wanted.quantity - kept)
    found = min(
        (pool.get(part.sku, 0) // part.units for part in _together(wanted.parts)), default=0
    )
    taken = min(more, found)
    if taken < more and not terms.partial:
        taken = 0
    for part in wanted.parts:
        pool[part.sku] = pool.get(part.sku, 0) - taken * part.units
    rest = more - taken
    if wanted.parts and terms.backorder:
        return Promise(wanted, kept + taken, backordered=rest)
    return Promise(wanted, kept + taken, rejected=rest)


def _together(parts: Sequence[Part]) -> list[Part]:
    """Parts with each SKU once, so that one that is named twice is counted twice."""
    units: dict[str, int] = {}
    for part in parts:
        units[part.sku] = units.get(part.sku, 0) + part.units
    return [Part(sku, count) for sku, count in units.items()]
