"""`lockstep amazon health`, `explain`, `removals`, `send-in`, `size`, `capacity`: stock at Amazon, and no more."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from allocation.planning.send_in import Terms
from console.cli import spreadsheet
from console.cli.common import as_json, by, emit, tell
from console.cli.count_reports import as_csv
from console.cli.elsewhere import asked, done, trying
from console.verbs import amazon_room as verbs
from console.views import amazon_health as views
from workers.wiring import now

on = click.option("--channel", "name", default=None, help="Which one, where there are several.")


@click.command()
@on
@as_csv
@as_json
def health(name: str | None, as_csv: bool, as_json: bool) -> None:
    """How every SKU stands at Amazon: days of supply, excess, sell-through, stranded, aged by FIFO, surcharge.

    In units of ours, of every SKU whose last reconciliation was in sync; the others are named on stderr (in JSON:
    `held_back`) with why. Last the factors of the IPI, beside the score that was typed in.
    """
    _one_form(as_csv, as_json)
    found = asked(
        "/amazon/health", lambda wiring, _: views.health(wiring.engine, name, now()), channel=name
    )
    if as_json:
        emit(found, as_json=True)
        return
    if as_csv:
        spreadsheet.write(views.EXPORTED, found["lines"])
    else:
        emit(found["lines"], as_json=False, table=views.LISTED)
        score = (found["ipi"] or {}).get("score", "none typed in")
        click.echo(f"IPI: {score}")
        for factor, value in found["factors"].items():
            click.echo(f"{factor}: {'not known' if value is None else value}")
    _tell_held_back(found)


@click.command()
@click.argument("sku")
@on
@as_json
def explain(sku: str, name: str | None, as_json: bool) -> None:
    """What the numbers of one SKU (Amazon's name) follow from: arrivals by age and price, snapshots, pace, size."""
    found = asked(
        "/amazon/standing",
        lambda _, book: views.explained(book, name, sku, now()),
        channel=name,
        sku=sku,
    )
    if as_json:
        emit(found, as_json=True)
        return
    layers = found.pop("layers")
    for word, value in found.items():
        if value not in (None, "", []):
            click.echo(f"{word}: {value}")
    emit(layers, as_json=False)


@click.command()
@on
@as_csv
@as_json
def removals(name: str | None, as_csv: bool, as_json: bool) -> None:
    """What to take out of Amazon's network before it is charged as aged, what saves most first.

    `saved`: storage and surcharges of the next twelve months, less as it would be sold. `fee`: for taking it out, sent
    back or destroyed. `net`: what is left. Where no unit saves more than its fee it stays, and stderr says so.
    """
    _one_form(as_csv, as_json)
    found = asked(
        "/amazon/removals",
        lambda wiring, _: views.removals(wiring.engine, name, now()),
        channel=name,
    )
    if as_json:
        emit(found, as_json=True)
        return
    if as_csv:
        spreadsheet.write(views.REMOVALS, found["lines"])
    else:
        emit(found["lines"], as_json=False, table=views.REMOVALS)
        click.echo(
            f"{found['units']} units; saved {found['saved']}, fees {found['fee']}, left {found['net']} dollars"
        )
    for each in found["stay"]:
        click.echo(f"stays {each['seller_sku']}: {each['why']}", err=True)
    _tell_held_back(found)


@click.command("send-in")
@click.option(
    "--target-days",
    default=45.0,
    show_default=True,
    type=click.FloatRange(1, 366),
    help="Days of supply that are wanted when a shipment of today is there.",
)
@click.option(
    "--lead-days",
    default=14.0,
    show_default=True,
    type=click.FloatRange(0, 366),
    help="Days until it is.",
)
@click.option(
    "--keep-days",
    default=14.0,
    show_default=True,
    type=click.FloatRange(0, 366),
    help="Days of its own sales that each place keeps.",
)
@click.option("--home", default=None, help="Only what lies at this location.")
@on
@as_csv
@as_json
def send_in(
    target_days: float,
    lead_days: float,
    keep_days: float,
    home: str | None,
    name: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """What to send to Amazon, in whole cartons, a shipment for each place, within the limits of its storage.

    Where room or stock is short all SKUs last equally long, and no carton makes more than 90 days of supply. What falls
    short of what is wanted is named on stderr with why.
    """
    _one_form(as_csv, as_json)
    terms = Terms(target_days, lead_days, keep_days)
    found = asked(
        "/amazon/send-in",
        lambda wiring, _: views.send_in(wiring.engine, name, terms, [home] if home else [], now()),
        channel=name,
        target_days=target_days,
        lead_days=lead_days,
        keep_days=keep_days,
        home=home,
    )
    if as_json:
        emit(found, as_json=True)
        return
    lines = [line for shipment in found["shipments"] for line in shipment["lines"]]
    if as_csv:
        spreadsheet.write(views.SENT, lines)
    else:
        emit(lines, as_json=False, table=views.SENT)
        emit(found["rooms"], as_json=False)
    for each in found["short"]:
        click.echo(f"{each['seller_sku']} falls short of {each['units']}: {each['why']}", err=True)
    _tell_held_back(found)


# -- room ------------------------------------------------------------------------------------------------------------


@click.group()
def size() -> None:
    """How large units and cartons are: set, list."""


@size.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@trying
@by
@as_json
def set_size(file: Path, dry_run: bool, by: str, as_json: bool) -> None:
    """Say from FILE how large units and cartons are; it counts before what Amazon measured.

    CSV: sku, cubic_feet or length_in, width_in and height_in, storage_type, carton_units, carton_cubic_feet, pounds
    (or ounces, grams).
    """
    with spreadsheet.faults_told():
        rows = spreadsheet.read(file, verbs.read_sizes)
        sent = [
            {
                "sku": row.sku,
                "cubic_feet": row.cubic_feet,
                "storage_type": row.storage_type,
                "carton_units": row.carton_units,
                "carton_cubic_feet": row.carton_cubic_feet,
                "pounds": row.pounds,
            }
            for row in rows
        ]
        told = done(
            "amazon.size.set",
            "/amazon/sizes",
            {"file": file.name, "rows": sent},
            lambda wiring: verbs.set_sizes(wiring.engine, rows, by=by, now=now()),
            dry_run=dry_run,
        )
    tell(told, f"{told['skus']} SKUs", as_json=as_json)


@size.command("list")
@click.option("--sku", default=None, help="Only this one of ours.")
@as_json
def list_sizes(sku: str | None, as_json: bool) -> None:
    """How large units and cartons are, as the house says."""
    rows = asked("/amazon/sizes", lambda _, book: views.sizes(book, sku), sku=sku)
    emit(rows, as_json=as_json)


@click.group()
def capacity() -> None:
    """Limits of Amazon's storage, which no API tells: set, list."""


@capacity.command("set")
@click.argument("storage_type", type=click.Choice(verbs.STORAGE_TYPES))
@click.option("--cubic-feet", type=click.FloatRange(0, 1_000_000_000), help="The limit as volume.")
@click.option("--units", type=click.IntRange(0, 1_000_000_000), help="The limit in Amazon's units.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day it holds; today when left out.",
)
@on
@trying
@by
@as_json
def set_capacity(
    storage_type: str,
    cubic_feet: float | None,
    units: int | None,
    since: datetime | None,
    name: str | None,
    dry_run: bool,
    by: str,
    as_json: bool,
) -> None:
    """Write down a limit of storage as Seller Central shows it, for a day and those after it."""
    day = since.date() if since else None
    feet = None if cubic_feet is None else Decimal(str(cubic_feet)).quantize(Decimal("0.01"))
    told = done(
        "amazon.capacity.set",
        "/amazon/capacity",
        {
            "channel": name,
            "storage_type": storage_type,
            "cubic_feet": feet,
            "units": units,
            "since": day,
        },
        lambda wiring: verbs.set_capacity(
            wiring.engine,
            name,
            verbs.limit_of(storage_type, day, feet, units, now()),
            by=by,
            now=now(),
        ),
        dry_run=dry_run,
    )
    tell(told, f"{told['channel']}: {storage_type} from {told['since']}", as_json=as_json)


@capacity.command("list")
@on
@as_json
def list_capacity(name: str | None, as_json: bool) -> None:
    """Limits of storage, by type, the newest day first."""
    rows = asked("/amazon/capacity", lambda _, book: views.capacities(book, name), channel=name)
    emit(rows, as_json=as_json)


def _one_form(as_csv: bool, as_json: bool) -> None:
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")


def _tell_held_back(found: dict[str, Any]) -> None:
    for each in found["held_back"]:
        click.echo(f"held back {each['seller_sku']}: {each['why']}", err=True)


COMMANDS = (health, explain, removals, send_in, size, capacity)
