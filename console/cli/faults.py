"""Faults of real processes: what there is, and a run of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from console import logs
from console.cli.common import Failed, as_json, aside, sentences
from console.cli.measured import tell
from console.local.stack import forget
from workers.settings import settings


@click.group()
def faults() -> None:
    """Kill, freeze and cut off what runs, under load, and see whether anything was lost or doubled."""


@faults.command("list")
@as_json
def listing(as_json: bool) -> None:
    """What can go wrong, and what this machine lacks to try it."""
    from console.faults.catalogue import FAULTS

    rows = [{"name": f.name, "says": f.says, "missing": f.missing()} for f in FAULTS]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        lacks = f"  (not here: {row['missing']})" if row["missing"] else ""
        click.echo(f"{row['name']:<22} {row['says']}{lacks}")


@faults.command()
@click.option(
    "--only", multiple=True, metavar="NAME", help="This fault; repeat it. All of them when absent."
)
@click.option("--seed", default=0, show_default=True, help="Moments and choices follow from it.")
@click.option(
    "--hold",
    "hold_s",
    default=20.0,
    show_default=True,
    type=click.FloatRange(1, 600),
    help="Seconds that a frozen process or a bad line lasts.",
)
@click.option(
    "--release",
    default="",
    metavar="COMMIT",
    help="What the fault `release` begins with; the last commit before the newest migration when absent.",
)
@as_json
def run(only: tuple[str, ...], seed: int, hold_s: float, release: str, as_json: bool) -> None:
    """One fault after another on a house of real processes under load. Exit code 3: something was lost or doubled,
    or is not as it should be a minute after a fault."""
    from console.faults import run as battery
    from console.faults.catalogue import FAULTS

    unknown = sorted(set(only) - {fault.name for fault in FAULTS})
    if unknown:
        raise Failed(f"no fault named {', '.join(unknown)}; see `lockstep faults list`", code=2)
    with _home() as home, sentences():
        result = battery.measure(
            settings(), home, only=only, seed=seed, hold_s=hold_s, release=release, say=aside
        )
    tell(result, battery.table, as_json)


@faults.command()
@click.option(
    "--minutes",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.5, 1440),
    help="How long.",
)
@click.option("--seed", default=0, show_default=True, help="Which calls fail follows from it.")
@as_json
def soak(minutes: float, seed: int, as_json: bool) -> None:
    """Work on for minutes with every twentieth call failing: memory, sessions, keys. Exit code 3: something grows."""
    from console.faults import soak as battery

    with _home() as home, sentences():
        result = battery.measure(settings(), home, minutes=minutes, seed=seed, say=aside)
    tell(result, battery.table, as_json)


@contextmanager
def _home() -> Iterator[Path]:
    """A folder for the servers, gone afterwards."""
    # What workers have to say of trouble that is made on purpose stands in their logs.
    logs.configure("CRITICAL")
    home = Path(tempfile.mkdtemp(prefix="lockstep-faults-")).resolve()
    home.chmod(0o711)
    try:
        yield home
    finally:
        forget(home)
