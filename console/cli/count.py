"""Physical counts: what is due, a filled sheet into the book, and what counts say of the house."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.cli.count_reports import accuracy, shrinkage, worth
from ledger.db import transaction
from reconcile import count_checks, count_orders
from reconcile.counting.file import COLUMNS, REASONS, Fault, read
from reconcile.counting.tiers import Due, by_location
from reconcile.counting.types import Verdict
from workers.flows import counts
from workers.flows.count_sheets import Found, Refused, Submitted, name_of, submit
from workers.flows.count_terms import terms_of
from workers.wiring import now

_LINES = (
    "line", "sku", "location", "counted", "book", "variance", "percent", "tier", "verdict", "reason", "recount", "state"
)  # fmt: skip


class _Moment(click.ParamType[datetime]):
    """A moment with its offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-03-12T09:00+01:00")
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no offset: write {value}Z, or {value}+01:00")
        return moment


@click.group()
def count() -> None:
    """Count, and learn from it."""


count.add_command(accuracy)
count.add_command(shrinkage)
count.add_command(worth)


@count.command()
@click.option("--location", default=None, help="Only this location.")
@click.option(
    "--date",
    "day",
    default=None,
    type=click.DateTime(["%Y-%m-%d"]),
    help="What is due by the end of that day (UTC); today if left out.",
)
@click.option("--lines", default=None, type=click.IntRange(1), help="Most lines of a location.")
@click.option(
    "--book", is_flag=True, help="Print what the book says too: then nobody counts blind."
)
@click.option("--csv", "as_csv", is_flag=True, help="A sheet to be filled and submitted.")
@click.option("--sheet", "as_sheet", is_flag=True, help="Sheets to be printed, one a location.")
@as_json
def plan(
    location: str | None,
    day: datetime | None,
    lines: int | None,
    book: bool,
    as_csv: bool,
    as_sheet: bool,
    as_json: bool,
) -> None:
    """What is to be counted, and why: ordered recounts first, then what is latest by its tier."""
    if as_csv + as_sheet + as_json > 1:
        raise click.UsageError("give one of --csv, --sheet and --json")
    with house() as wiring:
        at = now()
        until = (day.replace(tzinfo=UTC) if day else at.astimezone(UTC)).date() + timedelta(days=1)
        try:
            due = counts.plan(
                wiring.engine,
                terms_of(wiring.settings),
                now=at,
                until=datetime.combine(until, datetime.min.time(), UTC),
                location=location,
            )
        except counts.NoSuchPlace as error:
            raise Failed(str(error)) from None
    sheets = by_location(due)
    if lines is not None:
        sheets = {name: of_it[:lines] for name, of_it in sheets.items()}
    if as_csv:
        _print_csv([line for of_it in sheets.values() for line in of_it], book=book)
    elif as_sheet:
        _print_sheets(sheets, until - timedelta(days=1), book=book)
    else:
        rows = [_row(line, book=book) for of_it in sheets.values() for line in of_it]
        if not as_json:
            rows = [row | {"why": ", ".join(row["why"])} for row in rows]
        emit(rows, as_json=as_json)


def _row(line: Due, *, book: bool) -> dict[str, Any]:
    known = line.known
    row: dict[str, Any] = {
        "location": known.location,
        "sku": known.sku,
        "description": known.title,
        "tier": known.tier,
        "why": list(line.why),
        "counted_at": known.counted_at,
        "due_at": line.due_at,
    }
    return row | {"book": known.on_hand} if book else row


def _print_csv(lines: Sequence[Due], *, book: bool) -> None:
    names = [*COLUMNS, *(["book"] if book else [])]
    out = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    out.writeheader()
    for line in lines:
        known = line.known
        row = {
            "sku": known.sku,
            "description": known.title,
            "location": known.location,
            "why": ", ".join(line.why),
        }
        out.writerow(row | {"book": known.on_hand} if book else row)


def _print_sheets(sheets: dict[str, list[Due]] | Any, day: date, *, book: bool) -> None:
    for location, lines in sheets.items():
        width = max(len(line.known.sku) for line in lines)
        click.echo(f"{location}  {day.isoformat()}  {len(lines)} lines    counted by: ____________")
        for line in lines:
            known = line.known
            said = f"book {known.on_hand:>6}  " if book else ""
            click.echo(
                f"  {known.sku:<{width}}  {known.title[:40]:<40}  {said}[        ]  {', '.join(line.why)}"
            )
        click.echo("\f", nl=False)


@count.command("submit")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--at", default=None, type=_Moment(), help="When it was counted; now if left out.")
@click.option("--location", default=None, help="Of lines that name none.")
@click.option(
    "--reason",
    default="",
    type=click.Choice(["", *REASONS]),
    help="For lines out of tolerance that give none.",
)
@by
@as_json
def submit_(
    file: Path, at: datetime | None, location: str | None, reason: str, by: str, as_json: bool
) -> None:
    """Book a filled sheet, whole or not at all, as of its minute: what was sold meanwhile does not matter.

    The same file twice is one count. 3: something is out of tolerance; 4: something was not applied; 1: nothing was
    booked, and what is wrong is said line by line.
    """
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Failed(f"{file} is not UTF-8: save it as CSV in UTF-8") from None
    with acting("count.submit") as wiring:
        try:
            done = submit(
                wiring.house,
                read(text, location),
                name=name_of(content, at),
                at=at,
                by=by,
                terms=terms_of(wiring.settings),
                now=now,
                reason=reason,
            )
        except Refused as refused:
            _refuse(file, refused.faults, as_json=as_json)
    _say(done, as_json=as_json)


def _refuse(file: Path, faults: Sequence[Fault], *, as_json: bool) -> None:
    if as_json:
        emit({"booked": 0, "faults": list(faults)}, as_json=True)
    for fault in faults:
        click.echo(f"{file}:{fault.line}: {fault.what}", err=True)
    raise Failed(f"{len(faults)} to be put right; nothing was booked")


def _say(done: Submitted, *, as_json: bool) -> None:
    total = {
        "sheet": done.sheet,
        "repeated": done.repeated,
        "lines": len(done.lines),
        "blank": done.blank,
        **{verdict.value: done.number(verdict) for verdict in Verdict},
        "units": sum(line.variance or 0 for line in done.lines),
    }
    alarms = [f"{alarm.rule} {alarm.what}" for alarm in done.raised]
    if as_json:
        emit(total | {"counts": list(done.lines), "alarms": alarms}, as_json=True)
    else:
        shown = [line for line in done.lines if line.variance or line.state != "applied"]
        if shown:
            emit(shown, as_json=False, table=_LINES)
        click.echo(", ".join(f"{name} {value}" for name, value in total.items()))
        for alarm in alarms:
            click.echo(f"alarm: {alarm}")
    if done.repeated:
        click.echo(
            "this sheet was booked before and was not booked again; if it is another count, say --at",
            err=True,
        )
    _exit(done.lines)


def _exit(lines: Sequence[Found]) -> None:
    waiting = [line for line in lines if line.state != "applied"]
    for line in waiting:
        click.echo(f"line {line.line} is {line.state}: {line.error}", err=True)
    if waiting:
        raise SystemExit(4)
    if any(line.verdict != Verdict.WITHIN for line in lines):
        raise SystemExit(3)


@count.command("order")
@click.argument("sku")
@click.option("--location", required=True)
@by
@reason
def order(sku: str, location: str, by: str, reason: str) -> None:
    """Order a recount of SKU at a location; until it is in, fewer units are promised for pick-up."""
    with acting("count.order") as wiring:
        at = now()
        with transaction(wiring.engine) as connection:
            (known,) = count_checks.check(connection, [(1, sku, location, at)]).values()
            if not known.sku_known or known.kind not in ("warehouse", "store"):
                raise Failed(f"nothing can be counted of {sku!r} at {location!r}: check both names")
            fresh = count_orders.order_by_hand(connection, (sku, location), by, reason, at)
    click.echo(f"{sku} at {location}: recount ordered{'' if fresh else ', as before'}")


@count.command("orders")
@as_json
def orders(as_json: bool) -> None:
    """Recounts that are ordered and not made yet. 3: there are some."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = count_orders.open_orders(connection)
    table = ("location", "sku", "rule", "what", "since", "missing", "ordered_by", "reason")
    emit(list(found), as_json=as_json, table=table)
    if found:
        raise SystemExit(3)
