"""Pick-up in stores: what may be promised and why, and what to say when a unit was not there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import click

from allocation import pickup_store
from allocation.pickup import chance
from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house
from console.cli.stock import post
from ledger.db import transaction
from workers.flows import counts
from workers.flows.count_terms import terms_of
from workers.wiring import now

_COUNTS_OF = timedelta(days=730)


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
    with house() as wiring, transaction(wiring.engine) as connection:
        version = pickup_store.look(connection, [(sku, location)]).rules_version
        rules = pickup_store.rules_of(connection, version)
        places = pickup_store.picked_up_at(rules)
        if location and location not in places:
            raise Failed(f"no orders are picked up at {location}; they are at {', '.join(places)}")
        keys = [(sku, place) for place in ([location] if location else places)]
        if not keys:
            raise Failed(
                "no location has a pickup rule; add [locations.<name>.pickup] to the rules"
            )
        seen = pickup_store.look(connection, keys)
        counted = pickup_store.losses(connection, places, seen.at - _COUNTS_OF)
        numbers = pickup_store.numbers(seen, keys, rules, counted)
    if not numbers:
        raise Failed(f"nothing is known of SKU {sku!r}")
    rows: list[dict[str, Any]] = [
        {
            "location": number.location,
            "shown": number.units,
            "sku": part.sku,
            "each": part.each,
            "units": part.units,
            "available": part.available,
            "safety": part.safety,
            "threshold": part.threshold,
            "owed": part.owed,
            "lost": round(part.lost, 3),
            "sold": round(part.sold, 3),
            "found": round(chance(part.units, part.available, part.lost + part.sold), 4),
            "counted_at": part.counted_at,
            "recount_ordered": part.doubted,
            "pace_assumed": part.assumed,
        }
        for number in numbers.values()
        for part in number.parts
    ]
    emit(rows, as_json=as_json)


@pickup.command()
@click.argument("sku")
@click.option("--location", required=True)
@click.option(
    "--set-aside",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Units that wait for other customers already: they are there.",
)
@by
def failed(sku: str, location: str, set_aside: int, by: str) -> None:
    """A unit was to be picked and the shelf was empty: that is a count of nothing, and books as one."""
    fact: dict[str, object] = {
        "kind": "count",
        "source": "operator",
        "id": f"pick:{uuid4()}",
        "occurred_at": now().isoformat(),
        "sku": sku,
        "location": location,
        "counted": set_aside,
        "reason_code": "failed_pick",
        "actor": by,
        "reason": "a pick found the shelf empty",
    }
    with acting("pickup.failed") as wiring:
        post(wiring, fact)
        counts.look(wiring.engine, terms_of(wiring.settings), now=now())
    click.echo(
        f"{sku} at {location}: counted {set_aside}, and to be counted again: look for the rest"
    )
