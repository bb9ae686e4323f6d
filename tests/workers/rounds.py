"""One run of reconciliation over a channel in memory, and what it left in the tables."""

from __future__ import annotations

from datetime import datetime

from reconcile import runs
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, rows
from tests.servers import Clock, Database
from workers.flows import reconcile as flow
from workers.flows.reconcile import RunReport, Terms

TERMS = Terms()


def run_once(
    database: Database,
    client: MemoryChannel,
    clock: Clock,
    *,
    window_at: datetime | None = None,
    terms: Terms = TERMS,
    dry_run: bool = False,
) -> RunReport:
    """One run over the channel, of the window that is open now unless `window_at` names another."""
    opened = (
        [] if dry_run else flow.open_windows(database.engine, now=clock.now, window_s=900).opened
    )
    at = window_at or (opened[0][1] if opened else runs.window_of(clock.now, 900))
    return flow.reconcile(
        database.engine,
        client,
        channel=CHANNEL,
        window_at=at,
        now=lambda: clock.now,
        terms=terms,
        dry_run=dry_run,
    )


def shows(clock: Clock, **units: int | None) -> MemoryChannel:
    """A channel that shows `units` in Oslo; `TEA_1` is the SKU TEA-1, None is untracked."""
    return MemoryChannel(clock, {(sku.replace("_", "-"), OSLO): n for sku, n in units.items()})


def due(database: Database) -> list[tuple[object, ...]]:
    """What waits to be pushed: SKU, priority, run_at."""
    return rows(database.engine, "SELECT sku, priority, run_at FROM push_due ORDER BY sku")


def drifts(database: Database) -> list[tuple[object, ...]]:
    """Every drift: SKU, expected, actual, cause, action, and whether it is open."""
    return rows(
        database.engine,
        "SELECT sku, expected, actual, cause, action, resolved_at IS NULL FROM drift ORDER BY sku, id",
    )
