"""The words of oversold lines: the line, its place, the case, and the steps of what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from allocation.plays import Response
from reconcile.types import Evidence

#: (channel, order, line), as `ledger.digest.LineKey`.
LineKey: TypeAlias = tuple[str, str, str]

#: What took a place below zero, of those that count as oversold: it was not there when the order was accepted. What was
#: taken away afterwards (written off, transferred, reserved, given to another line) is a case as well, and no oversell.
COUNTED: Final = frozenset({"order", "ship", "count", "adjustment"})


class State(StrEnum):
    """Where a case stands.

    WAITING    nobody has chosen what is done
    ACTING     steps are due, or one failed
    ACTED      all steps are done, but for those of a person
    CLOSING    it is over, and what was held is being let go
    """

    WAITING = "waiting"
    ACTING = "acting"
    ACTED = "acted"
    CLOSING = "closing"
    CLOSED = "closed"


class Why(StrEnum):
    """Causes beside those of drift (`reconcile.types.Cause`).

    SOLD_AT_ONCE       another sale took the unit so shortly before that nobody could know
    SOLD_BELOW_SHOWN   the channel had said that it shows fewer, and sold all the same
    SHRINK             a count or a correction found fewer than the book said
    TAKEN_AWAY         written off, transferred, reserved or given to another line after the order was accepted
    """

    SOLD_AT_ONCE = "sold_at_once"
    SOLD_BELOW_SHOWN = "sold_below_shown"
    SHRINK = "shrink"
    TAKEN_AWAY = "taken_away"


@dataclass(frozen=True, slots=True)
class Line:
    """An open order line at a place.

    open_units     ordered, not cancelled and not shipped
    accepted_at    when the channel took it; where it was raised later, then
    """

    key: LineKey
    open_units: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Dip:
    """An event that took a place to less than nothing, or further down.

    line     of the order it is of; None for anything else
    units    of it that were not there
    """

    kind: str
    line: LineKey | None
    units: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A place where something was, or is, missing.

    short_units    available now, below 0
    dip            version of the place when it was last taken below zero
    lines          open order lines there
    dips           since a case was last opened there
    """

    sku: str
    location: str
    short_units: int
    dip: int
    lines: Sequence[Line]
    dips: Sequence[Dip]


@dataclass(frozen=True, slots=True)
class Known:
    """A case as it stands, for who looks again.

    open_units    of its line now;  shipped_units    of it
    moved         the line is served from another place by now
    begun         a step was begun, so that somebody may know of it
    failed        a step is in a person's hands
    """

    case_id: int
    key: LineKey
    sku: str
    location: str
    state: State
    response: str
    units: int
    open_units: int
    shipped_units: int
    moved: bool
    begun: bool
    failed: bool
    covered: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """A line that is to have a case; `passing` ones are covered again already."""

    key: LineKey
    units: int
    accepted_at: datetime
    found_by: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look at a place asks for.

    opens      lines without a case, or with one that is closed
    grown      case -> units, where more of the line is missing than was known, or units are missing again
    covered    cases whose units have come, after somebody began to act
    over       case -> what ended it
    """

    opens: Sequence[Opening] = ()
    grown: Sequence[tuple[int, int]] = ()
    covered: Sequence[int] = ()
    over: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class Clues:
    """What is known around an oversold line, for its cause.

    found_by       kind of the event that took the place below zero;  booked_at    when the line was booked
    drift          (id, cause) of a drift of that channel and SKU at that time, which showed too much
    sold_below     (push id, units) of the last confirmed push before, where it showed fewer than were sold
    before         (event id, seconds) of another order of the place, accepted before and booked after this one was
                   accepted: how late it was booked
    taken_by       id of the event that took the units away
    """

    case_id: int
    found_by: str
    accepted_at: datetime
    booked_at: datetime
    event_id: str
    drift: tuple[int, str] | None = None
    sold_below: tuple[int, int] | None = None
    before: tuple[str, float] | None = None
    taken_by: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A cause with its evidence."""

    cause: str
    evidence: Evidence


class Kind(StrEnum):
    """What a step does.

    HOLD, RELEASE    at the channel, where its API can
    SLACK            the case in its channel's incident, told by the doors of alerts
    EMAIL            a draft that a person sends;  WEBHOOK   a signed call
    HAND             what only a person does
    """

    HOLD = "hold"
    RELEASE = "release"
    SLACK = "slack"
    EMAIL = "email"
    WEBHOOK = "webhook"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is to be written down; a step of a person has its `todo`."""

    kind: Kind
    key: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is done about a case, by whom and why.

    cost       of making it good
    run_at     nothing is done before
    """

    response: Response
    by: str
    why: str
    cost: Decimal
    run_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it is told."""

    id: int
    channel: str
    order_id: str
    line_id: str
    sku: str
    location: str
    units: int
    accepted_at: datetime
    found_at: datetime
    found_by: str
    cause: str
    evidence: Evidence
    worth: Decimal | None
    state: str
    response: str
    chosen_at: datetime | None
    chosen_by: str
    chosen_why: str
    cost: Decimal | None
    covered_at: datetime | None
    closed_at: datetime | None
    closed_by: str
    result: str
    times: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A step that this worker holds; `attempt` is its fence, `tries` how often it failed before."""

    case: Case
    position: int
    kind: Kind
    response: str
    key: str
    attempt: int
    tries: int


@dataclass(frozen=True, slots=True)
class Did:
    """It is done; `result` says what came of it, `content` is a draft."""

    result: str
    content: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now, and it costs no attempt."""

    after_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work; `for_good`: trying again does not help before `todo` is done."""

    why: str
    todo: str
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class ByHand:
    """It is not possible here; a person does `todo` instead."""

    todo: str


Outcome: TypeAlias = Did | Later | Failed | ByHand
