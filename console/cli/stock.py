"""SKUs, locations and corrections by hand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import uuid4

import click
import orjson

from allocation import supply
from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.cli.explain import explain
from console.verbs import resync
from console.views import stock as stock_view
from ledger import catalogue as book
from ledger import inbox, queries
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows import promises
from workers.flows.ingest import drain
from workers.wiring import Wiring, now


@click.group()
def catalogue() -> None:
    """SKUs and locations."""


@catalogue.command("add-sku")
@click.argument("skus", nargs=-1, required=True)
@click.option("--title", default="")
@said_by
def add_sku(skus: tuple[str, ...], title: str) -> None:
    """Make SKUs known."""
    with acting("catalogue.add-sku") as wiring, transaction(wiring.engine) as connection:
        book.add_skus(connection, dict.fromkeys(skus, title))
    click.echo(f"{len(skus)} known")


@catalogue.command("add-location")
@click.argument("locations", nargs=-1, required=True)
@click.option(
    "--kind",
    type=click.Choice(["warehouse", "store", "mirror"]),
    default="warehouse",
    show_default=True,
)
@said_by
def add_location(locations: tuple[str, ...], kind: str) -> None:
    """Make locations known."""
    with acting("catalogue.add-location") as wiring, transaction(wiring.engine) as connection:
        book.add_locations(connection, list(locations), kind=kind)
    click.echo(f"{len(locations)} known")


@click.group()
def sku() -> None:
    """One SKU: what is where, and what each channel shows."""


sku.add_command(explain)


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
    with house() as wiring, transaction(wiring.engine) as connection:
        found = stock_view.sku(connection, name, now=now(), at=_utc(at), known_at=_utc(known_at))
    if found is None:
        raise Failed(f"nothing is known of SKU {name!r}")
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
@by
@reason
def resync_sku(name: str, channel: str | None, by: str, reason: str) -> None:
    """Compute SKU anew and send its numbers again, though nothing seems to differ."""
    with acting("sku.resync") as wiring:
        channels = resync.resync(wiring.engine, name, channel, by=by, reason=reason, now=now())
    click.echo(f"{name} is sent again to {', '.join(channels)}")


@sku.command("atp")
@click.argument("name")
@click.option("--location", help="Only this location.")
@as_json
def atp(name: str, location: str | None, as_json: bool) -> None:
    """What can still be promised of a SKU, by the day it is there."""
    with house() as wiring, transaction(wiring.engine) as connection:
        parts = supply.parts(connection, name)
        if parts:
            raise Failed(
                f"{name} is a bundle and has no stock of its own; ask for its parts: {', '.join(parts)}"
            )
        found = promises.atp(connection, name, now().date())
    found = [each for each in found if location in (None, each.location)]
    if not found:
        at = f" at {location}" if location else ""
        raise Failed(f"nothing is known of SKU {name!r}{at}: see lockstep sku show {name}")
    if as_json:
        emit({"sku": name, "locations": found}, as_json=True)
        return
    emit([{"location": a.location, **asdict(p)} for a in found for p in a.periods], as_json=False)
    for each in found:
        if each.overdue_units:
            click.echo(
                f"{each.location}: {each.overdue_units} should have come and are no supply"
                " until somebody says when (lockstep supply list)",
                err=True,
            )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=now().tzinfo) if moment else None


@click.group()
def stock() -> None:
    """Correct stock by hand."""


@stock.command()
@click.argument("sku")
@click.argument("units", type=int)
@click.option("--location", required=True)
@by
@reason
def adjust(sku: str, units: int, location: str, by: str, reason: str) -> None:
    """Add UNITS found (or take away what is gone: -- -3) at a location, through the same door as everything else."""
    fact: dict[str, object] = {
        "kind": "adjustment",
        "source": "operator",
        "id": f"adjust:{uuid4()}",
        "occurred_at": now().isoformat(),
        "sku": sku,
        "location": location,
        "units": units,
        "actor": by,
        "reason": reason,
    }
    with acting("stock.adjust") as wiring:
        post(wiring, fact)
    click.echo(f"{sku} at {location}: {units:+d}")


@stock.command()
@click.argument("event_id")
@click.option("--source", required=True, help="Source of the event to undo.")
@by
@reason
def reverse(event_id: str, source: str, by: str, reason: str) -> None:
    """Undo one event, once only, by an event that names it."""
    fact: dict[str, object] = {
        "kind": "reversal",
        "source": "operator",
        "id": f"reverse:{source}:{event_id}"[:255],
        "occurred_at": now().isoformat(),
        "reverses_source": source,
        "reverses_id": event_id,
        "actor": by,
        "reason": reason,
    }
    with acting("stock.reverse") as wiring:
        post(wiring, fact)
    click.echo(f"{source}/{event_id} is reversed")


def post(wiring: Wiring, fact: dict[str, object]) -> None:
    """Book a fact through inbox and drain; a refusal is said at once."""
    delivery = Delivery(str(fact["source"]), str(fact["id"]), FACT_TOPIC, orjson.dumps(fact))
    with transaction(wiring.engine) as connection:
        kept = inbox.keep(connection, [delivery], now=now())
    if not kept.fresh:
        raise Failed("this was done already")
    drain(wiring.house, now=now())
    with transaction(wiring.engine) as connection:
        state, why = queries.delivery_state(connection, delivery.source, delivery.delivery_id)
    if state != "applied":
        raise Failed(f"not applied ({state}): {why}", code=4)
