"""What may be promised of each line, now and later: pure arithmetic on what the ledger holds.

Lines are served in their order, each as far as every SKU it takes is left. What a change lets go is there for the
others first. Never more is promised than is available: whatever is asked, for each SKU

    sum over lines of (accepted - held before) x units of the SKU in one  <=  max(0, available) + reserved

Units that are reserved for the partner are taken before what is available to anybody, and given back last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from channels.names import Part


@dataclass(frozen=True, slots=True)
class Drawn:
    """Units of one SKU that a line has out of reservations for the partner.

    open      of those that still hold for it: what it lets go is reserved again
    closed    of those that are over: what it lets go is available to anybody
    """

    open: int = 0
    closed: int = 0

    def kept(self, units: int) -> Drawn:
        """What is left of it in a line that has no more units than these."""
        closed = min(self.closed, units)
        return Drawn(min(self.open, units - closed), closed)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of an order, or one store's part of it, counted in the line's own unit of measure.

    quantity    ordered now, in all
    parts       what one of the measure takes from our stock; none where the item has no name of ours
    held        promised already
    shipped     gone already; never taken back
    share       what one of the measure takes of the partner's share, by a name of its own; None where nothing limits
    drawn       units of what is held, by SKU, that came out of reservations
    """

    line: str
    store: str
    quantity: int
    parts: tuple[Part, ...]
    held: int = 0
    shipped: int = 0
    share: Part | None = None
    drawn: Mapping[str, Drawn] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promise:
    """What becomes of one line; the three sum to what is ordered.

    accepted       committed in the ledger
    backordered    promised for later, not committed
    drawn          units of what is accepted, by SKU, out of reservations that still hold
    """

    wanted: Wanted
    accepted: int
    backordered: int = 0
    rejected: int = 0
    drawn: Mapping[str, int] = field(default_factory=dict)

    @property
    def ordered(self) -> int:
        """The quantity as it stands: what was asked for, but never less than what has gone already."""
        return self.accepted + self.backordered + self.rejected


@dataclass(frozen=True, slots=True)
class Terms:
    """partial: less than a line may be promised now; backorder: the rest may be promised for later."""

    partial: bool = True
    backorder: bool = True


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is reserved for the partner: taken first, and not counted against its share.

    units    of each SKU
    only     SKUs of which it gets nothing else
    """

    units: Mapping[str, int] = field(default_factory=dict)
    only: Collection[str] = ()


@dataclass(slots=True)
class _Pool:
    """What is left while lines are served, by SKU (and by the name of a share)."""

    free: dict[str, int]
    reserved: dict[str, int]
    only: Collection[str]

    def both(self, sku: str) -> int:
        """Units of a SKU that a line may take."""
        return self.reserved.get(sku, 0) + (0 if sku in self.only else self.free.get(sku, 0))


def promise(
    wanted: Sequence[Wanted],
    available: Mapping[str, int],
    terms: Terms,
    reserved: Reserved | None = None,
) -> list[Promise]:
    """A promise for each line, in order.

    available    units of each SKU that may be promised, and of each share; below 0 counts as none
    """
    reserved = reserved or Reserved()
    pool = _Pool(
        {name: max(0, units) for name, units in available.items()},
        {sku: max(0, units) for sku, units in reserved.units.items()},
        frozenset(reserved.only),
    )
    for each in wanted:
        _let_go(each, pool)
    return [_one(each, pool, terms) for each in wanted]


def _kept(wanted: Wanted) -> int:
    """How much of the promise made before stays."""
    return min(wanted.held, max(wanted.quantity, min(wanted.shipped, wanted.held)))


def _let_go(wanted: Wanted, pool: _Pool) -> None:
    kept, parts = _kept(wanted), _together(wanted.parts)
    for sku, units in parts.items():
        before = wanted.drawn.get(sku, Drawn())
        back = before.open - before.kept(kept * units).open
        gone = (wanted.held - kept) * units
        pool.reserved[sku] = pool.reserved.get(sku, 0) + back
        pool.free[sku] = pool.free.get(sku, 0) + gone - back
    if (share := wanted.share) is not None:
        # Lines wholly out of reservations took nothing of the share.
        drawn = {sku: each.open + each.closed for sku, each in wanted.drawn.items()}
        whole = _whole(parts, drawn)
        gone = max(0, wanted.held - whole) - max(0, kept - whole)
        pool.free[share.sku] = pool.free.get(share.sku, 0) + gone * share.units


def _one(wanted: Wanted, pool: _Pool, terms: Terms) -> Promise:
    kept, parts = _kept(wanted), _together(wanted.parts)
    more = max(0, wanted.quantity - kept)
    whole = _whole(parts, pool.reserved)
    found = min((pool.both(sku) // units for sku, units in parts.items()), default=0)
    if wanted.share is not None:
        found = min(found, whole + pool.free.get(wanted.share.sku, 0) // wanted.share.units)
    taken = min(more, found)
    if taken < more and not terms.partial:
        taken = 0
    drawn = {
        sku: wanted.drawn.get(sku, Drawn()).kept(kept * units).open for sku, units in parts.items()
    }
    for sku, units in parts.items():
        out_of = min(pool.reserved.get(sku, 0), taken * units)
        pool.reserved[sku] = pool.reserved.get(sku, 0) - out_of
        pool.free[sku] = pool.free.get(sku, 0) - (taken * units - out_of)
        drawn[sku] += out_of
    if (share := wanted.share) is not None:
        from_share = max(0, taken - whole) * share.units
        pool.free[share.sku] = pool.free.get(share.sku, 0) - from_share
    rest = more - taken
    if wanted.parts and terms.backorder:
        return Promise(wanted, kept + taken, backordered=rest, drawn=drawn)
    return Promise(wanted, kept + taken, rejected=rest, drawn=drawn)


def _whole(parts: Mapping[str, int], units: Mapping[str, int]) -> int:
    """How many of the measure these units make up."""
    return min((units.get(sku, 0) // of_one for sku, of_one in parts.items()), default=0)


def _together(parts: Sequence[Part]) -> dict[str, int]:
    """Units of each SKU in one of the measure, so that one that is named twice is counted twice."""
    units: dict[str, int] = {}
    for part in parts:
        units[part.sku] = units.get(part.sku, 0) + part.units
    return units
