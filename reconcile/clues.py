"""The words of evidence: what a place that differs is asked for, beyond what the compare knows anyway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.types import SentPush


@dataclass(frozen=True, slots=True)
class Sale:
    """Units the channel took off its own number by an order that is in the book; below 0 it put them back.

    at    when, by the channel's clock
    """

    units: int
    at: datetime


@dataclass(frozen=True, slots=True)
class UnseenOrder:
    """A change of the channel's own order that is not in the book: kept, or only told by its order API.

    units          taken off the number shown; below 0 put back (a cancel, a return)
    at             when, by the channel's clock
    delivery_ids   rows of the inbox that tell it
    heard          a notification of the channel named the order too
    """

    order_id: str
    units: int
    at: datetime
    delivery_ids: tuple[int, ...] = ()
    heard: bool = False


@dataclass(frozen=True, slots=True)
class TwiceBooked:
    """One order of the channel that stands in the book twice, under two names.

    units                   of the second entry
    first_id, second_id     events of the book
    source, source_id       of the second entry, as a reversal names it
    """

    order_id: str
    units: int
    first_id: str
    second_id: str
    source: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Clues:
    """What only a place that differs is asked for (`reconcile.evidence`).

    sales           own sales in the book since the number confirmed last was first pushed, newest first
    sales_before    those before it, as far as pushes are looked at, newest first
    unseen          orders older than the grace that are not in the book
    asked           the channel's order API was asked after the reading
    known_to        orders changed before this moment are in the inbox
    last_order_at   when the channel's last order of this place that we know changed its number
    parked          deliveries that name the SKU and cannot be applied, by their inbox ids
    twice           orders that stand in the book twice
    cured_not       pushes confirmed since the drift was first seen, none of which showed
    committed       units on open orders: of the vendor where it says, else of the book;  reserved  of the book
    written_for     another SKU that differs, for which this number was pushed in the second in which it came here
    crossed         another SKU of ours that shows what this one should, and the other way round
    stop            of a halt that was read back: its zero, as the push that it is
    rule_version    of the rules that the target was computed by
    grace_is_over   the drift was open for longer than a late order is waited for
    quarantine      why nothing is repaired here until a person has looked; None when it is
    """

    sales: tuple[Sale, ...] = ()
    sales_before: tuple[Sale, ...] = ()
    unseen: tuple[UnseenOrder, ...] = ()
    asked: bool = False
    known_to: datetime | None = None
    last_order_at: datetime | None = None
    parked: tuple[int, ...] = ()
    twice: tuple[TwiceBooked, ...] = ()
    cured_not: int = 0
    committed: int = 0
    reserved: int = 0
    written_for: str | None = None
    crossed: str | None = None
    stop: SentPush | None = None
    rule_version: int | None = None
    grace_is_over: bool = False
    quarantine: str | None = None
