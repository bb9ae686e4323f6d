"""The words of reconciliation: what was expected, what was read, why they differ, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from reconcile.clues import Clues

#: A value that can be kept as evidence; datetimes are written as ISO text.
Fact: TypeAlias = str | int | bool | list[str] | list[int] | None
Evidence: TypeAlias = dict[str, Fact]


class Cause(StrEnum):
    """Why a channel shows something else than it should. A closed list, in the order in which it is tested.

    source    reconcile/README.md, "Causes"
    """

    IN_FLIGHT = "in_flight"
    PENDING_PUSH = "pending_push"
    RATE_LIMIT_LAG = "rate_limit_lag"
    REJECTED = "rejected_in_batch"
    SWALLOWED = "swallowed_update"
    STALE_OVERWRITE = "stale_overwrite"
    LATE_EVENT = "late_event"
    UNLEDGERED_SALE = "unledgered_sale"
    DUPLICATE_EVENT = "duplicate_event"
    MISSED_CANCEL = "missed_cancel"
    LOCATION_MISMATCH = "location_mismatch"
    MAPPING_ERROR = "mapping_error"
    UNIT_OF_MEASURE = "unit_of_measure"
    STATE_SEMANTICS = "state_semantics"
    EXTERNAL_EDIT = "external_edit"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What one comparison says. Only DRIFT is counted, acted upon, and can halt."""

    EQUAL = "equal"
    IN_FLIGHT = "in_flight"
    NOT_COMPARABLE = "not_comparable"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"
    DRIFT = "drift"


class Action(StrEnum):
    """What is done about a drift."""

    REPUSH = "re-push"
    REPUSH_AFTER_GRACE = "re-push after the grace for late orders"
    HALT = "halt and re-push"
    HALT_AGAIN = "halt again"
    FIX_ITEM = "none: the item is parked, fix it"
    BACKFILL = "none: the missing orders are on their way into the book"
    REVERSE = "reverse the second entry"
    CALL = "halt and call a person"
    QUARANTINE = "none: in quarantine, a person must look"


@dataclass(frozen=True, slots=True)
class Target:
    """What the channel should show.

    units     at least 0
    number    rises with every change
    """

    units: int
    number: int
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """What the channel showed, and when we read it.

    units          None is unknown, never zero; below zero is legal at some vendors
    updated_at     when the vendor last changed it, None where it does not say
    """

    units: int | None
    updated_at: datetime | None
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class LastShown:
    """What the channel last confirmed."""

    units: int | None
    number: int
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row of the push queue."""

    since: datetime
    run_at: datetime
    attempts: int
    parked: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class SentPush:
    """One number ever sent, with its answer.

    outcome    sent, confirmed, stale, rejected, throttled, unknown or refused
    seen_at    when it was first read back as confirmed
    """

    push_id: int
    units: int
    number: int
    expected: int | None
    sent_at: datetime
    answered_at: datetime | None
    outcome: str
    detail: str
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenDrift:
    """The drift row of this place that is not resolved yet.

    times    windows in which it was seen
    """

    drift_id: int
    expected: int
    actual: int
    times: int
    window_at: datetime | None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known of one (channel, SKU, location) when it is judged.

    mirror             the location only mirrors stock that a third party holds (Amazon FBA)
    unseen_units       channel orders younger than the grace and not in the ledger yet, cancels counted negative
    delivery_waiting   a young delivery of the channel that may explain a difference is not applied yet
    recompute_since    the SKU waits for a new target since then
    throttled_until    the channel may not be called before
    back_at            it answered again then, after it was away
    orders_mark        channel orders changed before this moment are in the inbox
    pushes             the last numbers sent, newest first
    halt_state         of the open halt, None when the SKU is on sale on this channel
    clues              what only a place that differs is asked for
    fast               the SKU sells fast; said only where that makes a difference
    """

    sku: str
    location: str
    target: Target
    reading: Observation
    mirror: bool = False
    unseen_units: int = 0
    delivery_waiting: bool = False
    recompute_since: datetime | None = None
    throttled_until: datetime | None = None
    back_at: datetime | None = None
    orders_mark: datetime | None = None
    shown: LastShown | None = None
    waiting: Waiting | None = None
    pushes: tuple[SentPush, ...] = ()
    halt_state: str | None = None
    halt_id: int | None = None
    open_drift: OpenDrift | None = None
    clues: Clues = field(default_factory=Clues)
    fast: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of reconciliation; README, "Thresholds".

    push_limit      a push sent or due for less than this is in flight
    settle          a confirmed push may take this long to be readable
    grace           how long a channel order may take to reach us
    floor_units     base of the percentage when less is expected
    attempts        pushes that are taken and do not show before a place goes into quarantine
    hears_first     a difference is judged when the orders up to its reading are heard, and not before
    """

    push_limit: timedelta = timedelta(seconds=60)
    settle: timedelta = timedelta(seconds=2)
    grace: timedelta = timedelta(seconds=60)
    floor_units: int = 1
    attempts: int = 4
    hears_first: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """One place, compared at the moment of its reading.

    expected    what the channel should have shown then, at least 0
    actual      what it showed; None is unknown
    why         in words, for the page and the log
    """

    verdict: Verdict
    expected: int
    actual: int | None
    why: str

    @property
    def delta_units(self) -> int:
        """Units shown above what was expected; 0 when unknown."""
        return 0 if self.actual is None else self.actual - self.expected


@dataclass(frozen=True, slots=True)
class Named:
    """The cause found for a drift, with the facts that name it.

    look_again    only time can tell this cause from another: the order may still be heard of
    """

    cause: Cause
    evidence: Evidence = field(default_factory=dict)
    look_again: bool = False


@dataclass(frozen=True, slots=True)
class HaltRule:
    """When one SKU on one channel is taken off sale.

    percent_over      drift must be above this percent of what was expected
    units_at_least    and at least this many units
    floor_units       base of the percentage when less is expected
    fast              the rule of SKUs that sell fast; None: the same
    calm_windows      windows for which a stop must have held before the rule lifts it
    ttl               the rule's halts that stand for longer call a person
    """

    percent_over: float = 10.0
    units_at_least: int = 3
    floor_units: int = 1
    fast: HaltRule | None = None
    calm_windows: int = 2
    ttl: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Drift:
    """A drift to be written: one open row per (channel, SKU, location)."""

    sku: str
    location: str
    expected: int
    actual: int
    cause: str
    evidence: Evidence
    action: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A drift, judged: what was compared, why it differs, and what is to be done.

    halt_reason    words for the halt, None when none is due
    """

    case: Case
    comparison: Comparison
    named: Named
    action: Action
    halt_reason: str | None = None

    def drift(self) -> Drift:
        """The row that keeps it."""
        assert self.comparison.actual is not None
        return Drift(
            self.case.sku,
            self.case.location,
            self.comparison.expected,
            self.comparison.actual,
            self.named.cause.value,
            self.named.evidence,
            self.action.value,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run saw; every field is a number of (SKU, location) places, `halted` one of SKUs.

    in_flight    on its way, too old to compare, or to be judged when its orders are heard
    fixed        drifts that were found to be over
    """

    expected: int = 0
    read: int = 0
    unknown: int = 0
    in_flight: int = 0
    drifted: int = 0
    repushed: int = 0
    halted: int = 0
    fixed: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            self.expected + other.expected,
            self.read + other.read,
            self.unknown + other.unknown,
            self.in_flight + other.in_flight,
            self.drifted + other.drifted,
            self.repushed + other.repushed,
            self.halted + other.halted,
            self.fixed + other.fixed,
        )
