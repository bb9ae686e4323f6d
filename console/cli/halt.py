"""Halts."""

from __future__ import annotations

import click

from console.cli.common import Failed, as_json, by, emit, house, reason
from ledger.db import transaction
from reconcile import halt_store
from workers.flows import halts
from workers.wiring import now


@click.group()
def halt() -> None:
    """Stop and resume one SKU on one channel."""


@halt.command("list")
@click.option("--channel", default=None)
@as_json
def list_(channel: str | None, as_json: bool) -> None:
    """Halts that are not lifted, oldest first."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = halt_store.open_halts(connection, channel)
    emit(
        found,
        as_json=as_json,
        table=("channel", "sku", "state", "set_at", "set_by", "reason", "error"),
    )


@halt.command("set")
@click.argument("sku")
@click.option("--channel", required=True)
@by
@reason
def set_(sku: str, channel: str, by: str, reason: str) -> None:
    """Take a SKU off sale on one channel; a worker does it within seconds and reads it back."""
    with house() as wiring:
        try:
            number, fresh = halts.halt(
                wiring.engine, channel=channel, sku=sku, reason=reason, by=by, now=now()
            )
        except halt_store.NothingToHalt as error:
            raise Failed(str(error)) from None
    click.echo(f"halt {number} " + ("is being set" if fresh else "stood already"))


@halt.command()
@click.argument("sku")
@click.option("--channel", required=True)
@by
@reason
def lift(sku: str, channel: str, by: str, reason: str) -> None:
    """Put a halted SKU back on sale exactly as it was."""
    with house() as wiring:
        try:
            number, fresh = halts.lift(
                wiring.engine, channel=channel, sku=sku, reason=reason, by=by, now=now()
            )
        except halt_store.NothingToLift as error:
            raise Failed(str(error)) from None
    click.echo(f"halt {number} " + ("is being lifted" if fresh else "is being lifted already"))
