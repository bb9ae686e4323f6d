"""What waits to be shown."""

from __future__ import annotations

import click

from console.cli.acting import acting
from console.cli.common import as_json, by, emit, reason_if_any
from console.cli.elsewhere import elsewhere, listed
from console.verbs import work
from console.views.work import DUE
from workers.wiring import now

_TABLE = ("channel", "sku", "location", "units", "number", "attempts", "since", "error")


@click.group()
def push() -> None:
    """What waits to be shown, and what was parked."""


@push.command()
@click.option("--channel", default=None)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def parked(channel: str | None, limit: int, as_json: bool) -> None:
    """Numbers a channel refuses, with its words and what to do."""
    said = {"channel": channel, "sku": None, "parked": True}
    emit(listed(DUE, "/pushes/due", said, limit=limit), as_json=as_json, table=_TABLE)


@push.command()
@click.argument("skus", nargs=-1)
@click.option("--channel", required=True)
@by
@reason_if_any
def retry(skus: tuple[str, ...], channel: str, by: str, reason: str) -> None:
    """Try parked numbers again: what is sent is computed anew, never replayed. Without SKUs: all of the channel."""
    if there := elsewhere():
        asked = there.do("/pushes/retry", channel=channel, skus=list(skus), reason=reason)
        click.echo(f"{asked['due']} due again")
        return
    with acting("push.retry") as wiring:
        count = work.retry_pushes(wiring.engine, channel, skus, by=by, reason=reason, now=now())
    click.echo(f"{count} due again")
