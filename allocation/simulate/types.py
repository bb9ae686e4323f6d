"""Words of a simulation: what was wanted and what happened to the stock, and how long news takes.

Times are seconds since the history's start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

#: Where a channel shows a number: (channel, location).
Place: TypeAlias = tuple[str, str]


class Unusable(Exception):
    """Events that cannot be simulated; the message says where, why and what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """An order line as it was wanted, whether or not it could be served.

    key         name of the line, which a later cancel refers to
    location    where the customer wanted it from
    units       above 0
    price       of one unit; None where the source has none
    """

    at: float
    key: str
    channel: str
    location: str
    units: int
    price: Decimal | None = None


class Way(StrEnum):
    """How a movement changes the stock of a location."""

    PLAIN = "plain"
    SHIP = "ship"
    RECEIVE = "receive"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of stock that is no sale. What goes out is never more than is there.

    units    what comes in (above 0) or goes out
    way      plain: as it is; ship, receive: two legs of a transfer, of which the second brings what the first took;
             cancel: brings back at most what the line sold
    ref      names the transfer, or the line that is cancelled; "" for a plain one
    kind     what it was written down as, such as `return`; "" where nobody wrote it down
    """

    at: float
    location: str
    units: int
    way: Way = Way.PLAIN
    ref: str = ""
    kind: str = ""


Event: TypeAlias = Line | Movement


@dataclass(frozen=True, slots=True)
class Stream:
    """Everything that happened to one SKU, in order of time, and what each location held before."""

    sku: str
    opening: Mapping[str, int]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class History:
    """What a simulation replays.

    ends    seconds after the start at which it stops counting
    """

    start: datetime
    ends: float
    streams: Sequence[Stream]

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(len(stream.events) for stream in self.streams)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long news takes on one channel, in seconds.

    hear_s       from a sale until the ledger has it
    show_p50_s, show_p99_s    from the ledger's new number until the channel shows it: a log-normal time
    """

    hear_s: float
    show_p50_s: float
    show_p99_s: float


#: Measured on our own stack with simulated vendors (`lockstep demo`): 0.5 s at the middle and 2.7 s at the 99th
#: percentile from the ledger to the channel, after a second for the channel's message.
MEASURED = Delay(hear_s=1.0, show_p50_s=0.5, show_p99_s=2.7)


@dataclass(frozen=True, slots=True)
class Delays:
    """The delay of each channel; a channel that is missing has the usual one."""

    usual: Delay = MEASURED
    by_channel: Mapping[str, Delay] = field(default_factory=dict)

    def of(self, channel: str) -> Delay:
        """The delay of a channel."""
        return self.by_channel.get(channel, self.usual)

    def with_p99(self, channel: str, show_p99_s: float) -> Delays:
        """The same, with one channel's 99th percentile; its middle keeps the usual ratio."""
        middle = self.usual.show_p50_s * show_p99_s / self.usual.show_p99_s
        delay = Delay(self.usual.hear_s, middle, show_p99_s)
        return Delays(self.usual, {**self.by_channel, channel: delay})
