"""Who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from console.cli.common import as_json, emit, house
from console.cli.elsewhere import elsewhere
from console.cli.moments import Moment
from console.views.access import DEEDS, TRAIL
from console.views.listing import MOST, BadCursor, Listing, Page, page
from ledger.db import transaction

_TABLE = ("id", "at", "actor", "role", "door", "verb", "object", "outcome", "reason", "detail")


@click.group()
def audit() -> None:
    """Who did what, at which door, and how it ended."""


@audit.command("list")
@click.option("--actor", default=None, help="Only what this one did.")
@click.option(
    "--object", "object_", default=None, help="Of this object or kind: channel:shop, halt."
)
@click.option("--verb", default=None, help="This verb or group: halt.set, halt.")
@click.option(
    "--outcome",
    default=None,
    type=click.Choice(["done", "refused", "failed", "cut off"]),
    help="Only what ended so.",
)
@click.option("--since", default=None, type=Moment(), help="24h, 7d, or a time (UTC).")
@click.option(
    "--trail", is_flag=True, help="What flows wrote of their changes, the house's own too."
)
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, MOST), help="Rows at most."
)
@click.option("--after", default=None, help="From where the page before ended.")
@as_json
def list_(
    actor: str | None,
    object_: str | None,
    verb: str | None,
    outcome: str | None,
    since: datetime | None,
    trail: bool,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """What was asked at any door, newest first. `cut off`: the process died before it ended."""
    said = {"actor": actor, "object": object_, "verb": verb, "outcome": outcome, "since": since}
    if there := elsewhere():
        since_s = since.isoformat() if since else None
        asked = said | {"since": since_s, "trail": trail, "limit": limit, "after": after}
        found = there.page("/audit", **asked)
    else:
        found = _page(TRAIL if trail else DEEDS, said, limit, after)
    emit(found.rows, as_json=as_json, table=_TABLE)
    if found.after:
        click.echo(f"there are more: --after {found.after}", err=True)


def _page(listing: Listing, said: dict[str, Any], limit: int, after: str | None) -> Page:
    with house() as wiring, transaction(wiring.engine) as connection:
        try:
            return page(connection, listing, said, limit=limit, after=after)
        except BadCursor as error:
            raise click.BadParameter(str(error), param_hint="--after") from None
