"""The export of a whole book, measured: how long a million events take, how flat memory stays, whether sums agree."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine

from console.bench import pages_fill
from ledger.db import connect
from workers.feed import export as flow
from workers.feed import verifying
from workers.feed.sheets import Form
from workers.settings import Settings
from workers.wiring import now

#: Of a million events, without the other sheets.
GOAL_S: Final = 60.0
#: What the process may grow by from its first file of events to its last.
GOAL_MB: Final = 32.0
#: A tenth of the book is a file, so that growth shows in a small one too.
_FILES: Final = 10
_MB: Final = 1024 * 1024


def measure(
    settings: Settings,
    *,
    skus: int,
    events: int,
    form: Form = Form.CSV,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Fill an empty house, export it, export nothing again, and prove the files.

    settings    naming an empty, migrated database
    """
    say(f"filling a house with {events:,} events")
    pages_fill.fill(settings, skus=skus, events=events, failed=300)
    engine = connect(settings.database_url)
    try:
        with TemporaryDirectory(prefix="lockstep-bench-") as home:
            result = _exported(engine, Path(home), events, form, say)
    finally:
        engine.dispose()
    result |= {
        "skus": skus,
        "form": form.value,
        "goals": {"million_events_s": GOAL_S, "growth_mb": GOAL_MB},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }
    result["passed"] = passed(result)
    return result


def _exported(
    engine: Engine, folder: Path, events: int, form: Form, say: Callable[[str], None]
) -> dict[str, Any]:
    held: list[float] = []

    def watch(words: str) -> None:
        if words.startswith("events/"):
            held.append(_resident_mb())
        say(words)

    span = min(flow.RANGE, max(1, events // _FILES))
    begun = time.perf_counter()
    done = flow.export(engine, folder, now=now, form=form, what=["events"], say=watch, span=span)
    events_s = time.perf_counter() - begun
    rest = flow.export(engine, folder, now=now, say=say)
    all_s = time.perf_counter() - begun
    begun = time.perf_counter()
    again = flow.export(engine, folder, now=now)
    again_s = time.perf_counter() - begun
    begun = time.perf_counter()
    wrong = verifying.verify(engine, folder)
    verify_s = time.perf_counter() - begun
    written = [*done.files["events"], *(file for of in rest.files.values() for file in of)]
    return {
        "events": sum(file.sums.events for file in done.files["events"]),
        "rows": sum(file.sums.rows for file in written),
        "files": len(written),
        "file_mb": round(sum(file.bytes for file in written) / _MB, 1),
        "events_s": round(events_s, 2),
        "million_events_s": round(events_s / events * 1e6, 1),
        "all_s": round(all_s, 2),
        "again_s": round(again_s, 2),
        "again_files": sum(len(files) for files in again.files.values()),
        "verify_s": round(verify_s, 2),
        "growth_mb": round(max(held) - held[0], 1),
        "wrong": wrong,
    }


def _resident_mb() -> float:
    with open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


def passed(result: dict[str, Any]) -> bool:
    """Whether it was quick and flat, and every sum is the ledger's."""
    return (
        result["million_events_s"] <= GOAL_S
        and result["growth_mb"] <= GOAL_MB
        and not result["again_files"]
        and not result["wrong"]
    )


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    say(
        f"{result['events']:,} events of {result['skus']:,} SKUs as {result['form']} in {result['events_s']} s:"
        f" {result['million_events_s']} s a million (goal {GOAL_S:.0f})"
    )
    say(
        f"all sheets: {result['rows']:,} rows, {result['files']} files, {result['file_mb']} MB in {result['all_s']} s;"
        f" again, with nothing new: {result['again_s']} s"
    )
    say(f"memory grew by {result['growth_mb']} MB (goal {GOAL_MB:.0f})")
    say(f"read back and compared with the ledger in {result['verify_s']} s")
    for each in result["wrong"]:
        say(f"BAD {each}")
    say(f"{result['machine']['cores']} cores, Python {result['machine']['python']}")
