"""Deliveries."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Connection

from console.access.types import Unknown
from console.cli.acting import said_by
from console.cli.common import Failed, as_json, emit, tell
from console.cli.elsewhere import asked, done, listed, trying
from console.verbs import work as verbs
from console.views import work
from console.views.work import STATES
from workers.wiring import Wiring


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
@click.option("--source", default=None, help="Only from this source.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def list_(states: tuple[str, ...], source: str | None, limit: int, as_json: bool) -> None:
    """Deliveries in these states, newest first, with the reason and what to do."""
    wanted = list(states or ("parked", "rejected"))
    said = {"state": wanted, "source": source}
    emit(listed(work.inbox_of(wanted), "/inbox", said, limit=limit), as_json=as_json)


@inbox.command()
@click.argument("delivery", type=click.IntRange(1))
@click.option("--json", is_flag=True, expose_value=False, help="As it is printed anyway.")
def show(delivery: int) -> None:
    """One delivery as it came."""

    def here(_: Wiring, connection: Connection) -> Any:
        row = work.delivery(connection, delivery)
        if row is None:
            raise Unknown(f"there is no delivery {delivery}")
        return row

    emit(asked(f"/inbox/{delivery}", here), as_json=True)


@inbox.command()
@click.argument("deliveries", type=click.IntRange(1), nargs=-1, required=True)
@trying
@said_by
@as_json
def replay(deliveries: tuple[int, ...], dry_run: bool, as_json: bool) -> None:
    """Take parked deliveries through the drain again, once their cause is mended."""

    def here(wiring: Wiring) -> Any:
        woken, left = verbs.replay(wiring.engine, deliveries)
        return {"pending": woken, "left_alone": left}

    body = {"deliveries": list(deliveries)}
    told = done("inbox.replay", "/inbox/replay", body, here, dry_run=dry_run)
    words = f"{len(told['pending'])} pending again; the sweep takes them within seconds"
    tell(told, words, as_json=as_json)
    if told["left_alone"]:
        raise Failed(
            f"not parked, so left alone: {', '.join(map(str, told['left_alone']))}", code=4
        )
