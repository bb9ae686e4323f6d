"""From a fact to balanced moves: which way each kind of event goes (`expecting` has what is to come).

Every move takes units from one place and puts them in another, so that an event sums to zero by construction
(`README.md`, "One recipe per event", shows each kind in a line).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from ledger.events import (
    Adjustment,
    AnyFact,
    Count,
    Opening,
    Order,
    OrderCancel,
    Receipt,
    Release,
    Reservation,
    Return,
    Reversal,
    Ship,
    TransferReceive,
    TransferShip,
    WriteOff,
)
from ledger.types import IN_TRANSIT, OUTSIDE, Move, State

#: Facts that stand for themselves; the others belong to an order line, or undo an event.
Unlined: TypeAlias = (
    Receipt
    | TransferShip
    | TransferReceive
    | Adjustment
    | WriteOff
    | Reservation
    | Release
    | Opening
    | Return
    | Count
    | Ship
)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """What has been posted for one line of an order.

    revision    the newest snapshot seen, by the channel's own clock
    """

    sku: str
    location: str
    revision: datetime
    ordered_units: int = 0
    cancelled_units: int = 0
    shipped_units: int = 0

    @property
    def open_units(self) -> int:
        """Units still committed to the customer; below 0 when more was cancelled or shipped than ordered."""
        return self.ordered_units - self.cancelled_units - self.shipped_units


def order(fact: Order, line: OrderLine | None) -> tuple[list[Move], OrderLine]:
    """The difference between a snapshot of an order line and what has been posted for it.

    A snapshot of the same moment that knows better where the line is served moves it there, and changes nothing else.

    returns    no moves when the snapshot is older than the newest one seen, or says the same
    """
    if line is None:
        made = OrderLine(fact.sku, fact.location, fact.as_of, ordered_units=fact.units)
        return _between(fact.sku, fact.location, State.AVAILABLE, State.COMMITTED, fact.units), made
    location = line.location if fact.location_is_guess else fact.location
    if fact.as_of < line.revision or (fact.as_of == line.revision and location == line.location):
        return [], line
    newer = replace(line, location=location)
    if fact.as_of > line.revision:
        newer = replace(newer, sku=fact.sku, revision=fact.as_of, ordered_units=fact.units)
    if (line.sku, line.location) == (newer.sku, newer.location):
        more = newer.ordered_units - line.ordered_units
        return _between(line.sku, line.location, State.AVAILABLE, State.COMMITTED, more), newer
    # The line was given to another location (or its item swapped): let go there, commit here.
    return [
        *_between(line.sku, line.location, State.AVAILABLE, State.COMMITTED, -line.open_units),
        *_between(newer.sku, newer.location, State.AVAILABLE, State.COMMITTED, newer.open_units),
    ], newer


def cancel(fact: OrderCancel, line: OrderLine) -> tuple[list[Move], OrderLine]:
    """Units of a known order line let go: back to available, or held apart until somebody decides."""
    to = State.AVAILABLE if fact.disposition == "restock" else State.UNAVAILABLE
    moves = _between(line.sku, line.location, State.COMMITTED, to, fact.units)
    return moves, replace(line, cancelled_units=line.cancelled_units + fact.units)


def ship(fact: Ship, line: OrderLine) -> tuple[list[Move], OrderLine]:
    """Units of a known order line gone to the customer, from wherever they really left."""
    shipped = replace(line, shipped_units=line.shipped_units + fact.units)
    if fact.location is None or fact.location == line.location:
        return [_out(line.sku, line.location, State.COMMITTED, State.CUSTOMER, fact.units)], shipped
    return [
        *_between(line.sku, line.location, State.COMMITTED, State.AVAILABLE, fact.units),
        _out(line.sku, fact.location, State.AVAILABLE, State.CUSTOMER, fact.units),
    ], shipped


def unlined(fact: Unlined) -> list[Move]:  # noqa: C901 - a table: one line a kind, nothing nested
    """The moves of a fact that needs to know nothing but itself.

    A count given as `counted` has no moves here: its variance depends on the position at its minute (`ledger.counts`).
    """
    match fact:
        case Receipt():
            return [_in(fact.sku, fact.location, State.SUPPLIER, State.AVAILABLE, fact.units)]
        case TransferShip():
            return [
                Move(
                    fact.sku,
                    fact.location,
                    State.AVAILABLE,
                    IN_TRANSIT,
                    State.IN_TRANSIT,
                    fact.units,
                )
            ]
        case TransferReceive():
            return [
                Move(
                    fact.sku,
                    IN_TRANSIT,
                    State.IN_TRANSIT,
                    fact.location,
                    State.AVAILABLE,
                    fact.units,
                )
            ]
        case Adjustment():
            return variance(fact.sku, fact.location, fact.units)
        case WriteOff():
            return variance(fact.sku, fact.location, -fact.units)
        case Reservation():
            return _between(fact.sku, fact.location, State.AVAILABLE, State.RESERVED, fact.units)
        case Release():
            return _between(fact.sku, fact.location, State.RESERVED, State.AVAILABLE, fact.units)
        case Opening():
            state = State.IN_TRANSIT if fact.location == IN_TRANSIT else State.AVAILABLE
            return [_in(fact.sku, fact.location, State.OPENING, state, fact.units)]
        case Return():
            state = State.AVAILABLE if fact.disposition == "sellable" else State.UNAVAILABLE
            return [_in(fact.sku, fact.location, State.CUSTOMER, state, fact.units)]
        case Count():
            return variance(fact.sku, fact.location, fact.variance or 0)
        case Ship(sku=str(sku), location=str(location)):
            return [_out(sku, location, State.AVAILABLE, State.CUSTOMER, fact.units)]
        case Ship():
            raise AssertionError(f"ship {fact.id} without an order line has no place")
        case _:
            assert_never(fact)


def variance(sku: str, location: str, units: int) -> list[Move]:
    """Stock found (above 0) or gone (below 0) against the book; none at 0."""
    if units > 0:
        return [_in(sku, location, State.FOUND, State.AVAILABLE, units)]
    if units < 0:
        return [_out(sku, location, State.AVAILABLE, State.LOSS, -units)]
    return []


def reversal(
    kind: str, moves: Sequence[Move], line: OrderLine | None
) -> tuple[list[Move], OrderLine | None]:
    """The moves that undo an event, and its order line as if the event had not been.

    kind, moves    of the event to undo
    """
    undone = [move.reversed() for move in reversed(moves)]
    if line is None:
        return undone, None
    into = sum(m.units for m in moves if m.to_state == State.COMMITTED)
    out_of = sum(m.units for m in moves if m.from_state == State.COMMITTED)
    if kind == "order":
        line = replace(line, ordered_units=max(0, line.ordered_units - into + out_of))
    elif kind == "order_cancel":
        line = replace(line, cancelled_units=line.cancelled_units - out_of)
    elif kind == "ship":
        line = replace(line, shipped_units=line.shipped_units - out_of)
    return undone, line


def order_line_key(fact: AnyFact) -> tuple[str, str, str] | None:
    """The (channel, order, line) whose memory the fact reads or changes, if any."""
    if isinstance(fact, Order | OrderCancel):
        return fact.channel, fact.order, fact.line
    if isinstance(fact, Ship) and fact.channel and fact.order and fact.line:
        return fact.channel, fact.order, fact.line
    return None


def named_places(fact: AnyFact) -> tuple[str | None, str | None]:
    """The SKU and the location a fact names itself, None where it leaves that to its order line."""
    if isinstance(fact, OrderCancel | Reversal):
        return None, None
    return fact.sku, fact.location


def _between(sku: str, location: str, from_state: str, to_state: str, units: int) -> list[Move]:
    """Units changing state at one location; below 0 is the way back, 0 is nothing."""
    if units == 0:
        return []
    if units < 0:
        from_state, to_state, units = to_state, from_state, -units
    return [Move(sku, location, from_state, location, to_state, units)]


def _in(sku: str, location: str, account: str, state: str, units: int) -> Move:
    return Move(sku, OUTSIDE, account, location, state, units)


def _out(sku: str, location: str, state: str, account: str, units: int) -> Move:
    return Move(sku, location, state, OUTSIDE, account, units)
