"""SKUs, locations and corrections by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import click
from sqlalchemy import Connection

from console.access.types import Unknown
from console.cli.acting import said_by
from console.cli.common import as_json, by, emit, reason, tell
from console.cli.elsewhere import asked, done, elsewhere, listed, quoted, trying
from console.cli.explain import explain
from console.cli.sku_timeline import timeline
from console.verbs import book, resync
from console.views import stock as stock_view
from console.views import supply as supply_view
from workers.wiring import Wiring, now


@click.group()
def catalogue() -> None:
    """SKUs and locations."""


@catalogue.command("add-sku")
@click.argument("skus", nargs=-1, required=True)
@click.option("--title", default="", help="What it is, for people.")
@trying
@said_by
@as_json
def add_sku(skus: tuple[str, ...], title: str, dry_run: bool, as_json: bool) -> None:
    """Make SKUs known."""
    told = done(
        "catalogue.add-sku",
        "/catalogue/skus",
        {"skus": list(skus), "title": title},
        lambda wiring: book.add_skus(wiring.house, list(skus), title),
        dry_run=dry_run,
    )
    tell(told, f"{told['known']} known", as_json=as_json)


@catalogue.command("add-location")
@click.argument("locations", nargs=-1, required=True)
@click.option(
    "--kind",
    type=click.Choice(["warehouse", "store", "mirror"]),
    default="warehouse",
    show_default=True,
    help="What stands there; a mirror is told of by somebody else.",
)
@trying
@said_by
@as_json
def add_location(locations: tuple[str, ...], kind: str, dry_run: bool, as_json: bool) -> None:
    """Make locations known."""
    told = done(
        "catalogue.add-location",
        "/catalogue/locations",
        {"locations": list(locations), "kind": kind},
        lambda wiring: book.add_locations(wiring.house, list(locations), kind),
        dry_run=dry_run,
    )
    tell(told, f"{told['known']} known", as_json=as_json)


@click.group()
def sku() -> None:
    """One SKU: search, show, timeline, explain, resync, atp."""


sku.add_command(explain)
sku.add_command(timeline)


@sku.command()
@click.argument("words", required=False, default="")
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Rows at most.",
)
@as_json
def search(words: str, limit: int, as_json: bool) -> None:
    """SKUs whose name or title holds these words; all without them."""
    if (there := elsewhere()) is not None:
        found = there.rows("/skus", limit, q=words)
    else:
        found = listed(stock_view.SKUS, "/skus", {"like": stock_view.like(words)}, limit=limit)
    emit(found, as_json=as_json)


@sku.command("show")
@click.argument("name")
@click.option(
    "--at",
    "at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="As of this moment (UTC).",
)
@click.option(
    "--known-at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="As the book knew then (UTC).",
)
@as_json
def show_sku(name: str, at: datetime | None, known_at: datetime | None, as_json: bool) -> None:
    """On hand by location; now, or as of a moment and as known at another."""
    moments = {"at": _utc(at), "known_at": _utc(known_at)}

    def here(_: Wiring, connection: Connection) -> Any:
        found = stock_view.sku(connection, name, now=now(), **moments)
        if found is None:
            raise Unknown(f"nothing is known of SKU {name!r}")
        return found

    found = asked(f"/skus/{quoted(name)}", here, **moments)
    if as_json:
        emit(found, as_json=True)
        return
    emit(found["positions"], as_json=False)
    if found["channels"] and not (at or known_at):
        click.echo()
        emit(found["channels"], as_json=False)


@sku.command("resync")
@click.argument("name", metavar="SKU")
@click.option("--channel", default=None, help="Only there.")
@trying
@by
@reason
@as_json
def resync_sku(
    name: str, channel: str | None, dry_run: bool, by: str, reason: str, as_json: bool
) -> None:
    """Compute SKU anew and send its numbers again, though nothing seems to differ."""

    def here(wiring: Wiring) -> Any:
        channels = resync.resync(wiring.engine, name, channel, by=by, reason=reason, now=now())
        return {"sku": name, "channels": channels}

    body = {"sku": name, "channel": channel, "reason": reason}
    told = done("sku.resync", "/skus/resync", body, here, dry_run=dry_run)
    tell(told, f"{name} is sent again to {', '.join(told['channels'])}", as_json=as_json)


@sku.command("atp")
@click.argument("name")
@click.option("--location", help="Only this location.")
@as_json
def atp(name: str, location: str | None, as_json: bool) -> None:
    """What can still be promised of a SKU, by the day it is there."""
    told = asked(
        f"/skus/{quoted(name)}/atp",
        lambda _, book: supply_view.promised(book, name, location, now()),
        location=location,
    )
    if as_json:
        emit(told, as_json=True)
        return
    emit(
        [
            {"location": at["location"], **each}
            for at in told["locations"]
            for each in at["periods"]
        ],
        as_json=False,
    )
    for each in told["locations"]:
        if each["overdue_units"]:
            click.echo(
                f"{each['location']}: {each['overdue_units']} should have come and are no supply"
                " until somebody says when (lockstep supply list)",
                err=True,
            )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


@click.group()
def stock() -> None:
    """Correct stock by hand."""


@stock.command()
@click.argument("sku")
@click.argument("units", type=int)
@click.option("--location", required=True, help="Where they were found, or are gone.")
@trying
@by
@reason
@as_json
def adjust(
    sku: str, units: int, location: str, dry_run: bool, by: str, reason: str, as_json: bool
) -> None:
    """Add UNITS found (or take away what is gone: -- -3) at a location, through the same door as everything else."""
    name = str(uuid4())
    told = done(
        "stock.adjust",
        "/stock/adjust",
        {"id": name, "sku": sku, "units": units, "location": location, "reason": reason},
        lambda wiring: book.adjust(
            wiring.house, name, sku, location, units, by=by, reason=reason, now=now()
        ),
        dry_run=dry_run,
    )
    tell(told, f"{sku} at {location}: {units:+d}", as_json=as_json)


@stock.command()
@click.argument("event_id")
@click.option("--source", required=True, help="Source of the event to undo.")
@trying
@by
@reason
@as_json
def reverse(event_id: str, source: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Undo one event, once only, by an event that names it."""
    told = done(
        "stock.reverse",
        "/stock/reverse",
        {"event_id": event_id, "source": source, "reason": reason},
        lambda wiring: book.reverse(
            wiring.house, source, event_id, by=by, reason=reason, now=now()
        ),
        dry_run=dry_run,
    )
    tell(told, f"{source}/{event_id} is reversed", as_json=as_json)
