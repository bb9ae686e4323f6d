"""Deliveries."""

from __future__ import annotations

import click

from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, emit, house
from console.cli.elsewhere import listed
from console.verbs import work as verbs
from console.views import work
from console.views.work import STATES
from ledger.db import transaction


@click.group()
def inbox() -> None:
    """Deliveries: list, show, replay."""


@inbox.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES),
    help="Default: parked and rejected.",
)
@click.option("--source", default=None)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def list_(states: tuple[str, ...], source: str | None, limit: int, as_json: bool) -> None:
    """Deliveries in these states, newest first, with the reason and what to do."""
    wanted = list(states or ("parked", "rejected"))
    said = {"state": wanted, "source": source}
    emit(listed(work.inbox_of(wanted), "/inbox", said, limit=limit), as_json=as_json)


@inbox.command()
@click.argument("delivery", type=int)
def show(delivery: int) -> None:
    """One delivery as it came."""
    with house() as wiring, transaction(wiring.engine) as connection:
        row = work.delivery(connection, delivery)
    if row is None:
        raise Failed(f"there is no delivery {delivery}")
    emit(row, as_json=True)


@inbox.command()
@click.argument("deliveries", type=int, nargs=-1, required=True)
@said_by
def replay(deliveries: tuple[int, ...]) -> None:
    """Take parked deliveries through the drain again, once their cause is mended."""
    with acting("inbox.replay") as wiring:
        woken, missing = verbs.replay(wiring.engine, deliveries)
    click.echo(f"{len(woken)} pending again; the sweep takes them within seconds")
    if missing:
        raise Failed(f"not parked, so left alone: {', '.join(map(str, missing))}", code=4)
