"""A sheet as it comes back, filled: read whole, and everything that is wrong with it named by its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

from ledger.events import MAX_UNITS, ReasonCode
from ledger.names import as_written
from ledger.separated import separator

#: Columns of a sheet, in their order; `sku`, `location` and `counted` must be there when it comes back.
COLUMNS: Final = (
    "sku", "description", "location", "counted", "reason", "note", "counted_at", "why"
)  # fmt: skip
REASONS: Final[tuple[str, ...]] = get_args(ReasonCode)
_NEEDED: Final = ("sku", "location", "counted")
_MOST_TEXT: Final = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One place that was counted.

    number    line in the file, its first is 1
    at        when, None: when the file says or is given in
    """

    number: int
    sku: str
    location: str
    counted: int
    reason: str = ""
    note: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line, and what to do."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as read; `blank` lines were not counted, which says nothing about them."""

    lines: tuple[Line, ...]
    faults: tuple[Fault, ...]
    blank: int


def read(text: str, location: str | None = None) -> Sheet:
    """The lines of a CSV file with commas, semicolons or tabs.

    location    of lines that name none
    """
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator(first))
    lines: list[Line] = []
    faults: list[Fault] = []
    seen: dict[tuple[str, str], int] = {}
    blank = 0
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [n for n in _NEEDED if n not in names and not (n == "location" and location)]
        if missing:
            said = f"no column {', '.join(missing)}; the first line must name {', '.join(_NEEDED)}"
            return Sheet((), (Fault(1, said),), 0)
        for cells in reader:
            row = {n: as_written(cell.strip()) for n, cell in zip(names, cells, strict=False)}
            if not any(row.values()):
                continue
            if not row.get("counted"):
                blank += 1
                continue
            line, wrong = _line(reader.line_num, row, location, seen)
            faults.extend(wrong)
            if line is not None:
                lines.append(line)
    except csv.Error as error:
        faults.append(Fault(reader.line_num, f"no CSV from here on: {error}; save it as CSV again"))
    return Sheet(tuple(lines), tuple(faults), blank)


def _line(
    number: int, row: Mapping[str, str], location: str | None, seen: dict[tuple[str, str], int]
) -> tuple[Line | None, list[Fault]]:
    sku, place = row.get("sku", ""), row.get("location", "") or location or ""
    faults = [Fault(number, what) for what in _wrong(row, sku, place)]
    if (sku, place) in seen:
        faults.append(
            Fault(number, f"{sku} at {place} stands in line {seen[sku, place]} already: keep one")
        )
    seen.setdefault((sku, place), number)
    if faults:
        return None, faults
    at = datetime.fromisoformat(row["counted_at"]) if row.get("counted_at") else None
    reason = _code(row.get("reason", ""))
    return Line(number, sku, place, int(row["counted"]), reason, row.get("note", ""), at), []


def _wrong(row: Mapping[str, str], sku: str, place: str) -> Iterator[str]:
    if not sku:
        yield "no sku: say which was counted"
    if not place:
        yield "no location: say where it was counted"
    yield from _wrong_number(row["counted"])
    reason = _code(row.get("reason", ""))
    if reason and reason not in REASONS:
        yield f"reason {reason!r} is none of {', '.join(REASONS)}: write one, the rest into note"
    if len(row.get("note", "")) > _MOST_TEXT:
        yield f"the note is longer than {_MOST_TEXT} characters: shorten it"
    if "\0" in "".join(row.values()):
        yield "there is a NUL byte: save the file as CSV in UTF-8 again"
    yield from _wrong_time(row.get("counted_at", ""))


def _wrong_number(said: str) -> Iterator[str]:
    if said.startswith("-") and said[1:].isdecimal():
        yield f"counted {said} is below zero: a shelf holds 0 or more"
    elif not (said.isascii() and said.isdecimal()):
        yield f"counted {said!r} is no whole number: write digits only, or leave it blank"
    elif len(said) > len(str(MAX_UNITS)) or int(said) > MAX_UNITS:
        yield f"counted {said} is more than {MAX_UNITS} units: correct it"


def _wrong_time(said: str) -> Iterator[str]:
    if not said:
        return
    try:
        offset = datetime.fromisoformat(said).tzinfo
    except ValueError:
        yield f"counted_at {said!r} is no time: write 2026-03-12T09:00+01:00"
        return
    if offset is None:
        yield f"counted_at {said!r} has no offset: write {said}Z, or {said}+01:00"


def _code(said: str) -> str:
    return said.strip().lower().replace(" ", "_").replace("-", "_")
