"""`lockstep count accuracy`, `count shrinkage`, `count worth`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from console.cli import spreadsheet
from console.cli.common import Failed, as_json, by, emit, house, tell
from console.cli.elsewhere import as_told, done, elsewhere, trying
from console.verbs import counts as verbs
from console.views import counts
from ledger.db import transaction
from reconcile.counting.accuracy import Accuracy, quarter
from workers.wiring import now

as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
_WORTH = ("sku", "cost", "price")


@click.command()
@click.option("--location", default=None, help="Only this location.")
@click.option(
    "--weeks", default=13, show_default=True, type=click.IntRange(1, 104), help="How many."
)
@click.option(
    "--rolling",
    default=13,
    show_default=True,
    type=click.IntRange(1, 104),
    help="Weeks that the rolling figure spans.",
)
@as_csv
@as_json
def accuracy(location: str | None, weeks: int, rolling: int, as_csv: bool, as_json: bool) -> None:
    """Records within tolerance / records counted, week by week; too much never makes up for too little.

    By location and tier, each location, each tier, and all. Recounts and failed picks say nothing of the house and are
    left out. 95 % is enough to plan with, 99 % is best in class.
    """
    said: dict[str, Any] = {"location": location, "weeks": weeks, "rolling": rolling}
    rows = _rows("/counts/accuracy", lambda book: counts.accuracy(book, now=now(), **said), **said)
    if as_csv:
        spreadsheet.write([field.name for field in fields(Accuracy)], rows)
    else:
        emit(rows, as_json=as_json)


@click.command()
@click.option("--quarter", "said", required=True, help="Such as 2026Q4 (calendar, UTC).")
@click.option("--location", default=None, help="Only this location.")
@as_csv
@as_json
def shrinkage(said: str, location: str | None, as_csv: bool, as_json: bool) -> None:
    """What was lost less what was found, by location and reason: units, money, percent of sales."""
    try:
        quarter(said)
    except ValueError as error:
        raise Failed(str(error), code=2) from None
    rows = _rows(
        "/counts/shrinkage",
        lambda book: counts.shrinkage(book, said, location),
        quarter=said,
        location=location,
    )
    if as_csv:
        spreadsheet.write(list(rows[0]), rows)
    else:
        emit(rows, as_json=as_json)


def _rows(path: str, here: Callable[[Connection], Any], **said: Any) -> list[dict[str, Any]]:
    if there := elsewhere():
        return there.rows(path, **said)
    with house() as wiring, transaction(wiring.engine) as connection:
        rows: list[dict[str, Any]] = as_told(here(connection))
    return rows


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@trying
@by
@as_json
def worth(file: Path, dry_run: bool, by: str, as_json: bool) -> None:
    """Say from FILE (CSV: sku, cost, price) what a unit costs and is sold for; a blank leaves what is known.

    Shrinkage counts in money with it, and tiers go by pace times cost.
    """
    with spreadsheet.faults_told():
        rows = spreadsheet.read(file, verbs.worths)
        told = done(
            "count.worth",
            "/counts/worth",
            {"file": file.name, "rows": [dict(zip(_WORTH, row, strict=True)) for row in rows]},
            lambda wiring: verbs.set_worth(wiring.engine, rows, file.name, by=by, now=now()),
            dry_run=dry_run,
        )
    tell(told, f"{told['skus']} SKUs", as_json=as_json)
