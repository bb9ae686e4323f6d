"""Queues: which move, and stopping one."""

from __future__ import annotations

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason, reason_if_any
from ledger.db import transaction
from workers.failures import pauses
from workers.failures.types import Refused
from workers.flows import queues as stopping
from workers.wiring import now

_TABLE = (
    "queue", "paused", "paused_at", "paused_by", "reason", "seen_at", "worker", "channel_paused", "channel_why"
)  # fmt: skip


@click.group()
def queue() -> None:
    """Queues of the workers: list, pause, resume."""


@queue.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Every queue that was ever seen: when it moved last, and what is paused. 3: something is."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = pauses.queues(connection)
    emit(found, as_json=as_json, table=_TABLE)
    if any(each["paused"] or each["channel_paused"] for each in found):
        raise SystemExit(3)


@queue.command()
@click.argument("name")
@by
@reason
def pause(name: str, by: str, reason: str) -> None:
    """Let a queue's tasks do nothing until it is resumed, over every restart; what waits stays. 5: refused.

    Of push.<channel> that is everything that is asked of the channel: numbers, read-backs, polls of orders, halts.
    """
    with acting("queue.pause") as wiring:
        try:
            fresh = stopping.pause(wiring.engine, name, by=by, reason=reason, now=now())
        except Refused as error:
            raise Failed(str(error), code=5) from None
    click.echo(
        f"{name} {'is paused; workers know it within a second' if fresh else 'was paused already'}"
    )


@queue.command()
@click.argument("name")
@by
@reason_if_any
def resume(name: str, by: str, reason: str) -> None:
    """Let a paused queue work again; the sweep rings for what waits. 5: it is not paused."""
    with acting("queue.resume") as wiring:
        try:
            stopping.resume(wiring.engine, name, by=by, reason=reason, now=now())
        except Refused as error:
            raise Failed(str(error), code=5) from None
    click.echo(f"{name} works again")
