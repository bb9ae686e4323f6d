"""What is to come, and what was asked to come sooner."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import uuid4

import click

from allocation import supply as hands
from allocation.supply import Asked, Supply
from console.cli.acting import acting
from console.cli.common import as_json, by, emit, house
from console.cli.stock import post
from ledger.db import transaction
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
_ASKED = ("due_at", "sku", "location", "units", "channel", "order", "line", "reason")
_EXPORTED = (*_ASKED, "source", "since", "overdue")


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
@by
def expect(sku: str, location: str, units: int, due: str, reference: str, by: str) -> None:
    """Say how a line of a purchase order or transfer stands now; what was said of it before holds no longer."""
    at = now().isoformat()
    fact: dict[str, object] = {
        "kind": "expected",
        "source": "operator",
        "id": f"expect:{uuid4()}",
        "occurred_at": at,
        "sku": sku,
        "location": location,
        "units": units,
        "due_at": due,
        "reference": reference,
        "actor": by,
    }
    with acting("supply.expect") as wiring:
        post(wiring, fact)
    click.echo(f"{reference}: {units} of {sku} at {location}, due {due}")


@supply.command("list")
@as_json
def list_supply(as_json: bool) -> None:
    """What has not come, the earliest first."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = hands.open_supply(connection)
    emit([_listed(each) for each in found], as_json=as_json, table=_LISTED)


def _listed(each: Supply) -> dict[str, object]:
    return asdict(each) | {"open_units": each.open_units, "overdue": _is_overdue(each.due_at)}


@supply.command()
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
def requests(as_json: bool, as_csv: bool) -> None:
    """What is to be made or bought sooner, the most urgent first."""
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    with house() as wiring, transaction(wiring.engine) as connection:
        found = [_asked(each) for each in hands.requests(connection)]
    if as_csv:
        _write_csv(found)
        return
    emit(found, as_json=as_json, table=_ASKED)


def _asked(each: Asked) -> dict[str, object]:
    row = asdict(each)
    row |= {"order": each.order_id, "line": each.line_id, "overdue": _is_overdue(each.due_at)}
    return {name: row[name] for name in _EXPORTED}


def _write_csv(rows: Iterable[dict[str, object]]) -> None:
    out = csv.DictWriter(sys.stdout, _EXPORTED, lineterminator="\n")
    out.writeheader()
    for row in rows:
        out.writerow({n: v.isoformat() if isinstance(v, datetime) else v for n, v in row.items()})


def _is_overdue(due_at: datetime) -> bool:
    """Whether the day has passed; on the day itself there is still time."""
    return due_at.astimezone(now().tzinfo).date() < now().date()
