"""The stock events as canonical facts: what `POST /events` takes and what every lane's webhook is turned into.

A fact names itself by (source, id): `source` is who says so ("shopify", "wms", "history:2011-05"), `id` is the business
fact down to the order line and its revision. The same (source, id) is the same fact, for ever.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

MAX_UNITS = 1_000_000_000

#: No control characters (PostgreSQL text cannot hold NUL, pages should not hold the rest), no blanks at the ends.
_PLAIN = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_PLAIN)]
LongName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_PLAIN)]
Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Positive = Annotated[int, Field(ge=1, le=MAX_UNITS, strict=True)]
Natural = Annotated[int, Field(ge=0, le=MAX_UNITS, strict=True)]
Signed = Annotated[int, Field(ge=-MAX_UNITS, le=MAX_UNITS, strict=True)]


class Fact(BaseModel):
    """What every event carries.

    occurred_at   when it happened in the world, with its offset
    actor         who did it: a person, a program, a shop's clerk
    reference     the document behind it: transfer, purchase order, programme
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Name
    id: LongName
    occurred_at: AwareDatetime
    actor: Text = ""
    reference: Text = ""
    reason: Text = ""


#: Why a count differs from the book; `unexplained` is an answer, none at all is not.
ReasonCode: TypeAlias = Literal[
    "damage", "theft", "lost", "found", "miscount", "mispick", "receipt_error", "unbooked", "pack_or_unit", "sku_mixup",
    "giveaway", "failed_pick", "unexplained",
]  # fmt: skip


class Order(Fact):
    """An order line as it stands: `units` is what is ordered now, not a change.

    revision            the channel's own time of this state; a newer one posts the difference, an older one nothing
    location_is_guess   nobody says where the line is served: a line that is known stays where it is
    """

    kind: Literal["order"] = "order"
    channel: Name
    order: Name
    line: Name
    sku: Name
    location: Name
    location_is_guess: bool = False
    units: Natural
    revision: AwareDatetime | None = None

    @property
    def as_of(self) -> datetime:
        """The time that decides between two snapshots of the line."""
        return self.revision or self.occurred_at


class OrderCancel(Fact):
    """Units of an order line that will not ship. Waits while its order is unknown.

    disposition   restock: back to available; hold: kept apart (unavailable) until somebody decides
    """

    kind: Literal["order_cancel"] = "order_cancel"
    channel: Name
    order: Name
    line: Name
    units: Positive
    disposition: Literal["restock", "hold"] = "restock"


class Ship(Fact):
    """Units that left the house for a customer.

    With an order line they come out of committed (and wait while the order is unknown); `location` is where they really
    left from. Without one, (sku, location) say what left: a till sale, a give-away.
    """

    kind: Literal["ship"] = "ship"
    units: Positive
    channel: Name | None = None
    order: Name | None = None
    line: Name | None = None
    sku: Name | None = None
    location: Name | None = None

    @model_validator(mode="after")
    def _names_an_order_line_or_a_place(self) -> Ship:
        by_line = self.channel and self.order and self.line
        by_place = not self.order and not self.line and self.sku and self.location
        if not by_line and not by_place:
            raise ValueError("a ship names either channel, order and line, or sku and location")
        return self


class _AtPlace(Fact):
    sku: Name
    location: Name


class Return(_AtPlace):
    """Units that came back from a customer; sellable or held apart, as whoever received them decided."""

    kind: Literal["return"] = "return"
    units: Positive
    disposition: Literal["sellable", "hold"] = "sellable"
    channel: Name | None = None
    order: Name | None = None
    line: Name | None = None


class Receipt(_AtPlace):
    """Units that came in from a supplier; `reference` names what they were expected by."""

    kind: Literal["receipt"] = "receipt"
    units: Positive


class _AsItStands(_AtPlace):
    """A snapshot of what is to come: `units` and `due_at` as they stand now, not a change.

    revision    its sender's own time of this state; a newer one counts, an older one does not
    """

    units: Natural
    due_at: AwareDatetime | date
    revision: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_due_in_our_time(self) -> _AsItStands:
        if not 2000 <= self.due_at.year < 3000:
            raise ValueError("due_at is a day, or a moment with its offset, from 2000 to 2999")
        return self

    @property
    def as_of(self) -> datetime:
        """The time that decides between two snapshots."""
        return self.revision or self.occurred_at

    @property
    def due(self) -> datetime:
        """The moment it is due; of a day, its first one (UTC)."""
        if isinstance(self.due_at, datetime):
            return self.due_at
        return datetime.combine(self.due_at, time(), UTC)


class Expected(_AsItStands):
    """Units expected to come in, all of them; 0 calls off what has not come.

    reference   the line of a purchase order, transfer or ship notice; a receipt that names it is what was expected
    """

    kind: Literal["expected"] = "expected"
    reference: LongName


class PullForward(_AsItStands):
    """A request to make or buy units sooner, by `due_at`; 0 when they are needed no longer. It moves nothing.

    channel, order, line   for whom; none of the three where the location itself is short
    """

    kind: Literal["pull_forward"] = "pull_forward"
    channel: Name | None = None
    order: Name | None = None
    line: Name | None = None

    @model_validator(mode="after")
    def _says_why_and_for_whom(self) -> PullForward:
        if not self.reason.strip():
            raise ValueError("a request needs a reason; put it in `reason`")
        if len({said is None for said in (self.channel, self.order, self.line)}) > 1:
            raise ValueError("a request names channel, order and line, or none of them")
        return self


class TransferShip(_AtPlace):
    """The first leg of a transfer: units leave `location` and are in transit."""

    kind: Literal["transfer_ship"] = "transfer_ship"
    units: Positive


class TransferReceive(_AtPlace):
    """The second leg of a transfer: units arrive at `location`."""

    kind: Literal["transfer_receive"] = "transfer_receive"
    units: Positive


class _WithReason(_AtPlace):
    @model_validator(mode="after")
    def _has_a_reason(self) -> _WithReason:
        if not self.reason.strip():
            raise ValueError("a manual correction needs a reason; put it in `reason`")
        return self


class Adjustment(_WithReason):
    """A correction of what is available: `units` above 0 were found, below 0 are gone."""

    kind: Literal["adjustment"] = "adjustment"
    units: Signed

    @model_validator(mode="after")
    def _changes_something(self) -> Adjustment:
        if self.units == 0:
            raise ValueError("an adjustment of 0 units says nothing; leave it out")
        return self


class WriteOff(_WithReason):
    """Units taken out of available for good: damaged, lost, given away."""

    kind: Literal["write_off"] = "write_off"
    units: Positive


class Count(_AtPlace):
    """A physical count, as of `occurred_at`: what the shelf held at that minute, whatever was sold since.

    counted    units on hand that were seen; the difference to the book at that minute is posted
    variance   instead of `counted`, where only the difference is known (imported history)
    reason_code   why it differs from the book, of the closed list; `reason` says it in words
    tier          of the place when it was counted, which says how far off it may be
    """

    kind: Literal["count"] = "count"
    counted: Natural | None = None
    variance: Signed | None = None
    reason_code: ReasonCode | None = None
    tier: Literal["A", "B", "C"] | None = None

    @model_validator(mode="after")
    def _says_one_of_both(self) -> Count:
        if (self.counted is None) == (self.variance is None):
            raise ValueError("a count gives either `counted` or `variance`")
        return self


class Reservation(_AtPlace):
    """Units held for somebody without an order; `reference` names the holder."""

    kind: Literal["reservation"] = "reservation"
    units: Positive
    reference: LongName


class Release(_AtPlace):
    """Reserved units that are free again; `reference` names the holder."""

    kind: Literal["release"] = "release"
    units: Positive
    reference: LongName


class Opening(_AtPlace):
    """What the house held when the book was opened; the location IN-TRANSIT opens what was on its way."""

    kind: Literal["opening"] = "opening"
    units: Positive


class Reversal(Fact):
    """Undoes one event, once only; the event is named by its own source and id.

    if_known   do nothing when the book does not have that event, instead of waiting for it (a snapshot says it
               each time)
    """

    kind: Literal["reversal"] = "reversal"
    reverses_source: Name
    reverses_id: LongName
    if_known: bool = False
    reason: Annotated[str, StringConstraints(min_length=3, max_length=1000, pattern=r"^[^\x00]*$")]


AnyFact: TypeAlias = (
    Order
    | OrderCancel
    | Ship
    | Return
    | Receipt
    | Expected
    | PullForward
    | TransferShip
    | TransferReceive
    | Adjustment
    | WriteOff
    | Count
    | Reservation
    | Release
    | Opening
    | Reversal
)

FACT: TypeAdapter[AnyFact] = TypeAdapter(Annotated[AnyFact, Field(discriminator="kind")])

KINDS = (
    "order",
    "order_cancel",
    "return",
    "receipt",
    "transfer_ship",
    "transfer_receive",
    "adjustment",
    "write_off",
    "count",
    "reservation",
    "release",
    "ship",
    "opening",
    "reversal",
    "expected",
    "pull_forward",
)

_NAME: TypeAdapter[str] = TypeAdapter(Name)


def is_name(said: str) -> bool:
    """Whether a fact may use this as a SKU, a location or another short name."""
    try:
        _NAME.validate_python(said)
    except ValidationError:
        return False
    return True
