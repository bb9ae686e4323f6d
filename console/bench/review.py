"""The review of a quarter, measured: how long it takes over a full book, and that it says what is in it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Engine, create_engine, text

from console.bench import pages_fill
from console.review import report
from ledger.db import connect, transaction
from reconcile.completeness import completeness
from workers.settings import Settings
from workers.wiring import now

#: Of the review, its page included.
GOAL_S: Final = 60.0

#: What a quarter leaves behind beside the book: its windows, and suggestions that nobody followed.
_QUARTER: Final = (
    """INSERT INTO run (job, channel, window_at, state, started_at, finished_at, expected, read, unknown, in_flight,
                        drifted)
       SELECT 'reconcile', channel, at, CASE WHEN extract(epoch FROM at)::bigint % 97000 = 0 THEN 'failed' ELSE 'done'
              END, at, at + interval '40 seconds', 5000, 5000, 12, 3, 1
       FROM channel CROSS JOIN generate_series(
           date_trunc('day', CAST(:now AS timestamptz)) - make_interval(days => :days),
           date_trunc('day', CAST(:now AS timestamptz)) - interval '15 minutes', interval '15 minutes') AS at
       ON CONFLICT DO NOTHING""",
    """UPDATE reorder_level
       SET low_since = CAST(:now AS timestamptz) - make_interval(hours => abs(hashtext(sku)) % 2000)
       WHERE hashtext(sku) % 50 = 0""",
    """UPDATE fba_standing
       SET removal_since = CAST(:now AS timestamptz) - make_interval(days => abs(hashtext(sku)) % 60)
       WHERE removal_units > 0""",
    """INSERT INTO alarm (rule, object, since, last_at, resolved_at)
       SELECT 'alloc.fit', 'channel:' || channel, at, at + interval '9 days', at + interval '9 days'
       FROM channel CROSS JOIN generate_series(
           CAST(:now AS timestamptz) - make_interval(days => :days), CAST(:now AS timestamptz) - interval '10 days',
           interval '10 days') AS at""",
    "ANALYZE run, reorder_level, fba_standing, alarm",
)


def measure(
    settings: Settings,
    *,
    skus: int,
    events: int,
    days: int = 90,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Fill an empty house with a quarter, and make its review.

    settings    naming an empty, migrated database
    days        of the quarter, and of the book
    """
    say(f"filling a house with {events:,} events in {days} days")
    size = pages_fill.fill(settings, skus=skus, events=events, failed=300, days=days)
    owner = create_engine(settings.database_admin_url)
    try:
        with transaction(owner) as connection:
            given = {"now": now(), "days": days}
            for statement in _QUARTER:
                used = {name: value for name, value in given.items() if f":{name}" in statement}
                connection.execute(text(statement), used)
    finally:
        owner.dispose()
    engine = connect(settings.database_url)
    try:
        result = size | _made(engine, days, say)
    finally:
        engine.dispose()
    result |= {
        "days": days,
        "goal_s": GOAL_S,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }
    result["passed"] = passed(result)
    return result


def _made(engine: Engine, days: int, say: Callable[[str], None]) -> dict[str, Any]:
    until = now().date() + timedelta(days=1)
    steps: list[tuple[str, float]] = []

    def told(words: str) -> None:
        say(words)
        steps.append((words.removesuffix(" ..."), time.perf_counter()))

    begun = time.perf_counter()
    found = report.make(engine, until - timedelta(days=days), until, by="bench", now=now, say=told)
    made_s = time.perf_counter() - begun
    told("the page ...")
    html = report.page(found, "bench")
    told("the page is made")
    all_s = time.perf_counter() - begun
    begun = time.perf_counter()
    with transaction(engine) as connection:
        completeness(connection, now() - timedelta(days=7))
    return {
        "review_s": round(all_s, 2),
        "made_s": round(made_s, 2),
        "parts_s": {name: round(then - at, 2) for (name, at), (_, then) in pairwise(steps)},
        "page_kb": round(len(html.encode()) / 1024, 1),
        "plots": html.count("<svg"),
        "complete_s": round(time.perf_counter() - begun, 2),
        "empty": [name for name in _TOLD if not found[name]],
    }


#: What a review of a full quarter must have something of.
_TOLD: Final = (
    "channels", "causes", "halts", "oversold", "shrinkage", "fit", "debts", "ignored", "forecast", "complete",
)  # fmt: skip


def passed(result: dict[str, Any]) -> bool:
    """Whether it was quick, and told of everything."""
    return result["review_s"] <= GOAL_S and not result["empty"]


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    say(
        f"{result['days']} days of {result['skus']:,} SKUs, {result['events']:,} events, {result['pushes']:,} pushes,"
        f" {result['drifts']:,} drifts: {result['review_s']} s (goal {GOAL_S:.0f})"
    )
    for name, seconds in result["parts_s"].items():
        say(f"  {seconds:6.2f} s  {name}")
    say(f"one file of {result['page_kb']} kB with {result['plots']} plots")
    say(f"orders told and booked, of a week: {result['complete_s']} s")
    for name in result["empty"]:
        say(f"BAD nothing is told of {name}")
    say(f"{result['machine']['cores']} cores, Python {result['machine']['python']}")
