"""What a rule file would change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli import rule_files
from console.cli.common import as_json, emit, house
from console.cli.elsewhere import as_told, elsewhere
from console.views import rules as views
from workers.wiring import now


@click.command()
@rule_files.file
@click.option("--sku", default="*", help="Only SKUs that fit; * stands for any run of characters.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Most changes told one by one; all are counted.",
)
@as_json
def plan(file: Path, sku: str, limit: int, as_json: bool) -> None:
    """What each channel would show of each SKU if this file were in force, beside what it should show now.

    Computed at the present stock; nothing is written, and workers go on with the version in force. Exit 3 when any
    number would change, 0 when none would.
    """
    read = rule_files.read(file)
    rule_files.tell(read.remarks)
    if there := elsewhere():
        found = there.do("/rules/plan", source=read.source, sku=sku, limit=limit)
    else:
        with house() as wiring:
            found = as_told(views.plan(wiring.engine, read.document, now(), sku=sku, limit=limit))
    if as_json:
        emit(found, as_json=True)
    else:
        _tell(found, file, sku)
    if found["differs"]:
        raise SystemExit(3)


def _tell(found: dict[str, Any], file: Path, sku: str) -> None:
    against = f"version {found['version']}" if found["version"] else "no rules in force"
    if found["changes"]:
        emit([_row(change) for change in found["changes"]], as_json=False)
        click.echo()
    if found["left_off"]:
        click.echo(f"and {found['left_off']} more: --limit, --sku or --json show them", err=True)
    if found["sums"]:
        emit(
            [of | {"change": f"{of['then'] - of['now']:+}"} for of in found["sums"]], as_json=False
        )
    click.echo(f"{file} against {against}: {_outcome(found, sku)}", err=True)
    if found["due"]:
        click.echo(
            f"{found['due']} SKUs are still being computed with the rules in force, so their numbers may move anyhow",
            err=True,
        )
    for channel in found["unlisted"]:
        click.echo(
            f"nothing is listed on {channel} yet, so nothing can be said of it: once applied, lockstep channel map"
            f" {channel}",
            err=True,
        )


def _outcome(found: dict[str, Any], sku: str) -> str:
    if not found["skus"]:
        return "no SKU is known yet" if sku == "*" else f"no SKU fits {sku}"
    if not found["differs"]:
        return f"no number of {found['skus']} SKUs changes"
    return f"{len(found['changes']) + found['left_off']} numbers change, of {found['skus']} SKUs"


def _row(change: dict[str, Any]) -> dict[str, Any]:
    difference = change["then"] - (change["now"] or 0)
    return change | {"change": f"{difference:+}" if difference else "0"}
