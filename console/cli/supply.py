"""What is to come, and what was asked to come sooner."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import uuid4

import click

from console.cli import spreadsheet
from console.cli.common import as_json, by, emit, tell
from console.cli.elsewhere import asked, done, trying
from console.verbs import book
from console.views import supply as views
from workers.wiring import now

_LISTED = (
    "reference",
    "sku",
    "location",
    "expected",
    "received",
    "open_units",
    "due_at",
    "overdue",
)


class _Due(click.ParamType[str]):
    """A day, or a moment with its offset; kept as it was written."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        said = str(value)
        try:
            if len(said) == len("2026-03-12"):
                return date.fromisoformat(said).isoformat()
            moment = datetime.fromisoformat(said)
        except ValueError:
            self.fail(f"{said!r} is no date: write 2026-03-12, or 2026-03-12T09:00+01:00")
        if moment.tzinfo is None:
            self.fail(f"{said!r} has no offset: write {said}Z, or {said}+01:00")
        return moment.isoformat()


@click.group()
def supply() -> None:
    """What is to come: expect, list; what was asked to come sooner."""


@supply.command()
@click.argument("sku")
@click.option("--location", required=True, help="Where it comes to.")
@click.option(
    "--units", required=True, type=click.IntRange(0), help="All of the line; 0 calls off the rest."
)
@click.option("--due", required=True, type=_Due(), help="When: 2026-03-12.")
@click.option(
    "--reference", required=True, help="The purchase order's line, as receipts will name it."
)
@trying
@by
@as_json
def expect(
    sku: str,
    location: str,
    units: int,
    due: str,
    reference: str,
    dry_run: bool,
    by: str,
    as_json: bool,
) -> None:
    """Say how a line of a purchase order or transfer stands now; what was said of it before holds no longer."""
    line = book.Line(str(uuid4()), sku, location, units, due, reference)
    told = done(
        "supply.expect",
        "/supply",
        {"id": line.id, "sku": sku, "location": location, "units": units, "due": due, "reference": reference},
        lambda wiring: book.expect(wiring.house, line, by=by, now=now()),
        dry_run=dry_run,
    )  # fmt: skip
    tell(told, f"{reference}: {units} of {sku} at {location}, due {due}", as_json=as_json)


@supply.command("list")
@as_json
def list_supply(as_json: bool) -> None:
    """What has not come, the earliest first."""
    emit(
        asked("/supply", lambda _, book: views.expected(book, now())),
        as_json=as_json,
        table=_LISTED,
    )


@supply.command()
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
def requests(as_json: bool, as_csv: bool) -> None:
    """What is to be made or bought sooner, the most urgent first."""
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    found = asked("/supply/requests", lambda _, book: views.requests(book, now()))
    if as_csv:
        _write_csv(found)
        return
    emit(found, as_json=as_json, table=views.ASKED)


def _write_csv(rows: Iterable[dict[str, object]]) -> None:
    spreadsheet.write(
        views.EXPORTED,
        (
            {n: v.isoformat() if isinstance(v, datetime) else v for n, v in row.items()}
            for row in rows
        ),
    )
