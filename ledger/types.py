"""The shared words: what is counted, where it is, and in which state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NewType, TypeAlias

Sku = NewType("Sku", str)
LocationId = NewType("LocationId", str)
ChannelId = NewType("ChannelId", str)

Units: TypeAlias = int

IN_TRANSIT = LocationId("IN-TRANSIT")
OUTSIDE = LocationId("OUTSIDE")


class State:
    """Where units stand: six states of stock we hold or expect, then the accounts outside the house.

    Plain strings, not an enum: they go to PostgreSQL in arrays of thousands.
    """

    AVAILABLE: Final = "available"
    UNAVAILABLE: Final = "unavailable"
    COMMITTED: Final = "committed"
    RESERVED: Final = "reserved"
    IN_TRANSIT: Final = "in_transit"
    INCOMING: Final = "incoming"

    SUPPLIER: Final = "supplier"
    CUSTOMER: Final = "customer"
    LOSS: Final = "loss"
    FOUND: Final = "found"
    OPENING: Final = "opening"


#: The states that make up on hand at a location (on hand = their sum).
ON_HAND = (State.AVAILABLE, State.UNAVAILABLE, State.COMMITTED, State.RESERVED)

#: Accounts outside the house; their place is (sku, OUTSIDE, account).
ACCOUNTS = (State.SUPPLIER, State.CUSTOMER, State.LOSS, State.FOUND, State.OPENING)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One balance of one SKU: a state at a location, or an outside account."""

    sku: str
    location: str
    state: str


@dataclass(frozen=True, slots=True)
class Move:
    """Units of one SKU going from one place to another; an event is a list of these.

    units    at least 1; the direction is in the places, never in the sign
    """

    sku: str
    from_location: str
    from_state: str
    to_location: str
    to_state: str
    units: int

    def reversed(self) -> Move:
        """The move that undoes this one."""
        return Move(
            self.sku,
            self.to_location,
            self.to_state,
            self.from_location,
            self.from_state,
            self.units,
        )


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a claimed delivery.

    state      applied | waiting | parked
    wait_for   what must arrive first, when waiting
    error      why, and what to do, when parked; a note, when applied without effect
    """

    row_id: int
    state: str
    wait_for: str | None = None
    error: str | None = None
