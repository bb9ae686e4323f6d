"""Deliveries."""

from __future__ import annotations

import click
from sqlalchemy import text

from console.cli.common import Failed, as_json, emit, house
from ledger import inbox as rows
from ledger.db import transaction

_LIST = text("""
    SELECT id, source, topic, delivery_id, state, received_at, attempts, coalesce(error, wait_for, '') AS why
    FROM inbox
    WHERE state = ANY(CAST(:states AS text[])) AND (CAST(:source AS text) IS NULL OR source = :source)
    ORDER BY id DESC
    LIMIT :limit
""")

_SHOW = text("""
    SELECT id, source, topic, delivery_id, headers, encode(body, 'escape') AS body, received_at, state, attempts,
           wait_for, error, settled_at
    FROM inbox WHERE id = :id
""")

STATES = ("pending", "waiting", "applied", "parked", "rejected")


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
    with house() as wiring, transaction(wiring.engine) as connection:
        found = connection.execute(
            _LIST,
            {"states": list(states or ("parked", "rejected")), "source": source, "limit": limit},
        )
        emit([dict(row) for row in found.mappings()], as_json=as_json)


@inbox.command()
@click.argument("delivery", type=int)
def show(delivery: int) -> None:
    """One delivery as it came."""
    with house() as wiring, transaction(wiring.engine) as connection:
        row = connection.execute(_SHOW, {"id": delivery}).mappings().one_or_none()
    if row is None:
        raise Failed(f"there is no delivery {delivery}")
    emit(dict(row), as_json=True)


@inbox.command()
@click.argument("deliveries", type=int, nargs=-1, required=True)
def replay(deliveries: tuple[int, ...]) -> None:
    """Take parked deliveries through the drain again, once their cause is mended."""
    with house() as wiring, transaction(wiring.engine) as connection:
        woken = rows.replay(connection, deliveries)
    missing = sorted(set(deliveries) - set(woken))
    click.echo(f"{len(woken)} pending again; the sweep takes them within seconds")
    if missing:
        raise Failed(f"not parked, so left alone: {', '.join(map(str, missing))}", code=4)
