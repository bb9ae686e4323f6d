"""The port of a sales channel: ten verbs, the values they speak in, and the errors that say what to do.

ChannelError
+-- Throttled(retry_after_s)   come back when the vendor says; costs no attempt
+-- Unavailable                transport, 5xx, outcome unknown; back off with jitter, same idempotency key
+-- Unauthorised               credentials or scopes; the channel stops and a person is called
+-- Unreadable                 an answer we cannot understand; treated as outcome unknown, then parked
+-- Refused(code)              the vendor refused the whole call for a reason of ours; never retried as it is

The class is the retry policy: nobody looks at a status code after `http.py`.
A single bad row of a batch is not an error but an `Outcome` (see `Rejected`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias


class ChannelError(Exception):
    """A call to a channel that did not do what was asked."""


class Throttled(ChannelError):
    """The vendor's limit is reached; the call was not executed and may be repeated with the same key.

    retry_after_s    seconds until the vendor lets us in again, at least 0
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(ChannelError):
    """No answer, a 5xx or a broken connection: whether the call took effect is unknown."""


class Unauthorised(ChannelError):
    """The vendor does not accept our credentials or scopes; no retry helps."""


class Unreadable(ChannelError):
    """The vendor answered something that its own contract does not describe."""


class Refused(ChannelError):
    """The vendor refused the whole call; `code` is the vendor's word for it."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Binding:
    """Our (channel, SKU, location) and the vendor's names for it.

    item_id               what carries stock at the vendor (Shopify: InventoryItem gid)
    vendor_location_id    the vendor's location (Shopify: Location gid)
    variant_id            what is sold (Shopify: ProductVariant gid), with its product_id
    level_id              the vendor's id of this stock level, where it has one
    pack                  units of ours in one of the vendor's; a client never looks at it (`channels.packs` does)
    read_only             the channel holds this stock itself and only tells it (Amazon FBA); nothing is ever pushed
    """

    channel: str
    sku: str
    location: str
    item_id: str
    vendor_location_id: str
    variant_id: str = ""
    product_id: str = ""
    level_id: str = ""
    pack: int = 1
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """One number to be shown.

    units       what the channel shall show, at least 0
    number      the target's rising number; a later target has a higher one
    expected    what we believe the channel shows now, for compare-and-set; None means no check
    """

    binding: Binding
    units: int
    number: int
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The vendor says it took the level."""

    level: Level


@dataclass(frozen=True, slots=True)
class Stale:
    """Compare-and-set failed: the channel shows something else than we expected. A drift signal, not an error."""

    level: Level


@dataclass(frozen=True, slots=True)
class Rejected:
    """The vendor refuses this row; the others of its batch went through.

    code       the vendor's code
    message    the vendor's words
    """

    level: Level
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor took the row in and will say later what became of it.

    receipt    names what to ask for (`Channel.answers`); the same for every row of a call
    """

    level: Level
    receipt: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """The limit ran out in the middle of the call: this row was not sent, which costs no attempt.

    retry_after_s    seconds until the vendor lets us in again
    """

    level: Level
    retry_after_s: float


Outcome: TypeAlias = Confirmed | Stale | Rejected | Accepted | NotSent


@dataclass(frozen=True, slots=True)
class Reading:
    """What a channel shows of one binding.

    units         the sellable number shown; None is unknown (absent, untracked, inactive), never zero
    committed     units on the vendor's own unfulfilled orders, None where it does not say
    updated_at    when the vendor last changed the number, None where it does not say
    observed_at   when we read it
    said          while units are unknown because a document of ours is on its way: what the newest one says
    """

    binding: Binding
    units: int | None
    committed: int | None
    updated_at: datetime | None
    observed_at: datetime
    said: int | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a notification says a channel shows of one of its items. Never a posting: it may ask for a read-back.

    units    in the vendor's own, None where it does not say
    at       when, by the vendor's clock
    """

    item_id: str
    vendor_location_id: str
    units: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A location of the vendor.

    pickup    buyers may fetch their orders there
    """

    vendor_location_id: str
    name: str
    active: bool
    pickup: bool


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """A raw order of the channel's own order API, as the document its webhook would have carried.

    updated_at     its place in the order of changes that the channel told
    delivery_id    a stable id for the inbox: the same order at the same revision has the same id
    """

    order_id: str
    updated_at: datetime
    delivery_id: str
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """That an order changed, without what it says now; fields as in `ChannelOrder`."""

    updated_at: datetime
    delivery_id: str


#: Which of these changes need not be read again, by their delivery ids.
Known: TypeAlias = Callable[[Sequence[Change]], Set[str]]


def nothing_known(_: Sequence[Change]) -> Set[str]:
    """Every order is read."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Subscription:
    """A notification the channel sends us."""

    subscription_id: str
    topic: str
    uri: str


class Channel(Protocol):
    """What every lane can do. One instance is one account at one vendor; it holds no state of the stock."""

    name: str
    #: Rows that one `push` call carries at most, and at most when the outcome of each is to be known at once.
    push_rows: int
    direct_rows: int
    #: Seconds a confirmed write may take until it can be read back.
    settle_s: float

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its last answer, to the second; None where it has not told."""

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        """Show these levels; one outcome a level, in order.

        key       names this attempt (SKU set, numbers and epoch); a repeat of the same call with the same key
                  is harmless
        raises    ChannelError; after `Unavailable` any of the levels may or may not be shown
        """

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        """What became of the levels that were `Accepted` under a receipt; None while the vendor does not know.

        levels    those of the call, in its order
        """

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """Read back what the channel shows, one reading a binding, in any order."""

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        """What `stop_sale` would return now, changing nothing.

        Store it before `stop_sale`: a worker that dies between that call and its commit would take the undo with it.
        """

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        """Stop sales of this SKU on this channel only; returns what was changed, so that it can be undone exactly."""

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        """Undo `stop_sale`; what a person changed meanwhile is left as it is."""

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        """Orders created or changed at or after `mark`, oldest change first.

        known    what is known is left out by a channel that tells changes for less than it tells orders
        """

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        """Everything sellable on the channel as bindings; `locations` maps the vendor's location ids to ours."""

    def subscriptions(self) -> list[Subscription]:
        """The notifications the vendor believes it sends us."""

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        """Make sure that these topics are sent to `uri`; returns those that had to be created."""


class ReadsInBulk(Protocol):
    """What a vendor can do besides that tells a whole catalogue without being asked item by item."""

    def begin_read_all(self) -> str:
        """Let the vendor write down every level it shows; returns a name to come back with. Raises ChannelError."""

    def read_all(self, operation_id: str) -> Iterator[Sighting] | None:
        """What it wrote, in the vendor's units and in any order; None while it is at it.

        raises    Refused when nothing (more) will come of it: then begin again. What was told before that is true
        """

    def changed_since(self, mark: datetime, locations: Sequence[str]) -> Iterator[Sighting]:
        """Levels at these locations of the vendor that changed at or after `mark`."""

    def places(self) -> list[Place]:
        """The vendor's locations, those that were closed among them."""


class HoldsOrders(Protocol):
    """What a vendor can do besides that keeps an order from being shipped until it is told otherwise."""

    def hold_order(self, order: str, line: str, *, key: str, note: str) -> Mapping[str, str]:
        """Keep a line of an order, and what is shipped with it, from being shipped.

        order, line    as they are booked
        key            names the hold: the same call with the same key again is harmless
        note           what people read at the vendor
        returns        the vendor's names of what was held, for the record
        raises         ChannelError; Refused when it cannot be held any more
        """

    def release_order(self, order: str, *, key: str) -> None:
        """Let go what was held under a key; harmless when it is not held any more. Raises ChannelError."""
