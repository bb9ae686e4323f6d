"""Past events."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, ephemeral, progress
from workers.wiring import now

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def history() -> None:
    """Bring past events in and tie them out."""


@history.command("import")
@click.argument("events", type=_FILE)
@click.option(
    "--opening",
    required=True,
    type=_FILE,
    help="Balances to begin with: sku, location_id, opening.",
)
@click.option(
    "--tie-out", required=True, type=_FILE, help="Balances to end with: sku, location_id, closing."
)
@click.option(
    "--disturb",
    type=int,
    default=None,
    metavar="SEED",
    help="Deliver badly: twice, late, out of order.",
)
@click.option("--name", default=None, help="Name of the data set; the file's name if left out.")
@click.option(
    "--timezone", default="UTC", show_default=True, help="Zone of times that carry no offset."
)
@ephemeral
@as_json
@said_by
def import_(
    events: Path,
    opening: Path,
    tie_out: Path,
    disturb: int | None,
    name: str | None,
    timezone: str,
    ephemeral: bool,
    as_json: bool,
) -> None:
    """Import EVENTS (.csv or .csv.gz) through inbox and drain; exit code 3 unless every balance ties out."""
    from workers.flows.history import UnusableFile, import_history

    with acting("history.import", throw_away=ephemeral) as wiring:
        try:
            result = import_history(
                wiring.house,
                name=name or events.name.split(".")[0],
                events=events,
                opening=opening,
                tie_out=tie_out,
                seed=disturb,
                zone=_zone(timezone),
                clock=now,
                progress=progress("importing"),
            )
        except UnusableFile as error:
            raise Failed(str(error)) from None
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(result), indent=1))
    else:
        click.echo(
            f"{result.events} events: {result.applied} applied, {result.duplicates} duplicates,"
            f" {result.parked} parked, {result.waiting} waiting; {result.events_per_s:.0f} events/s\n"
            f"closing {result.closing_units} units, sha256 {result.closing_sha256}\n"
            f"{result.differences} differences"
        )
        for line in result.first_parked:
            click.echo(f"  not applied: {line}")
        for d in result.first_differences:
            click.echo(f"  {d.sku} at {d.location}: expected {d.expected}, the book has {d.actual}")
    sys.exit(0 if result.differences == 0 else 3)


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Failed(f"no time zone {name!r}; use a name like Europe/London", code=2) from None
