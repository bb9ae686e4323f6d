"""How Amazon's stock is mirrored, and what one go came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from workers.settings import Settings

JOB = "mirror"

Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a go is done.

    window_s        length of a window;  lease_s  a worker that is silent for so long has died
    look_back       readings may be noticed so much later than they were so; asked for again each time
    full_every      everything is read again, because the filter by time misses changes
    ledger_every, planning_every    a new report is asked for; once a planning_every every SKU's standing is kept
    ledger_overlap  rows come so late, at most
    patience        a shipment waits so long for its order before it is booked by itself
    persist         windows in which a difference must be seen before it is a drift
    slack_s         how far two clocks may tell the same moment apart
    horizon         the book is not opened further back
    """

    window_s: int = 900
    lease_s: float = 60.0
    look_back: timedelta = timedelta(hours=6)
    full_every: timedelta = timedelta(days=1)
    ledger_every: timedelta = timedelta(hours=1)
    planning_every: timedelta = timedelta(days=1)
    ledger_overlap: timedelta = timedelta(days=3)
    patience: timedelta = timedelta(hours=48)
    persist: int = 3
    slack_s: float = 120.0
    horizon: timedelta = timedelta(days=300)

    @staticmethod
    def of(settings: Settings) -> Terms:
        """The terms that the settings of this process say."""
        return Terms(window_s=settings.reconcile_s)


@dataclass
class MirrorReport:
    """What one go came to; it grows while the go lasts.

    state      done; later (due again at `again_at`); failed; skipped (nothing to do here, or somebody else does it)
    readings   that were news;  unreadable  seller SKUs whose row said too little
    rows       of the inventory ledger that were new;  facts  told to the book
    health     rows of the other reports;  standings  SKUs looked at in the daily look
    off        SKUs that differ from the book;  drifts  those that did for too long
    mcf_seen   MCF orders asked for;  mcf_problems  why some cannot be booked, by sellerFulfillmentOrderId
    problems   of single steps, in words; the others went on
    """

    channel: str
    window_at: datetime
    state: Literal["done", "later", "failed", "skipped"] = "done"
    followed: int = 0
    readings: int = 0
    unreadable: list[str] = field(default_factory=list)
    offers: int = 0
    rows: int = 0
    health: int = 0
    standings: int = 0
    facts: int = 0
    off: int = 0
    drifts: int = 0
    mcf_seen: int = 0
    mcf_problems: dict[str, str] = field(default_factory=dict)
    again_at: datetime | None = None
    problems: list[str] = field(default_factory=list)
