"""What came of the day: the table of shops, examples, checks, time to sync; and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from allocation.types import Rules
from console.demo import goods, sync
from console.demo.evidence import Check, Evidence, Row
from console.demo.screen import Screen
from workers.settings import Settings

GOAL_P50_MS: Final = 300.0
GOAL_P99_MS: Final = 2000.0
_EXAMPLES: Final = (
    goods.HOT[0],
    goods.LEFT_OVER[1],
    goods.DIVIDED[0],
    goods.COUNTED,
    goods.HALTED,
    goods.LAST,
    goods.REFUSED,
)
_DIFFERENCES: Final = 10
_PACKAGES: Final = ("celery", "kombu", "sqlalchemy", "psycopg", "redis", "flower")


def outcome(
    seen: Evidence, rules: Rules, checks: Sequence[Check], settings: Settings, took_s: float
) -> dict[str, Any]:
    """Everything as it stands in the file."""
    busy, rough = _times(seen, rules)
    return {
        "passed": all(check.passed for check in checks),
        "checks": [check.as_json() for check in checks],
        "time_to_sync_ms": busy.as_json()
        | {
            "goal_p50": GOAL_P50_MS,
            "goal_p99": GOAL_P99_MS,
            "met": busy.n > 0 and busy.p50 < GOAL_P50_MS and busy.p99 < GOAL_P99_MS,
        },
        "time_to_sync_through_the_crash_ms": rough.as_json(),
        "orders": {
            "placed": len(seen.notes.placed),
            "sold_out": seen.notes.sold_out,
            "stretch_s": round(seen.notes.stretch_s, 2),
            "rate_per_s": round(seen.notes.stretch_orders / max(seen.notes.stretch_s, 0.001), 1),
        },
        "faults": seen.notes.faults,
        "sums": seen.tables["sums"][0]
        | {"webhooks": sum(len(v.deliveries) for v in seen.views.values())},
        "shops": [_shop(seen, name) for name in seen.views],
        "versions": {name: version(name) for name in _PACKAGES}
        | {"lockstep": version("lockstep"), "python": platform.python_version()},
        "machine": {"cores": len(os.sched_getaffinity(0)), "system": platform.platform()},
        "durability": seen.tables["versions"][0]
        | {"note": "a demo's servers are ephemeral: memory only for Valkey, PostgreSQL as listed"},
        "window_s": settings.reconcile_s,
        "took_s": round(took_s, 1),
    }


def tell(screen: Screen, seen: Evidence, checks: Sequence[Check], outcome: dict[str, Any]) -> None:
    """Print it."""
    screen.plain()
    screen.table(
        "What each shop should show and shows",
        ("shop", "listings", "as they should", "differ", "left out", "units should", "units shown"),
        [tuple(of[name] for name in _COLUMNS) for of in outcome["shops"]],
    )
    screen.table(
        "Examples", ("SKU", "available", *_heads(seen)), [_example(seen, sku) for sku in _EXAMPLES]
    )
    different = [row for row in _listings(seen) if row[3] != row[4]]
    if different:
        screen.table(
            "Differences", ("shop", "SKU", "location", "should", "shows"), different[:_DIFFERENCES]
        )
    screen.plain("Checks")
    for check in checks:
        screen.verdict(check.passed, check.name, check.detail)
    times = outcome["time_to_sync_ms"]
    screen.plain(
        f"Time to sync (webhook accepted -> the other shop shows it) at {outcome['orders']['rate_per_s']} orders/s:"
        f" p50 {times['p50']:.0f} ms, p95 {times['p95']:.0f} ms, p99 {times['p99']:.0f} ms, n {times['n']}"
        f" (goal: p50 < {GOAL_P50_MS:.0f}, p99 < {GOAL_P99_MS:.0f}: {'met' if times['met'] else 'MISSED'})"
    )
    of = outcome["time_to_sync_through_the_crash_ms"]
    screen.plain(
        f"  through the crash: p50 {of['p50']:.0f} ms, p95 {of['p95']:.0f} ms, p99 {of['p99']:.0f} ms, n {of['n']}"
    )


def write(file: Path, outcome: dict[str, Any]) -> None:
    """Write the file, whole or not at all."""
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(json.dumps(outcome, indent=1, default=str) + "\n")
    draft.replace(file)


_COLUMNS: Final = ("shop", "listings", "equal", "differ", "left_out", "should_units", "shown_units")


def _times(seen: Evidence, rules: Rules) -> tuple[sync.Spread, sync.Spread]:
    """Of the busy stretch, with everything running, and of the rough one."""
    places: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in seen.tables["target"]:
        if row["channel"] not in seen.views:
            continue
        places[row["sku"]].add((row["channel"], row["location"]))
    writes = {
        name: [
            entry
            for entry in view.writes
            if seen.vendor_ids[name].get(entry["location"]) == goods.HERE
        ]
        for name, view in seen.views.items()
    }

    def of(during: tuple[datetime, datetime] | None) -> sync.Spread:
        if during is None:
            return sync.spread([])
        found = sync.needs(seen.tables["moves"], rules, places, during)
        return sync.spread(ms for _, ms in sync.measure(found, writes))

    return of(seen.notes.stretch), of(seen.notes.rough)


def _listings(seen: Evidence) -> list[tuple[str, str, str, int, int | None]]:
    """(shop, SKU, location, should, shows); None for a listing that is gone."""
    return [
        (row["channel"], row["sku"], row["location"], row["units"], _shows(seen, row))
        for row in seen.tables["target"]
        if row["channel"] in seen.views
    ]


def _shows(seen: Evidence, row: Row) -> int | None:
    level = seen.views[row["channel"]].levels.get((row["sku"], row["vendor_location_id"]))
    return None if level is None else int(level["available"])


def _shop(seen: Evidence, name: str) -> dict[str, Any]:
    rows = [row for row in _listings(seen) if row[0] == name]
    there = [(should, shows) for _, _, _, should, shows in rows if shows is not None]
    return {
        "shop": name,
        "listings": len(rows),
        "equal": sum(should == shows for should, shows in there),
        "differ": sum(should != shows for should, shows in there),
        "left_out": len(rows) - len(there),
        "should_units": sum(should for should, _ in there),
        "shown_units": sum(shows for _, shows in there),
    }


def _heads(seen: Evidence) -> list[str]:
    return [f"{name} {word}" for name in seen.views for word in ("should", "shows")]


def _example(seen: Evidence, sku: str) -> list[object]:
    available = sum(int(row["units"]) for row in seen.tables["available"] if row["sku"] == sku)
    cells: list[object] = [sku, available]
    for name in seen.views:
        mine = [row for row in _listings(seen) if row[0] == name and row[1] == sku]
        shown = [shows for *_, shows in mine if shows is not None]
        cells += [sum(should for _, _, _, should, _ in mine), sum(shown) if shown else "gone"]
    return cells
