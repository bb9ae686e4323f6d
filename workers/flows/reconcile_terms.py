"""How a run of reconciliation is done, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from reconcile.types import Counts, Finding, HaltRule, Limits
from workers.settings import Settings

JOB = "reconcile"
#: Orders are asked for out of turn where those up to so long ago are all that is known. Amazon tells nothing of the
#: last two minutes, so that is once a minute there; the limit of such calls ends it before the windows go short.
_HEAR_S: Final = 180.0
#: Where windows are shorter than usual, so long beyond the lag: what waits for its orders is judged before the next.
_HEAR_PART: Final = 5

Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a run is done.

    window_s        length of a window
    lease_s         a worker that is silent for so long has died
    page_skus       SKUs that are read and judged together
    rule            of a channel for which the rule file says nothing else
    fast_per_day    units a day from which a SKU sells fast
    sweep_above     listings of a channel above which it is asked what changed, where its vendor can tell
    orders_lag_s    how far the channel's order API is behind
    """

    window_s: int = 900
    lease_s: float = 60.0
    page_skus: int = 2000
    limits: Limits = field(default_factory=Limits)
    rule: HaltRule = field(default_factory=HaltRule)
    fast_per_day: float = 24.0
    sweep_above: int = 5000
    orders_lag_s: float = 5.0

    @property
    def hear_s(self) -> float:
        """Age in seconds of what is known of orders from which they are asked for out of turn."""
        return min(_HEAR_S, self.orders_lag_s + self.window_s / _HEAR_PART)

    @staticmethod
    def of(settings: Settings) -> Terms:
        """The terms that the settings of this process say."""
        push_limit = timedelta(seconds=settings.push_limit_s)
        return Terms(
            window_s=settings.reconcile_s,
            limits=Limits(
                push_limit=push_limit,
                settle=timedelta(seconds=settings.verify_after_s),
                grace=push_limit,
                hears_first=True,
                attempts=settings.repush_attempts,
            ),
            rule=HaltRule(
                settings.halt_percent,
                settings.halt_units,
                ttl=timedelta(seconds=settings.halt_ttl_s),
            ),
            fast_per_day=settings.fast_per_day,
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one attempt at a run came to.

    state       done; later (due again at `again_at`); failed; skipped (nothing to do here, or somebody else does it)
    findings    every drift, judged; what a dry run would have done
    halted      SKUs whose halt waits for `flows.halts`
    lifted      SKUs that the rule put back; they wait for `flows.halts` too
    """

    channel: str
    window_at: datetime
    state: Literal["done", "later", "failed", "skipped"]
    counts: Counts = field(default_factory=Counts)
    findings: tuple[Finding, ...] = ()
    halted: tuple[str, ...] = ()
    lifted: tuple[str, ...] = ()
    again_at: datetime | None = None
    error: str = ""

    @property
    def ring_push(self) -> bool:
        """Whether targets of this channel are due again."""
        return self.counts.repushed > 0

    @property
    def ring_halts(self) -> bool:
        """Whether a halt of this channel waits to be carried out."""
        return bool(self.halted or self.lifted)
