"""Measurements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from console.cli.bench_house import export, review, scale, sync
from console.cli.common import as_json, aside, durable, house
from console.cli.measured import tell
from workers.settings import Settings


@click.group()
def bench() -> None:
    """Measure against floors, in one run."""


@bench.command()
@click.option(
    "--events",
    default=20_000,
    show_default=True,
    type=click.IntRange(500, 2_000_000),
    help="How many.",
)
@click.option(
    "--rounds",
    default=3,
    show_default=True,
    type=click.IntRange(1, 20),
    help="How often; the best counts.",
)
@click.option(
    "--tasks",
    default=600,
    show_default=True,
    type=click.IntRange(50, 20_000),
    help="For one task per event.",
)
@click.option(
    "--requests",
    default=2_000,
    show_default=True,
    type=click.IntRange(10, 100_000),
    help="Webhooks of each go at the relay's door.",
)
@durable
@as_json
def ingest(
    events: int, rounds: int, tasks: int, requests: int, durable: bool, as_json: bool
) -> None:
    """Relay, inbox, drain and import against floors and one task per event. Exit code 3: goals missed."""
    from console.bench import ingest as measuring

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(
            wiring.settings, events=events, rounds=rounds, tasks=tasks, requests=requests
        )
    tell(result, measuring.table, as_json)


@bench.command()
@click.option(
    "--rows",
    default=100_000,
    show_default=True,
    type=click.IntRange(1000, 5_000_000),
    help="SKUs of the catalogue.",
)
@as_json
def readback(rows: int, as_json: bool) -> None:
    """Read a Shopify export of a whole catalogue: speed and memory. Exit code 3: goals missed."""
    from console.bench import readback as measuring

    result = measuring.measure(rows=rows)
    tell(result, measuring.table, as_json)


@bench.command()
@click.option(
    "--changes",
    default=10_000,
    show_default=True,
    type=click.IntRange(10, 20_000),
    help="Numbers that change.",
)
@click.option(
    "--skus", default=1_000, show_default=True, type=click.IntRange(1, 10_000), help="How many."
)
@click.option(
    "--lanes",
    default="shopify,amazon,square,edi",
    show_default=True,
    help="Which lanes, separated by commas.",
)
@click.option("--seed", default=0, show_default=True, help="Changes follow from it.")
@durable
@as_json
def push(changes: int, skus: int, lanes: str, seed: int, durable: bool, as_json: bool) -> None:
    """Numbers to every simulated vendor: fewest calls, rates kept, newest wins. Exit code 3: goals missed."""
    from console.bench import push as measuring

    chosen = [name.strip() for name in lanes.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in measuring.LANES]
    if unknown or not chosen:
        raise click.UsageError(f"--lanes takes some of {', '.join(measuring.LANES)}")

    @contextmanager
    def fresh() -> Iterator[Settings]:
        with house(throw_away=True, durable=durable) as wiring:
            yield wiring.settings

    result = measuring.measure(
        fresh,
        lanes=chosen,
        changes=changes,
        skus=skus,
        seed=seed,
        say=aside,
    )
    tell(result, measuring.table, as_json)


@bench.command()
@click.option(
    "--rate",
    default=1_000,
    show_default=True,
    type=click.IntRange(1, 20_000),
    help="Questions a second.",
)
@click.option(
    "--seconds", default=20, show_default=True, type=click.IntRange(1, 3600), help="For how long."
)
@click.option(
    "--skus", default=500, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@click.option(
    "--changes",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Booked a second meanwhile.",
)
@click.option("--seed", default=0, show_default=True, help="Questions and changes follow from it.")
@durable
@as_json
def availability(
    rate: int, seconds: int, skus: int, changes: int, seed: int, durable: bool, as_json: bool
) -> None:
    """Ask what stores may promise, while stock changes and Redis is emptied. Exit code 3: goals missed."""
    from console.bench import availability as measuring

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(
            wiring.settings,
            rate=rate,
            seconds=seconds,
            skus=skus,
            changes_per_s=changes,
            seed=seed,
            say=aside,
        )
    tell(result, measuring.table, as_json)


@bench.command("forecast")
@click.option(
    "--skus", default=10_000, show_default=True, type=click.IntRange(100, 100_000), help="SKUs."
)
@click.option(
    "--weeks", default=104, show_default=True, type=click.IntRange(8, 104), help="Weeks of orders."
)
@durable
@as_json
def forecast_(skus: int, weeks: int, durable: bool, as_json: bool) -> None:
    """Run the forecast over a made catalogue with its orders, and read the reorder list.

    Goals: 10,000 SKUs of 104 weeks in ten minutes and 2 GB, the list in a second. Exit code 3: goals missed.
    """
    from console.bench import forecast as measured

    with house(throw_away=True, durable=durable) as wiring:
        result = measured.measure(wiring.settings, skus=skus, weeks=weeks, say=aside)
    tell(result, measured.table, as_json)


@bench.command("alloc")
@click.option(
    "--skus",
    default=100_000,
    show_default=True,
    type=click.IntRange(1000, 1_000_000),
    help="How many.",
)
@durable
@click.option(
    "--processes",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="Processes at work.",
)
@as_json
def alloc_(skus: int, durable: bool, processes: int, as_json: bool) -> None:
    """Targets of a whole catalogue, and of one SKU. Exit code 3: goals missed."""
    from console.bench import alloc as measuring

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(
            wiring.settings.database_url,
            wiring.settings.database_admin_url,
            skus=skus,
            processes=processes,
            say=aside,
        )
    tell(result, measuring.table, as_json)


@bench.command()
@click.option(
    "--skus",
    default=100_000,
    show_default=True,
    type=click.IntRange(1000, 1_000_000),
    help="How many.",
)
@click.option(
    "--events",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(5000, 20_000_000),
    help="How many.",
)
@click.option(
    "--failed",
    default=10_000,
    show_default=True,
    type=click.IntRange(300, 1_000_000),
    help="Rows of failed work.",
)
@click.option(
    "--rounds",
    default=5,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Times each address is asked after its first.",
)
@durable
@as_json
def pages(skus: int, events: int, failed: int, rounds: int, durable: bool, as_json: bool) -> None:
    """Every page of the dashboard, with a full house behind it. Exit code 3: goals missed."""
    from console.bench import pages as measuring

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(
            wiring.settings,
            skus=skus,
            events=events,
            failed=failed,
            rounds=rounds,
            say=aside,
        )
    tell(result, measuring.table, as_json)


bench.add_command(export)
bench.add_command(review)
bench.add_command(scale)
bench.add_command(sync)
