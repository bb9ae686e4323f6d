"""All checks of the demo, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from console.demo import checks_book, checks_lanes, checks_shops
from console.demo.evidence import Check, Evidence

CHECKS: Final[tuple[Callable[[Evidence], Check], ...]] = (
    checks_book.ledger_proof,
    checks_book.webhooks_once,
    checks_book.orders_booked,
    checks_book.committed_units,
    checks_shops.shown_as_should,
    checks_book.conservation,
    checks_book.nothing_waits,
    checks_shops.crash_survived,
    checks_shops.swallowed_write_found,
    checks_shops.drift_repaired,
    checks_shops.halt_and_back,
    checks_shops.hidden_and_back,
    checks_book.rubbish_has_reasons,
    checks_shops.refused_row_parked,
    checks_shops.windows_once,
    checks_shops.rates_kept,
    checks_lanes.lanes_shown,
    checks_lanes.lane_orders_booked,
    checks_lanes.amazon_mirrored,
    checks_lanes.mcf_counted_once,
    checks_lanes.forgotten_update_found,
    checks_lanes.wholesale_answered,
    checks_lanes.amazon_rates_kept,
    checks_shops.flower_guarded,
)


def judge(seen: Evidence) -> list[Check]:
    """Every check, each of which can fail."""
    return [check(seen) for check in CHECKS]
