"""Physical counts: what is due, a filled sheet into the book, and what counts say of the house."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from console.cli import spreadsheet
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.cli.count_reports import accuracy, shrinkage, worth
from console.cli.elsewhere import as_told, asked, done, elsewhere, trying
from console.verbs import counts as verbs
from console.views import counts as views
from ledger.db import transaction
from ledger.separated import NotText, decoded
from reconcile import count_orders
from reconcile.counting.file import COLUMNS, REASONS, read
from reconcile.counting.types import Verdict
from workers.flows.count_sheets import name_of
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
    rows = _due(location, day.date() if day else None, lines)
    if as_csv:
        _print_csv(rows, book=book)
    elif as_sheet:
        _print_sheets(rows, day.date() if day else now().date(), book=book)
    else:
        shown = [{n: v for n, v in row.items() if book or n != "book"} for row in rows]
        if not as_json:
            shown = [row | {"why": ", ".join(row["why"])} for row in shown]
        emit(shown, as_json=as_json)


def _due(location: str | None, day: date | None, lines: int | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = asked(
        "/counts/plan",
        lambda wiring, _: views.due(
            wiring.engine, terms_of(wiring.settings), now(), location=location, day=day, lines=lines
        ),
        location=location,
        day=day,
        lines=lines,
    )
    return rows


def _print_csv(rows: Sequence[dict[str, Any]], *, book: bool) -> None:
    names = [*COLUMNS, *(["book"] if book else [])]
    spreadsheet.write(names, (row | {"why": ", ".join(row["why"])} for row in rows))


def _print_sheets(rows: Sequence[dict[str, Any]], day: date, *, book: bool) -> None:
    for location, of_it in groupby(rows, itemgetter("location")):
        lines = list(of_it)
        width = max(len(line["sku"]) for line in lines)
        click.echo(f"{location}  {day.isoformat()}  {len(lines)} lines    counted by: ____________")
        for line in lines:
            said = f"book {line['book']:>6}  " if book else ""
            click.echo(
                f"  {line['sku']:<{width}}  {line['description'][:40]:<40}  {said}[        ]"
                f"  {', '.join(line['why'])}"
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
@trying
@by
@as_json
def submit_(
    file: Path,
    at: datetime | None,
    location: str | None,
    reason: str,
    dry_run: bool,
    by: str,
    as_json: bool,
) -> None:
    """Book a filled sheet, whole or not at all, as of its minute: what was sold meanwhile does not matter.

    The same file twice is one count. 3: something is out of tolerance; 4: something was not applied; 1: nothing was
    booked, and what is wrong is said line by line.
    """
    content = file.read_bytes()
    try:
        text = decoded(content)
    except NotText as error:
        raise Failed(f"{file} cannot be read: {error}") from None
    name = name_of(content, at)
    body = {"sheet": text, "name": name, "at": at, "location": location, "reason_code": reason}
    try:
        told = done(
            "count.submit",
            "/counts",
            body,
            lambda wiring: verbs.submit(
                wiring.house, wiring.settings, read(text, location), name, at,
                by=by, reason=reason, now=now,
            ),
            dry_run=dry_run,
        )  # fmt: skip
    except Failed as error:
        if error.faults and as_json:
            emit({"booked": 0, "faults": [_fault(said) for said in error.faults]}, as_json=True)
        for fault in error.faults:
            click.echo(f"{file}:{fault}", err=True)
        raise
    _say(told, as_json=as_json)


def _fault(said: str) -> dict[str, Any]:
    line, _, what = said.partition(": ")
    return {"line": int(line), "what": what}


def _say(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(told, as_json=True)
    else:
        shown = [line for line in told["counts"] if line["variance"] or line["state"] != "applied"]
        if shown:
            emit(shown, as_json=False, table=_LINES)
        total = {name: told[name] for name in told if name not in ("counts", "alarms")}
        click.echo(", ".join(f"{name} {value}" for name, value in total.items()))
        for alarm in told["alarms"]:
            click.echo(f"alarm: {alarm}")
    if told["repeated"]:
        click.echo(
            "this sheet was booked before and was not booked again; if it is another count, say --at",
            err=True,
        )
    waiting = [line for line in told["counts"] if line["state"] != "applied"]
    for line in waiting:
        click.echo(f"line {line['line']} is {line['state']}: {line['error']}", err=True)
    if waiting:
        raise SystemExit(4)
    if any(line["verdict"] != Verdict.WITHIN.value for line in told["counts"]):
        raise SystemExit(3)


@count.command("order")
@click.argument("sku")
@click.option("--location", required=True, help="Where it is to be counted.")
@trying
@by
@reason
@as_json
def order(sku: str, location: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Order a recount of SKU at a location; until it is in, fewer units are promised for pick-up."""
    told = done(
        "count.order",
        "/counts/orders",
        {"sku": sku, "location": location, "reason": reason},
        lambda wiring: verbs.order(wiring.engine, sku, location, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    if as_json:
        emit(told, as_json=True)
    else:
        again = "" if told["fresh"] else ", as before"
        click.echo(f"{sku} at {location}: recount ordered{again}")


@count.command("orders")
@as_json
def orders(as_json: bool) -> None:
    """Recounts that are ordered and not made yet. 3: there are some."""
    if there := elsewhere():
        found = there.rows("/counts/orders")
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            found = as_told(list(count_orders.open_orders(connection)))
    table = ("location", "sku", "rule", "what", "since", "missing", "ordered_by", "reason")
    emit(found, as_json=as_json, table=table)
    if found:
        raise SystemExit(3)
