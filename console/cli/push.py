"""What waits to be shown."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Connection

from console.access.types import Unknown
from console.cli.common import as_json, by, emit, reason_if_any, tell
from console.cli.elsewhere import asked, done, listed, trying
from console.verbs import work
from console.views.book import push as push_of
from console.views.work import DUE, PUSHES
from workers.wiring import Wiring, now

_TABLE = ("channel", "sku", "location", "units", "number", "attempts", "since", "error")


@click.group()
def push() -> None:
    """What was pushed, what waits, and what was parked: list, show, parked, retry."""


@push.command()
@click.option("--channel", default=None, help="Only this channel.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def parked(channel: str | None, limit: int, as_json: bool) -> None:
    """Numbers a channel refuses, with its words and what to do."""
    said = {"channel": channel, "sku": None, "parked": True}
    emit(listed(DUE, "/pushes/due", said, limit=limit), as_json=as_json, table=_TABLE)


@push.command("list")
@click.option("--channel", default=None, help="Only this channel.")
@click.option("--sku", default=None, help="Only this SKU.")
@click.option("--due", is_flag=True, help="What waits to be shown, instead of what was pushed.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def list_(channel: str | None, sku: str | None, due: bool, limit: int, as_json: bool) -> None:
    """What was pushed, newest first; with --due what waits, the oldest first."""
    said = {"channel": channel, "sku": sku}
    if due:
        rows = listed(DUE, "/pushes/due", said | {"parked": None}, limit=limit)
        emit(rows, as_json=as_json, table=_TABLE)
    else:
        emit(listed(PUSHES, "/pushes", said, limit=limit), as_json=as_json)


@push.command()
@click.argument("number", metavar="ID", type=click.IntRange(1))
@as_json
def show(number: int, as_json: bool) -> None:
    """A push with what the channel answered."""

    def here(_: Wiring, connection: Connection) -> Any:
        found = push_of(connection, number)
        if found is None:
            raise Unknown(f"there is no push {number}: see `lockstep push list`")
        return found

    emit(asked(f"/pushes/{number}", here), as_json=as_json)


@push.command()
@click.argument("skus", nargs=-1)
@click.option("--channel", required=True, help="On this channel.")
@trying
@by
@reason_if_any
@as_json
def retry(
    skus: tuple[str, ...], channel: str, dry_run: bool, by: str, reason: str, as_json: bool
) -> None:
    """Try parked numbers again: what is sent is computed anew, never replayed. Without SKUs: all of the channel."""

    def here(wiring: Wiring) -> Any:
        count = work.retry_pushes(wiring.engine, channel, skus, by=by, reason=reason, now=now())
        return {"due": count}

    body = {"channel": channel, "skus": list(skus), "reason": reason}
    told = done("push.retry", "/pushes/retry", body, here, dry_run=dry_run)
    tell(told, f"{told['due']} due again", as_json=as_json)
