"""What waits to be shown."""

from __future__ import annotations

import click

from allocation import backlog
from console.cli.acting import acting
from console.cli.common import as_json, by, emit, house, reason_if_any
from console.verbs import work
from ledger.db import transaction
from workers.wiring import now


@click.group()
def push() -> None:
    """What waits to be shown, and what was parked."""


@push.command()
@click.option("--channel", default=None)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def parked(channel: str | None, limit: int, as_json: bool) -> None:
    """Numbers a channel refuses, with its words and what to do."""
    with house() as wiring, transaction(wiring.engine) as connection:
        emit(backlog.parked(connection, channel, limit), as_json=as_json)


@push.command()
@click.argument("skus", nargs=-1)
@click.option("--channel", required=True)
@by
@reason_if_any
def retry(skus: tuple[str, ...], channel: str, by: str, reason: str) -> None:
    """Try parked numbers again: what is sent is computed anew, never replayed. Without SKUs: all of the channel."""
    with acting("push.retry") as wiring:
        count = work.retry_pushes(wiring.engine, channel, skus, by=by, reason=reason, now=now())
    click.echo(f"{count} due again")
