"""Words: a failure as it stands, which of them are meant, bulk work on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

CLASSES: Final = ("validation", "mapping", "rejected", "throttled_out", "unavailable", "bug")
ORIGINS: Final = ("inbox", "push", "job", "task", "edi", "case", "alert", "hook")
STATES: Final = ("open", "retrying", "resolved", "discarded")
VERBS: Final = ("retry", "discard", "assign")
OPERATION_STATES: Final = ("planned", "running", "cancelling", "cancelled", "done")

FailureState: TypeAlias = Literal["open", "retrying", "resolved", "discarded"]
Verb: TypeAlias = Literal["retry", "discard", "assign"]
OperationState: TypeAlias = Literal["planned", "running", "cancelling", "cancelled", "done"]

#: More than these are not touched before their number was said.
MANY: Final = 1_000


class Refused(Exception):
    """A guard says no; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A failure as it stands.

    object      its key among those of its origin (`ledger.types.Origin`)
    kind        its class
    count       how often it failed, over all its times of being open
    operation   the bulk work that took hold of it last
    """

    id: int
    origin: str
    object: str
    kind: str
    channel: str
    sku: str
    location: str
    order_id: str
    task: str
    task_id: str
    payload: Mapping[str, Any]
    error: str
    attempts: int
    count: int
    first_seen: datetime
    last_seen: datetime
    state: FailureState
    assigned_to: str
    operation: UUID | None
    retried_at: datetime | None
    settled_at: datetime | None
    settled_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which failures are meant: all that is said must hold; None and () say nothing.

    since    seen at or after
    """

    ids: tuple[int, ...] = ()
    channel: str | None = None
    kind: str | None = None
    origin: str | None = None
    sku: str | None = None
    order: str | None = None
    task: str | None = None
    since: datetime | None = None
    states: tuple[str, ...] = ()

    @property
    def names_something(self) -> bool:
        """Whether it says more than a time and a state: without that nothing is changed in bulk."""
        narrow = (self.channel, self.kind, self.origin, self.sku, self.order, self.task)
        return bool(self.ids) or any(narrow)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the next one holds what was seen before."""

    last_seen: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Alike:
    """Failures that are retried, or refused, for the same reason.

    prefix       what the object begins with, up to a colon
    direction, edi_state, edi_set    of documents
    """

    origin: str
    task: str = ""
    prefix: str = ""
    direction: str = ""
    edi_state: str = ""
    edi_set: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What bulk work would do, counted before anything is done.

    total      failures that are meant
    eligible   of these, those that would be touched;  refused  reason -> how many would not
    classes    class -> how many are meant
    """

    total: int
    eligible: int
    refused: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """Bulk work as it stands.

    total     failures that were meant when it was asked for
    done      touched;  failed  tried in vain;  refused  not to be touched;  why  reason -> how many of both
    through   the failure up to which it is done;  upto  the newest it is about
    """

    id: UUID
    verb: Verb
    filter: Mapping[str, Any]
    assignee: str
    actor: str
    reason: str
    total: int
    done: int
    failed: int
    refused: int
    why: Mapping[str, int]
    state: OperationState
    through: int
    upto: int
    attempts: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self.state in ("cancelled", "done")

    @property
    def seen(self) -> int:
        """Failures it has come past."""
        return self.done + self.failed + self.refused
