"""`lockstep count accuracy`, `count shrinkage`, `count worth`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house
from console.views import counts
from ledger.db import transaction
from reconcile import count_checks, count_reports
from reconcile.counting.accuracy import Accuracy
from reconcile.trail import record
from workers.wiring import now

as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
_WEEK = timedelta(days=7)
_MOST_MONEY = Decimal(1_000_000_000)


@click.command()
@click.option("--location", default=None, help="Only this location.")
@click.option("--weeks", default=13, show_default=True, type=click.IntRange(1, 104))
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
    with house() as wiring, transaction(wiring.engine) as connection:
        rows = counts.accuracy(
            connection, now=now(), location=location, weeks=weeks, rolling=rolling
        )
    if as_csv:
        _print_csv([field.name for field in fields(Accuracy)], rows)
    else:
        emit(rows, as_json=as_json)


@click.command()
@click.option("--quarter", "said", required=True, help="Such as 2026Q4 (calendar, UTC).")
@click.option("--location", default=None, help="Only this location.")
@as_csv
@as_json
def shrinkage(said: str, location: str | None, as_csv: bool, as_json: bool) -> None:
    """What was lost less what was found, by location and reason: units, money, percent of sales."""
    with house() as wiring, transaction(wiring.engine) as connection:
        try:
            rows = counts.shrinkage(connection, said, location)
        except ValueError as error:
            raise Failed(str(error), code=2) from None
    if as_csv:
        _print_csv(list(rows[0]), rows)
    else:
        emit(rows, as_json=as_json)


def _print_csv(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    out = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    out.writeheader()
    out.writerows(rows)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@by
def worth(file: Path, by: str) -> None:
    """Say from FILE (CSV: sku, cost, price) what a unit costs and is sold for; a blank leaves what is known.

    Shrinkage counts in money with it, and tiers go by pace times cost.
    """
    rows, faults = _worths(file)
    with acting("count.worth") as wiring:
        at = now()
        with transaction(wiring.engine) as connection:
            known = count_checks.known_skus(connection, [sku for sku, _, _ in rows])
            faults += [f"unknown SKU {sku!r}: correct it" for sku, _, _ in rows if sku not in known]
            if not faults:
                count_reports.set_worth(connection, rows, by, at)
                what = f"file:{file.name}"
                detail = {"skus": len(rows)}
                record(connection, actor=by, action="worth.set", what=what, at=at, detail=detail)
        if faults:
            for fault in faults:
                click.echo(fault, err=True)
            raise Failed(f"{len(faults)} to be put right; nothing was changed")
    click.echo(f"{len(rows)} SKUs")


def _worths(file: Path) -> tuple[list[tuple[str, Decimal | None, Decimal | None]], list[str]]:
    rows: dict[str, tuple[str, Decimal | None, Decimal | None]] = {}
    faults: list[str] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            if "sku" not in (reader.fieldnames or []):
                return [], [f"{file}:1: no column sku; the first line must name sku, cost, price"]
            for row in reader:
                sku = row["sku"].strip()
                try:
                    if sku in rows:
                        raise ValueError(f"{sku} stands twice: keep one")
                    rows[sku] = sku, _money(row.get("cost")), _money(row.get("price"))
                except ValueError as error:
                    faults.append(f"{file}:{reader.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [f"{file} cannot be read: {error}; give a CSV file in UTF-8"]
    return list(rows.values()), faults


def _money(said: str | None) -> Decimal | None:
    if not said or not said.strip():
        return None
    try:
        money = Decimal(said.strip())
    except InvalidOperation:
        raise ValueError(f"{said!r} is no amount: write 12.50") from None
    if not (money.is_finite() and 0 <= money <= _MOST_MONEY):
        raise ValueError(f"{said!r} is no amount of 0 to {_MOST_MONEY}: correct it")
    return money
