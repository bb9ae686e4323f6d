"""The shared words: what is counted, where it is, and in which state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NewType, TypeAlias

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
    failure    class of failure, when parked or rejected
    """

    row_id: int
    state: str
    wait_for: str | None = None
    error: str | None = None
    failure: str = "validation"


class FailureClass:
    """Why work failed for good: the closed list, in the order in which a person asks."""

    #: What came or is to be sent makes no sense as it is.
    VALIDATION: Final = "validation"
    #: Something has no name of ours, or the wrong one.
    MAPPING: Final = "mapping"
    #: The other side understood, and says no.
    REJECTED: Final = "rejected"
    #: The other side's limit left no room for it in time.
    THROTTLED_OUT: Final = "throttled_out"
    #: The other side did not answer, or not so that anybody could read it.
    UNAVAILABLE: Final = "unavailable"
    #: It is our own mistake.
    BUG: Final = "bug"


class Origin:
    """What can fail for good, and what names it: the closed list.

    inbox    a delivery; its id
    push     a number to be shown; channel/sku/location
    job      what the clock asks of a channel; job/channel
    task     a task that raised; its name, its arguments and what was raised
    edi      a document of or for a partner; document:id, or file:id for what could not be taken at all
    case     a step about an oversold order line; case/position
    alert    something to be told; incident/door/part
    hook     a message to an address outside; hook/message
    """

    INBOX: Final = "inbox"
    PUSH: Final = "push"
    JOB: Final = "job"
    TASK: Final = "task"
    EDI: Final = "edi"
    CASE: Final = "case"
    ALERT: Final = "alert"
    HOOK: Final = "hook"


@dataclass(frozen=True, slots=True)
class Failure:
    """Work that failed for good, to be written down with the state that says so.

    object     its key among those of its origin
    kind       a `FailureClass`
    payload    what was at work, as JSON has it; never a secret
    attempts   how often it was tried before that
    times      how often it failed since it was written down last
    """

    origin: str
    object: str
    kind: str
    error: str
    channel: str = ""
    sku: str = ""
    location: str = ""
    order: str = ""
    task: str = ""
    task_id: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    traceback: str = ""
    attempts: int = 0
    times: int = 1
