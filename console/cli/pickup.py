"""Pick-up in stores: what may be promised and why, and what to say when a unit was not there."""

from __future__ import annotations

from uuid import uuid4

import click

from console.cli.common import as_json, by, emit
from console.cli.elsewhere import asked, done, quoted, trying
from console.verbs import book
from console.views import pickup as views
from workers.wiring import now


@click.group()
def pickup() -> None:
    """What stores may promise for pick-up."""


@pickup.command()
@click.argument("sku")
@click.option("--location", default="", help="One store; all that have pick-up if left out.")
@as_json
def show(sku: str, location: str, as_json: bool) -> None:
    """The number of each store with its arithmetic: units = available - safety - threshold + owed.

    found is the chance that the last unit shown is there when the order is picked.
    """
    rows = asked(
        f"/skus/{quoted(sku)}/pickup",
        lambda _, book: views.promised(book, sku, location),
        location=location,
    )
    emit(rows, as_json=as_json)


@pickup.command()
@click.argument("sku")
@click.option("--location", required=True, help="The store.")
@click.option(
    "--set-aside",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Units that wait for other customers already: they are there.",
)
@trying
@by
@as_json
def failed(sku: str, location: str, set_aside: int, dry_run: bool, by: str, as_json: bool) -> None:
    """A unit was to be picked and the shelf was empty: that is a count of nothing, and books as one."""
    name = str(uuid4())
    told = done(
        "pickup.failed",
        "/pickup/failed",
        {"id": name, "sku": sku, "location": location, "set_aside": set_aside},
        lambda wiring: book.shelf_was_empty(
            wiring.house, wiring.settings, name, sku, location, set_aside, by=by, now=now()
        ),
        dry_run=dry_run,
    )
    if as_json:
        emit(told, as_json=True)
        return
    click.echo(
        f"{sku} at {location}: counted {set_aside}, and to be counted again: look for the rest"
    )
