"""Proof of an export: its files are whole and say what the manifest says, and that is what the ledger says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from workers.feed import files, manifest, reading
from workers.feed.manifest import Manifest, Progress, Sums, Unfit, Written
from workers.feed.sheets import SHEETS, Cut, Form, Sheet

_EVENTS = text("SELECT count(*) FROM event WHERE seq <= :upto")
_UNITS = text("""
    SELECT coalesce(sum(p.units), 0)::bigint FROM posting AS p
    WHERE NOT EXISTS (SELECT FROM event AS e WHERE e.id = p.event_id AND e.seq > :upto)
""")
# What every state holds now, less what was booked after the last event that is in the files.
_STATES = text("""
    SELECT state, sum(units)::bigint AS units FROM (
        SELECT state, units FROM balance
        UNION ALL
        SELECT leg.state, leg.units FROM event AS e JOIN posting AS p ON p.event_id = e.id
        CROSS JOIN LATERAL (VALUES (p.from_state, p.units), (p.to_state, -p.units)) AS leg (state, units)
        WHERE e.seq > :upto
    ) AS known GROUP BY state ORDER BY state
""")
_DAYS = text("""
    SELECT count(*) AS rows, coalesce(sum(units), 0)::bigint AS units FROM feed.balance_day_v1 WHERE day <= :upto
""")

_DAY: Final = timedelta(days=1)


def verify(
    engine: Engine, folder: Path, *, say: Callable[[str], None] = lambda _: None
) -> list[str]:
    """What is wrong with an export, in words; nothing when it is whole and equal to the ledger.

    raises    Unfit for a folder without an export
    """
    kept = manifest.read(folder)
    if kept is None:
        raise Unfit(f"{folder} holds no export: lockstep export run {folder}")
    wrong: list[str] = []
    for name, at in kept.sheets.items():
        sheet = SHEETS.get(name)
        if sheet is None:
            wrong.append(f"{name} is no sheet that this program knows")
            continue
        wrong += _gaps(sheet, at)
        for file in at.files:
            wrong += _file(folder, kept.form, sheet, file)
            say(f"{file.name}: read")
    wrong += _against_ledger(engine, kept)
    return wrong


def _gaps(sheet: Sheet, at: Progress) -> Iterator[str]:
    """Whether the files follow each other; days without any row are files too."""
    if sheet.cut is Cut.NOW:
        return
    for before, after in zip(at.files, at.files[1:], strict=False):
        if after.first != _next(sheet, before.last):
            yield f"{after.name} begins at {after.first}, and the file before it ends at {before.last}"
    if sheet.cut is Cut.SEQ and at.files and at.files[0].first != "1":
        yield f"{at.files[0].name} begins at {at.files[0].first}: what was written before is missing"


def _next(sheet: Sheet, last: str) -> str:
    if sheet.cut is Cut.SEQ:
        return str(int(last) + 1)
    return (date.fromisoformat(last) + _DAY).isoformat()


def _file(folder: Path, form: Form, sheet: Sheet, file: Written) -> Iterator[str]:
    path = folder / file.name
    if not path.is_file():
        yield f"{file.name} is missing"
        return
    if files.digest(path) != file.sha256:
        yield f"{file.name} was changed: its digest is not {file.sha256}"
    try:
        found = _added_up(path, form, sheet)
    except Unfit as error:
        yield str(error)
        return
    if found != file.sums:
        yield f"{file.name} comes to {found}, and the manifest says {file.sums}"


def _added_up(path: Path, form: Form, sheet: Sheet) -> Sums:
    """What a file says itself."""
    rows = units = events = 0
    states: Counter[str] = Counter()
    is_events = sheet.cut is Cut.SEQ
    wanted = [sheet.units] if sheet.units else [next(iter(sheet.columns))]
    for row in files.rows(
        path, form, [*wanted, *(("line", "from_state", "to_state") if is_events else ())]
    ):
        rows += 1
        moved = int(row[sheet.units] or 0) if sheet.units else 0
        units += moved
        if is_events:
            _count(row, moved, states)
            events += int(row["line"]) <= 1
    return Sums(rows, units, events, dict(sorted(states.items())))


def _count(row: dict[str, Any], units: int, states: Counter[str]) -> None:
    if int(row["line"]):
        states[row["to_state"]] += units
        states[row["from_state"]] -= units


def _against_ledger(engine: Engine, kept: Manifest) -> Iterator[str]:
    with reading.snapshot(engine) as connection:
        if kept.of("events").through:
            yield from _events(connection, kept.of("events"))
        if kept.of("balances").through:
            yield from _balances(connection, kept.of("balances"))


def _events(connection: Connection, at: Progress) -> Iterator[str]:
    upto = {"upto": int(at.through)}
    states: Counter[str] = Counter()
    for file in at.files:
        states.update(file.sums.states)
    ours: dict[str, int] = {state: units for state, units in sorted(states.items()) if units}
    book = {row.state: row.units for row in connection.execute(_STATES, upto) if row.units}
    yield from _differs(
        "events", sum(f.sums.events for f in at.files), connection.execute(_EVENTS, upto)
    )
    yield from _differs(
        "units moved", sum(f.sums.units for f in at.files), connection.execute(_UNITS, upto)
    )
    if ours != book:
        yield f"the files come to {ours} by state, and the ledger's balances of then to {book}"


def _balances(connection: Connection, at: Progress) -> Iterator[str]:
    book = connection.execute(_DAYS, {"upto": date.fromisoformat(at.through)}).one()
    ours = (sum(f.sums.rows for f in at.files), sum(f.sums.units for f in at.files))
    if ours != tuple(book):
        yield f"the files hold {ours} balances by day and their units, and the ledger {tuple(book)}"


def _differs(what: str, ours: int, found: Any) -> Iterator[str]:
    book = int(found.scalar_one())
    if ours != book:
        yield f"the files hold {ours:,} {what}, and the ledger {book:,}"
