"""Queues: which move, and stopping one."""

from __future__ import annotations

import click

from console.cli.common import as_json, by, emit, house, reason, reason_if_any, tell
from console.cli.elsewhere import as_told, done, elsewhere, quoted, trying
from console.verbs import queues as verbs
from ledger.db import transaction
from workers.failures import pauses
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
    if there := elsewhere():
        found = there.rows("/queues")
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            found = as_told(list(pauses.queues(connection)))
    emit(found, as_json=as_json, table=_TABLE)
    if any(each["paused"] or each["channel_paused"] for each in found):
        raise SystemExit(3)


@queue.command()
@click.argument("name")
@trying
@by
@reason
@as_json
def pause(name: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Let a queue's tasks do nothing until it is resumed, over every restart; what waits stays. 5: refused.

    Of push.<channel> that is everything that is asked of the channel: numbers, read-backs, polls of orders, halts.
    """
    told = done(
        "queue.pause",
        f"/queues/{quoted(name)}/pause",
        {"reason": reason},
        lambda wiring: verbs.pause(wiring.engine, name, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    fresh = "is paused; workers know it within a second"
    tell(told, f"{name} {fresh if told['fresh'] else 'was paused already'}", as_json=as_json)


@queue.command()
@click.argument("name")
@trying
@by
@reason_if_any
@as_json
def resume(name: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Let a paused queue work again; the sweep rings for what waits. 5: it is not paused."""
    told = done(
        "queue.resume",
        f"/queues/{quoted(name)}/resume",
        {"reason": reason},
        lambda wiring: verbs.resume(wiring.engine, name, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    tell(told, f"{name} works again", as_json=as_json)
