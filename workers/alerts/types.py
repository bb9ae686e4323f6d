"""The words of alerts: how bad, which rule, what is told, and what a door answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias


class Severity(StrEnum):
    """How bad it is, worst first; the four of PagerDuty's Events API v2."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


class Kind(StrEnum):
    """What somebody should do: get up (stock can be oversold now, or events are not taken), look today, know."""

    PAGE = "page"
    TICKET = "ticket"
    NOTE = "note"


def kind_of(severity: Severity) -> Kind:
    """What a severity asks for."""
    if severity in (Severity.CRITICAL, Severity.ERROR):
        return Kind.PAGE
    return Kind.TICKET if severity is Severity.WARNING else Kind.NOTE


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and how it is told.

    title       of the incident
    severity    unless an alarm says another
    line        one alarm in words, filled in from its detail; empty: the detail as it is
    impact      what it means for customers; `{units}` is the sum of `impact_units`
    next        commands, filled in from the worst alarm
    calm_s      it must be kept for so long before an alarm is resolved
    every_s     looked at once in so long; 0: at every look
    """

    name: str
    title: str
    severity: Severity
    impact: str
    line: str = ""
    next: tuple[str, ...] = ()
    calm_s: float = 120.0
    every_s: float = 0.0

    @property
    def runbook(self) -> str:
        """Its page, from the root of the repository."""
        return f"docs/runbooks/{re.sub('[._]', '-', self.name)}.md"


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a rule is broken.

    stock_days       days of cover; a best seller's count twice as long, and the alarm ends at half as much again
    push_age_s       age of the oldest number that waits to be shown;  inbox_age_s  of the oldest delivery
    capture_s        from an order to its row in the book
    drift_s          a drift that is not repaired by then;  halt_s  a halt that is not carried out by then
    silent_s         a queue that has not moved for so long
    window_s         length of a reconciliation window
    halt_percent, halt_units    showing too much by more than both is told at once
    """

    stock_days: float = 2.0
    push_age_s: float = 300.0
    inbox_age_s: float = 60.0
    capture_s: float = 60.0
    drift_s: float = 300.0
    halt_s: float = 60.0
    silent_s: float = 120.0
    window_s: float = 900.0
    halt_percent: float = 10.0
    halt_units: int = 3


@dataclass(frozen=True, slots=True)
class Firing:
    """One alarm of an incident."""

    object: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """An incident as its alarms stand.

    firings     the worst of them, at most 10;  open  how many are on;  ever  how many there were
    severity    the worst that any says, "" when none says one;  plain  whether any is of its rule's
    """

    incident: int
    rule: str
    channel: str
    since: datetime
    revision: int
    content: Mapping[str, Any]
    acked_by: str
    firings: Sequence[Firing]
    open: int
    ever: int
    impact_units: int
    severity: str
    plain: bool
    first_at: datetime | None
    last_at: datetime | None


#: What is told of an incident; docs/alert.schema.json.
Alert: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Post:
    """What a door is to be told now.

    part             root, more-N or resolved
    place            the door's name for this part, "" before it was told
    root             the door's name for the root, "" before that was told
    doubtful_since   sent then, and nobody knows whether it arrived
    """

    incident: int
    door: str
    part: str
    wanted: int
    told: int
    attempts: int
    place: str
    root: str
    doubtful_since: datetime | None
    alert: Alert


@dataclass(frozen=True, slots=True)
class Told:
    """The door has it; `place` is its name for it there."""

    place: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The door asks to be left alone for `after_s` seconds; costs no attempt."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work; `doubtful`: it may have arrived all the same."""

    why: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Shut:
    """The door does not let us in until a person helps; `why` says what to do."""

    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """What should be edited is not there any more (somebody deleted it): it is told anew."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The door will never take this one as it is; others go on."""

    why: str


Answer: TypeAlias = Told | Later | Failed | Shut | Lost | Declined


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round of telling came to; `again_s`: something waits for so long at least, None: nothing does."""

    told: int = 0
    failed: int = 0
    again_s: float | None = None
    shut: Mapping[str, str] = field(default_factory=dict)
