"""Bulk work: how far it is, and ending it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any
from uuid import UUID

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason_if_any
from ledger.db import transaction
from workers.failures import operations as store
from workers.failures import store as failures
from workers.failures.types import Operation, Refused
from workers.flows import operations
from workers.wiring import Wiring, now

_LIST = (
    "id", "verb", "state", "total", "done", "failed", "refused", "actor", "reason", "created_at", "ended_at"
)  # fmt: skip
_number = click.argument("number", metavar="ID", type=click.UUID)


@click.group()
def op() -> None:
    """Bulk work on failures: list, show, watch, cancel."""


@op.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--before", default=None, type=click.UUID, help="Older than this.")
@as_json
def list_(limit: int, before: UUID | None, as_json: bool) -> None:
    """Bulk work, newest first."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = store.page(connection, most=limit, before=before)
    emit([_row(each) for each in found], as_json=as_json, table=_LIST)


def _row(each: Operation) -> dict[str, Any]:
    return {**asdict(each), "id": str(each.id)}


@op.command()
@_number
@as_json
def show(number: UUID, as_json: bool) -> None:
    """One of them, why some failed or were refused, and how its failures stand now. 4: some failed or were refused."""
    with house() as wiring:
        each, stand = _read(wiring, number)
    if as_json:
        emit(_row(each) | {"failures": stand}, as_json=True)
    else:
        for name, value in (_row(each) | {"failures": stand}).items():
            if value not in (None, "", {}):
                click.echo(f"{name:<12} {value}")
    if each.failed or each.refused:
        raise SystemExit(4)


def _read(wiring: Wiring, number: UUID) -> tuple[Operation, dict[str, int]]:
    with transaction(wiring.engine) as connection:
        each = store.one(connection, number)
        if each is None:
            raise Failed(f"there is no operation {number}: see `lockstep op list`")
        stand = {str(state): rows for state, rows in failures.states_of(connection, number).items()}
        return each, stand


@op.command()
@_number
@click.option("--every", "every_s", default=1.0, show_default=True, type=click.FloatRange(0.1, 60))
@click.option("--for", "for_s", default=600.0, show_default=True, help="Seconds at most.")
def watch(number: UUID, every_s: float, for_s: float) -> None:
    """Say how far it is until all of it has ended. 4: some failed or was refused; 1: it takes longer."""
    until = time.monotonic() + for_s
    said = ""
    with house() as wiring:
        while True:
            each, stand = _read(wiring, number)
            line = f"{each.state}  {each.seen} of {each.total}  " + ", ".join(
                f"{rows} {state}" for state, rows in stand.items()
            )
            if line != said:
                click.echo(line)
                said = line
            if each.is_over and not stand.get("retrying"):
                break
            if time.monotonic() > until:
                raise Failed(f"it takes longer than {for_s:g} s: watch it again")
            time.sleep(every_s)
    if each.failed or each.refused or stand.get("open"):
        raise SystemExit(4)


@op.command()
@_number
@by
@reason_if_any
def cancel(number: UUID, by: str, reason: str) -> None:
    """End bulk work after the batch that is being done; what is done stays done. 5: it is over."""
    with acting("op.cancel") as wiring:
        try:
            state = operations.cancel(wiring.engine, number, by=by, reason=reason, now=now())
        except Refused as error:
            raise Failed(str(error), code=5) from None
    click.echo(f"operation {number} is {state}")
