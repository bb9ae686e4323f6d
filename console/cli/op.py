"""Bulk work: how far it is, and ending it."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import click

from console.cli.common import Failed, as_json, by, emit, reason_if_any, tell
from console.cli.elsewhere import asked, done, paged, trying
from console.cli.failed import OVER
from console.verbs import queues as verbs
from console.views import failures as views
from console.views.listing import MOST, cursor
from workers.wiring import now

_LIST = (
    "id", "verb", "state", "total", "done", "failed", "refused", "actor", "reason", "created_at", "ended_at"
)  # fmt: skip
_number = click.argument("number", metavar="ID", type=click.UUID)


@click.group()
def op() -> None:
    """Bulk work on failures: list, show, watch, cancel."""


@op.command("list")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, MOST), help="Rows at most."
)
@click.option("--before", default=None, type=click.UUID, help="Older than this.")
@as_json
def list_(limit: int, before: UUID | None, as_json: bool) -> None:
    """Bulk work, newest first."""
    after = cursor([str(before)]) if before else None
    found = paged(
        "/operations",
        {},
        lambda book: views.bulk(book, limit=limit, after=after),
        limit=limit,
        after=after,
    )
    emit(found.rows, as_json=as_json, table=_LIST)


@op.command()
@_number
@as_json
def show(number: UUID, as_json: bool) -> None:
    """One of them, why some failed or were refused, and how its failures stand now. 4: some failed or were refused."""
    each = _read(number)
    if as_json:
        emit(each, as_json=True)
    else:
        for name, value in each.items():
            if value not in (None, "", {}):
                click.echo(f"{name:<12} {value}")
    if each["failed"] or each["refused"]:
        raise SystemExit(4)


def _read(number: UUID) -> dict[str, Any]:
    each: dict[str, Any] = asked(
        f"/operations/{number}", lambda _, book: views.operation(book, number)
    )
    return each


@op.command()
@_number
@click.option(
    "--every",
    "every_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.1, 60),
    help="Seconds between two looks.",
)
@click.option("--for", "for_s", default=600.0, show_default=True, help="Seconds at most.")
def watch(number: UUID, every_s: float, for_s: float) -> None:
    """Say how far it is until all of it has ended. 4: some failed or was refused; 1: it takes longer."""
    until = time.monotonic() + for_s
    said = ""
    while True:
        each = _read(number)
        stand = each["failures"]
        seen = each["done"] + each["failed"] + each["refused"]
        line = f"{each['state']}  {seen} of {each['total']}  " + ", ".join(
            f"{rows} {state}" for state, rows in stand.items()
        )
        if line != said:
            click.echo(line)
            said = line
        if each["state"] in OVER and not stand.get("retrying"):
            break
        if time.monotonic() > until:
            raise Failed(f"it takes longer than {for_s:g} s: watch it again")
        time.sleep(every_s)
    if each["failed"] or each["refused"] or stand.get("open"):
        raise SystemExit(4)


@op.command()
@_number
@trying
@by
@reason_if_any
@as_json
def cancel(number: UUID, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """End bulk work after the batch that is being done; what is done stays done. 5: it is over."""
    told = done(
        "op.cancel",
        f"/operations/{number}/cancel",
        {"reason": reason},
        lambda wiring: verbs.cancel(wiring.engine, number, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    tell(told, f"operation {number} is {told['state']}", as_json=as_json)
