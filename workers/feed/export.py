"""The export: each sheet goes on where its files end, a file at a time, until everything that can be written is.

Transaction and file, then the manifest: a run that is killed goes on with the file it was at. What the manifest names
is never written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from workers.feed import files, manifest, reading
from workers.feed.manifest import Manifest, Progress, Unfit, Written
from workers.feed.sheets import SHEETS, Cut, Form, Sheet, columns_of

#: Numbers of the order of writing that one file of events covers.
RANGE: Final = 100_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to be written.

    first, last    what it covers, as it is named
    bounds         parameters of its rows
    """

    first: str
    last: str
    bounds: Mapping[str, Any]


@dataclass(slots=True)
class Exported:
    """What a run wrote: sheet -> its files, and how far each sheet is."""

    files: dict[str, list[Written]] = field(default_factory=dict)
    through: dict[str, str] = field(default_factory=dict)


def export(
    engine: Engine,
    folder: Path,
    *,
    now: Callable[[], datetime],
    form: Form | None = None,
    what: Sequence[str] = tuple(SHEETS),
    say: Callable[[str], None] = lambda _: None,
    span: int = RANGE,
) -> Exported:
    """Bring a folder up to date.

    form      None: as the folder is, CSV for a new one
    what      sheets
    span      of one file of events
    raises    Unfit for a folder of another form, another ledger, or where somebody else is at work
    """
    with manifest.held(folder):
        kept = manifest.read(folder) or Manifest(form or Form.CSV)
        if form not in (None, kept.form):
            raise Unfit(f"{folder} holds {kept.form}: say that format, or export into a new folder")
        _refuse_strangers(engine, folder, kept)
        done = Exported()
        for name in what:
            done.files[name] = [
                _write(engine, folder, kept, SHEETS[name], piece, now, say)
                for piece in _pieces(engine, SHEETS[name], kept.of(name), now(), span)
            ]
            done.through[name] = kept.of(name).through
        manifest.write(folder, kept)
    return done


def _refuse_strangers(engine: Engine, folder: Path, kept: Manifest) -> None:
    """The last event that was exported must stand where it stood: a ledger that was made anew is another one."""
    events = kept.of("events")
    if not events.event_id:
        return
    with reading.snapshot(engine) as connection:
        number = reading.number_of(connection, events.event_id)
    if number is None or not int(events.files[-1].first) <= number <= int(events.through):
        raise Unfit(
            f"{folder} holds the export of another ledger: event {events.event_id} is not in this one where it was."
            " Export into a new folder"
        )


def _pieces(
    engine: Engine, sheet: Sheet, at: Progress, now: datetime, span: int
) -> Iterator[Piece]:
    """What is not exported yet, and can be."""
    match sheet.cut:
        case Cut.SEQ:
            return _ranges(engine, at, span)
        case Cut.DAY:
            return _days(engine, at, now)
        case Cut.NOW:
            today = now.date().isoformat()
            return iter([] if at.through >= today else [Piece(today, today, {})])


def _ranges(engine: Engine, at: Progress, span: int) -> Iterator[Piece]:
    after = int(at.through or 0)
    end = reading.written_through(engine, after)
    while after < end:
        upto = min(end, after + span)
        yield Piece(str(after + 1), str(upto), {"after": after, "upto": upto})
        after = upto


def _days(engine: Engine, at: Progress, now: datetime) -> Iterator[Piece]:
    if at.through:
        day: date | None = date.fromisoformat(at.through) + _DAY
    else:
        with reading.snapshot(engine) as connection:
            day = reading.first_day(connection)
    over = (now - reading.SETTLED).date()
    while day is not None and day < over:
        yield Piece(day.isoformat(), day.isoformat(), {"day": day})
        day += _DAY


def _write(
    engine: Engine,
    folder: Path,
    kept: Manifest,
    sheet: Sheet,
    piece: Piece,
    now: Callable[[], datetime],
    say: Callable[[str], None],
) -> Written:
    """One file, then the manifest that names it."""
    name = f"{sheet.name}/{sheet.name}-{_padded(piece.first)}.{kept.form}"
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    event_id = ""
    with reading.snapshot(engine) as connection:
        sums = reading.sums(connection, sheet, piece.bounds)
        files.write(
            draft, kept.form, columns_of(sheet), reading.rows(connection, sheet, piece.bounds)
        )
        if sheet.cut is Cut.SEQ:
            event_id = reading.last_event(connection, **piece.bounds)
    manifest.put(draft, path)
    written = Written(
        name,
        piece.first,
        piece.last,
        sums,
        path.stat().st_size,
        files.digest(path),
        now().isoformat(timespec="seconds"),
    )
    at = kept.of(sheet.name)
    at.files.append(written)
    at.through, at.event_id = piece.last, event_id or at.event_id
    manifest.write(folder, kept)
    say(f"{name}: {sums.rows:,} rows")
    return written


def _padded(first: str) -> str:
    """Names sort as what they cover."""
    return first.rjust(15, "0") if first.isdigit() else first
