"""How the book follows one SKU in Amazon's network: what it is told now, and what stays different."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.amazon.fba import Parts
from channels.amazon.mirror import Off, held_units, still_off, unexplained
from channels.amazon.movements import Place
from ledger.events import AnyFact, Count, Opening, Release, Reservation

#: Holder of units that are in Amazon's network and cannot be sold at the moment.
HOLDER: Final = "amazon:fba"


@dataclass(frozen=True, slots=True)
class Followed:
    """One bound SKU in Amazon's network: its newest reading, and the book at that reading's time (units of ours).

    held, held_number    what the book was last told to keep apart, and how often it was told
    on_hand              at the reading's time;  on_hand_soon  a little later: two clocks are not quite alike
    committed            the more of both
    waiting              ledger rows up to the reading that wait for their order or have just been read
    """

    seller_sku: str
    place: Place
    parts: Parts
    as_of: datetime
    opened_at: datetime | None
    held: int
    held_number: int
    off: Off | None
    committed: int
    on_hand: int
    on_hand_soon: int
    waiting: int


@dataclass(frozen=True, slots=True)
class State:
    """How the book follows a SKU from now on; see `Followed`."""

    seller_sku: str
    opened_at: datetime | None
    held: int
    held_number: int
    off: Off | None


@dataclass(frozen=True, slots=True)
class Step:
    """One go for one SKU."""

    of: Followed
    facts: tuple[AnyFact, ...]
    state: State

    @property
    def changed(self) -> bool:
        """Whether there is anything to write down."""
        before, after = self.of, self.state
        return bool(self.facts) or (before.opened_at, before.off) != (after.opened_at, after.off)


def follow(sku: Followed, source: str, window_at: datetime) -> Step:
    """What the book is told of a SKU: its opening, once; what cannot be sold, when that changed.

    The opening is counted as well, so that orders from before which come in later change nothing that was there.
    """
    held = held_units(sku.parts, sku.place.pack, sku.committed)
    facts = list(_opening(sku, source)) if sku.opened_at is None else []
    number = sku.held_number
    if held != sku.held:
        number += 1
        facts.append(_held(sku, held, number, source))
    off = None
    if sku.opened_at is not None:
        book = (sku.on_hand, sku.on_hand_soon)
        units = unexplained(sku.parts, sku.place.pack, book, sku.waiting)
        off = still_off(sku.off, units, window_at)
    opened_at = sku.opened_at or sku.as_of
    return Step(sku, tuple(facts), State(sku.seller_sku, opened_at, held, number, off))


def _opening(sku: Followed, source: str) -> Iterator[AnyFact]:
    place, there = sku.place, sku.parts.in_house * sku.place.pack
    missing = there - sku.on_hand
    if missing > 0:
        yield Opening(
            source=source,
            id=f"fba-opening:{place.sku}",
            occurred_at=sku.as_of,
            actor="amazon",
            reason="first reading of Amazon's stock",
            sku=place.sku,
            location=place.location,
            units=missing,
        )
    yield Count(
        source=source,
        id=f"fba-first:{place.sku}",
        occurred_at=sku.as_of,
        actor="amazon",
        reason="first reading of Amazon's stock",
        sku=place.sku,
        location=place.location,
        counted=there,
    )


def _held(sku: Followed, held: int, number: int, source: str) -> AnyFact:
    kind = Reservation if held > sku.held else Release
    return kind(
        source=source,
        id=f"fba-held:{sku.place.sku}:{number}",
        occurred_at=sku.as_of,
        actor="amazon",
        reason="in transfer, processing or research, or ordered from Amazon and not in the book yet",
        reference=HOLDER,
        sku=sku.place.sku,
        location=sku.place.location,
        units=abs(held - sku.held),
    )
