"""The mind of the mirror: what changed between two readings, what cannot be sold, and what nothing explains.

Nothing here is pushed. The book follows what Amazon says happened (orders, MCF orders, its inventory ledger); a reading
moves units between states of the network's location and never makes or destroys any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from channels.amazon.fba import Parts


@dataclass(frozen=True, slots=True)
class Moves:
    """What Amazon's own account says happened to one SKU between two readings, in Amazon's units.

    received, returned    came in;  removed, adjusted  changes with their sign (a loss is below 0)
    shipped               left for customers, counted positive
    mcf_ordered           ordered by Multi-Channel Fulfillment orders, less what they let go of
    """

    received: int = 0
    returned: int = 0
    removed: int = 0
    adjusted: int = 0
    shipped: int = 0
    mcf_ordered: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """The change of what can be sold, by cause; the parts sum to the change, whatever the moves say.

    transfer    units that went into (below 0) or came out of transfer, processing and research
    rest        what nothing explains
    """

    sale: int
    mcf: int
    inbound: int
    returned: int
    removal: int
    adjustment: int
    transfer: int
    rest: int

    @property
    def fulfillable(self) -> int:
        """The change as a whole."""
        return (
            self.sale
            + self.mcf
            + self.inbound
            + self.returned
            + self.removal
            + self.adjustment
            + self.transfer
            + self.rest
        )


def explain(before: Parts, after: Parts, moves: Moves) -> Change:
    """The change of `fulfillable` from one reading to the next, by cause.

    Orders take units when they are placed, not when they are shipped: what was ordered meanwhile is the change of
    pending orders plus what left. The rest is the change of all that is there which no movement accounts for.
    """
    came = moves.received + moves.returned + moves.removed + moves.adjusted
    ordered = after.pending_orders - before.pending_orders + moves.shipped
    return Change(
        sale=moves.mcf_ordered - ordered,
        mcf=-moves.mcf_ordered,
        inbound=moves.received,
        returned=moves.returned,
        removal=moves.removed,
        adjustment=moves.adjusted,
        transfer=before.held - after.held,
        rest=after.in_house - before.in_house - came + moves.shipped,
    )


def held_units(parts: Parts, pack: int, committed: int) -> int:
    """Units of ours at the network's location that may not be promised to anybody.

    Beside what is held there, orders that Amazon knows and the book does not: their units are gone from `fulfillable`
    already. With these kept apart, available in the book is what Amazon can still sell.

    committed    our units on orders at the location when the reading was so
    """
    # Below 0 it only says that a shipment came in before its order.
    unknown_orders = max(0, parts.pending_orders * pack - max(0, committed))
    return parts.held * pack + unknown_orders


@dataclass(frozen=True, slots=True)
class Off:
    """A difference between Amazon and the book that has not gone away.

    units        Amazon's number less the book's
    cycles       windows in which it was seen, at least 1;  window_at  the last of them
    """

    units: int
    cycles: int
    window_at: datetime


def still_off(before: Off | None, units: int, window_at: datetime) -> Off | None:
    """The difference as of this window: gone at 0, counted anew when it changed its sign, else seen once more.

    A window that is worked twice counts once.
    """
    if units == 0:
        return None
    if before is None or (before.units > 0) != (units > 0):
        return Off(units, 1, window_at)
    return Off(units, before.cycles + (before.window_at != window_at), window_at)


def unexplained(parts: Parts, pack: int, book: tuple[int, ...], waiting: int) -> int:
    """Units that Amazon has more (above 0) or less than the book, both at the reading's time.

    book       on hand at the location; more than one where times are only alike to a minute: the nearest counts
    waiting    our units of ledger rows up to then that wait for their order, with their sign
    """
    there = parts.in_house * pack
    return min((there - on_hand - waiting for on_hand in book), key=abs)
