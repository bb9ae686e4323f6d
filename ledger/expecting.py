"""What is to come: expectations and the receipts they meet, and requests to make or buy sooner.

A line of supply is (reference, SKU, location). Whatever the order in which its facts arrive,

    incoming = max(0, expected by the newest snapshot - all that came and named it)

so that each fact moves the difference, and two facts may change places without anybody seeing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from ledger import postings
from ledger.events import AnyFact, Expected, PullForward, Receipt, TransferReceive
from ledger.types import IN_TRANSIT, OUTSIDE, Move, State

#: (reference, SKU, location): a line of a purchase order, transfer or ship notice.
SupplyKey: TypeAlias = tuple[str, str, str]
#: (SKU, location, who asks, channel, order, line), the last three "" where the location itself is short.
RequestKey: TypeAlias = tuple[str, str, str, str, str, str]

#: Facts about a line of supply.
Supplying: TypeAlias = Expected | Receipt | TransferReceive

_LONGEST_REFERENCE = 255


@dataclass(frozen=True, slots=True)
class SupplyLine:
    """What has been posted for one line of supply.

    expected_units   all that is expected, by the newest snapshot
    received_units   all that came and named it, whether it was expected or not
    due_at           when the rest is due; None while nobody expects anything
    revision         the newest snapshot seen; None as `due_at`
    """

    expected_units: int = 0
    received_units: int = 0
    due_at: datetime | None = None
    revision: datetime | None = None

    @property
    def open_units(self) -> int:
        """Units still incoming: whatever the order of events, expected less received, never below 0."""
        return max(0, self.expected_units - self.received_units)


@dataclass(frozen=True, slots=True)
class Request:
    """Units asked to come sooner, as they stand; 0 when they are needed no longer.

    since       when it was opened
    revision    the newest snapshot seen
    """

    units: int
    due_at: datetime
    reason: str
    since: datetime
    revision: datetime


def supply(fact: Supplying, line: SupplyLine | None) -> tuple[list[Move], SupplyLine]:
    """What a fact about a line of supply moves: incoming is always what is expected and has not come.

    returns    the same line when an expectation is older than the newest one seen, or says the same
    """
    was = line or SupplyLine()
    if isinstance(fact, Expected):
        if was.revision is not None and fact.as_of <= was.revision:
            return [], was
        now = replace(was, expected_units=fact.units, due_at=fact.due, revision=fact.as_of)
        return _incoming(fact.sku, fact.location, now.open_units - was.open_units), now
    now = replace(was, received_units=was.received_units + fact.units)
    return _arrival(fact, was.open_units - now.open_units), now


def unsupply(
    kind: str, moves: Sequence[Move], line: SupplyLine, key: SupplyKey
) -> tuple[list[Move], SupplyLine]:
    """The moves that undo a receipt, and its line of supply as if it had not come.

    Not its moves turned round: another receipt may have come since, and taken what was left to expect.
    """
    _, sku, location = key
    units = sum(m.units for m in moves if m.to_state == State.AVAILABLE)
    before = replace(line, received_units=line.received_units - units)
    again = before.open_units - line.open_units
    if kind == "transfer_receive":
        back = Move(sku, location, State.AVAILABLE, IN_TRANSIT, State.IN_TRANSIT, units)
        return [back, *_incoming(sku, location, again)], before
    came = _arrived(sku, location, units, again)
    return [move.reversed() for move in came], before


def request(fact: PullForward, before: Request | None) -> Request | None:
    """The request as it stands after this snapshot; None when a newer one was seen."""
    if before is not None and fact.as_of <= before.revision:
        return None
    since = before.since if before is not None and before.units else fact.occurred_at
    return Request(fact.units, fact.due, fact.reason, since, fact.as_of)


def supply_key(fact: AnyFact) -> SupplyKey | None:
    """The line of supply that the fact is about, if any."""
    if isinstance(fact, Expected | Receipt | TransferReceive) and _may_name(fact.reference):
        return fact.reference, fact.sku, fact.location
    return None


def supplied(kind: str, reference: str, moves: Sequence[Move]) -> SupplyKey | None:
    """The line of supply that a booked event came in by, if any."""
    if kind not in ("receipt", "transfer_receive") or not _may_name(reference):
        return None
    return next(
        ((reference, m.sku, m.to_location) for m in moves if m.to_state == State.AVAILABLE), None
    )


def request_key(fact: AnyFact) -> RequestKey | None:
    """The request that the fact is a snapshot of, if any."""
    if isinstance(fact, PullForward):
        return (
            fact.sku,
            fact.location,
            fact.source,
            fact.channel or "",
            fact.order or "",
            fact.line or "",
        )
    return None


def _may_name(reference: str) -> bool:
    """Whether an expectation could have this reference; a longer text is a remark."""
    return 0 < len(reference) <= _LONGEST_REFERENCE


def _incoming(sku: str, location: str, units: int) -> list[Move]:
    """More units expected from outside; below 0 fewer."""
    if units == 0:
        return []
    move = Move(sku, OUTSIDE, State.SUPPLIER, location, State.INCOMING, abs(units))
    return [move if units > 0 else move.reversed()]


def _arrival(fact: Receipt | TransferReceive, expected: int) -> list[Move]:
    """Units that came, of which so many were expected."""
    if isinstance(fact, TransferReceive):
        # They come out of transit: what was expected of them is not to come a second time.
        return [*postings.unlined(fact), *_incoming(fact.sku, fact.location, -expected)]
    return _arrived(fact.sku, fact.location, fact.units, expected)


def _arrived(sku: str, location: str, units: int, expected: int) -> list[Move]:
    moves = []
    if expected:
        moves.append(Move(sku, location, State.INCOMING, location, State.AVAILABLE, expected))
    if units > expected:
        more = units - expected
        moves.append(Move(sku, OUTSIDE, State.SUPPLIER, location, State.AVAILABLE, more))
    return moves
