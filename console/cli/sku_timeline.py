"""`lockstep sku timeline`: what happened to a SKU, and what each channel showed at a moment."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import click

from console.cli.common import as_json, emit
from console.cli.elsewhere import asked, quoted
from console.cli.moments import Moment
from console.views import timeline as views
from console.views.plain import dumps
from workers.wiring import now

_TABLE = ("at", "what", "channel", "said", "more")
_SHOWED = (
    "channel", "location", "shows", "how", "shows_at", "should", "pushed", "pushed_at", "halted"
)  # fmt: skip
_KNEW = ("the_book", "location", "on_hand", "available", "committed", "reserved")


@click.command()
@click.argument("name", metavar="SKU")
@click.option("--since", type=Moment(), default="24h", show_default=True, help="From then on.")
@click.option("--until", type=Moment(), default=None, help="Up to then; now if left out.")
@click.option("--at", type=Moment(), default=None, help="What was shown and known at this moment.")
@click.option("--channel", default=None, help="Only this channel, and what is of none.")
@click.option("--kind", type=click.Choice(views.KINDS), default=None, help="Only of this kind.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@as_json
def timeline(
    name: str,
    since: datetime,
    until: datetime | None,
    at: datetime | None,
    channel: str | None,
    kind: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """What happened to SKU: events, targets, pushes, read-backs, drifts, halts, people; the newest first, 100 at most.

    With --at MOMENT: what each channel showed then, what it should have, and what the ledger knew.
    """
    if at is not None:
        _moment(name, at, as_json=as_json)
        return
    if follow and until is not None:
        raise click.UsageError("--follow goes on from now: leave --until out")
    rows = _happened(name, since, until, channel, kind)
    if not follow:
        emit(rows, as_json=as_json, table=_TABLE)
        return
    _follow(name, rows, since, channel, kind, as_json=as_json)


def _happened(
    name: str, since: datetime, until: datetime | None, channel: str | None, kind: str | None
) -> list[dict[str, Any]]:
    said: dict[str, Any] = {"since": since, "until": until, "channel": channel, "kind": kind}
    path = f"/skus/{quoted(name)}/timeline"
    told = asked(path, lambda _, book: views.of_sku(book, name, now=now(), **said), **said)
    rows: list[dict[str, Any]] = told["rows"]
    return rows


def _follow(
    name: str,
    rows: list[dict[str, Any]],
    since: datetime,
    channel: str | None,
    kind: str | None,
    *,
    as_json: bool,
) -> None:
    """What comes, the oldest first: a line each."""
    seen: set[tuple[Any, ...]] = set()
    while True:
        for row in reversed(rows):
            key = (row["what"], row["id"], row["at"], row["said"])
            if key not in seen:
                seen.add(key)
                _line(row, as_json=as_json)
                since = max(since, row["at"] - timedelta(minutes=5))
        time.sleep(1)
        rows = _happened(name, since, None, channel, kind)


def _line(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(dumps(row))
        return
    said = [f"{row['at']:%m-%d %H:%M:%S}", f"{row['what']:<9}", row["channel"], row["said"]]
    click.echo("  ".join(filter(None, [*said, row["more"]])))


def _moment(name: str, at: datetime, *, as_json: bool) -> None:
    path = f"/skus/{quoted(name)}/moment"
    told = asked(path, lambda _, book: views.moment_of(book, name, at, now()), at=at)
    if as_json:
        emit(told, as_json=True)
        return
    emit(told["places"], as_json=False, table=_SHOWED)
    click.echo()
    knew = [{"the_book": "knew then", **row} for row in told["knew"]]
    knows = [{"the_book": "knows now of then", **row} for row in told["knows"]]
    emit([*knew, *knows], as_json=False, table=_KNEW)
