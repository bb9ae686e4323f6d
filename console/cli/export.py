"""`lockstep export`: the book and what channels showed as files that never change, for other systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, aside, emit, house
from workers.feed import verifying
from workers.feed.export import Exported
from workers.feed.export import export as flow
from workers.feed.manifest import Unfit
from workers.feed.sheets import SHEETS, Form
from workers.wiring import now

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def export() -> None:
    """Files for other systems: run, verify."""


@export.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet"]),
    default=None,
    help="As the folder is; csv for a new one. Parquet needs the extra `export`.",
)
@click.option(
    "--what",
    default=",".join(SHEETS),
    show_default=True,
    help="Which sheets, separated by commas.",
)
@as_json
@said_by
def run(folder: Path, form: str | None, what: str, as_json: bool) -> None:
    """Bring the files in DIR up to date: what is new since the last run, and nothing of what is there.

    A run that was ended goes on where it was. `manifest.json` names the files, with their sums and digests; what it
    does not name is not exported. docs/feed.md describes the sheets.
    """
    names = [name.strip() for name in what.split(",") if name.strip()]
    strangers = [name for name in names if name not in SHEETS]
    if strangers or not names:
        raise click.UsageError(f"--what takes some of {', '.join(SHEETS)}")
    chosen = {"csv": Form.CSV, "parquet": Form.PARQUET}[form] if form else None
    with acting("export.run") as wiring:
        try:
            done = flow(
                wiring.engine, folder.absolute(), now=now, form=chosen, what=names, say=aside
            )
        except (Unfit, OSError) as error:
            raise Failed(str(error)) from None
    emit(_told(done), as_json=as_json)


def _told(done: Exported) -> list[dict[str, Any]]:
    return [
        {
            "sheet": name,
            "files": len(written),
            "rows": sum(file.sums.rows for file in written),
            "units": sum(file.sums.units for file in written),
            "bytes": sum(file.bytes for file in written),
            "through": done.through[name],
        }
        for name, written in done.files.items()
    ]


@export.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
@as_json
def verify(folder: Path, as_json: bool) -> None:
    """Prove the files in DIR: whole, unchanged, and equal to the ledger. Exit code 3 when they are not."""
    with house() as wiring:
        try:
            wrong = verifying.verify(wiring.engine, folder.absolute())
        except Unfit as error:
            raise Failed(str(error)) from None
    if as_json:
        emit({"passed": not wrong, "wrong": wrong}, as_json=True)
    else:
        for each in wrong:
            click.echo(f"BAD {each}")
        if not wrong:
            click.echo("whole, unchanged, and equal to the ledger")
    if wrong:
        raise SystemExit(3)
