"""`lockstep reorder list`, `reorder terms`, `reorder set`, `reorder import`: what to order now, and by what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allocation.planning.ordering import Said
from console.cli import spreadsheet
from console.cli.common import as_json, by, emit, tell
from console.cli.count_reports import as_csv
from console.cli.elsewhere import asked, done, trying
from console.verbs import planning as verbs
from console.views import planning as views
from workers.wiring import now

_PACK = click.IntRange(1, 1_000_000)
_UNITS = click.IntRange(0, 1_000_000)
_SERVICE = click.FloatRange(50, 99.99)


@click.group()
def reorder() -> None:
    """What to order: list; by what: terms, set, import."""


@reorder.command("list")
@click.option("--service", type=_SERVICE, help="Percent of cycles; what if.")
@click.option("--lead-days", type=click.FloatRange(0, 730), help="Where no receipts say; what if.")
@click.option("--lead-sd-days", type=click.FloatRange(0, 365), help="Its deviation; what if.")
@click.option("--review-days", type=click.FloatRange(1, 365), help="Between two looks; what if.")
@click.option("--pack", type=_PACK, help="Whole packs; what if.")
@click.option("--minimum", type=_UNITS, help="A line; what if.")
@click.option("--all", "every", is_flag=True, help="Also where nothing is to be ordered.")
@as_csv
@as_json
def list_(every: bool, as_csv: bool, as_json: bool, **said: Any) -> None:
    """What to order now, by SKU and location, the soonest to run out first, with reasons.

    By the forecast of the last run, the terms that are kept, and the balances of now. Options that say otherwise hold
    for this list alone, before any term that is kept. Of every SKU whose last reconciliation was in sync; the others
    are named on stderr (in JSON: `held_back`) with why.
    """
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")
    found = asked(
        "/reorder",
        lambda _, book: views.reorder(book, now(), views.wished(**said), every=every),
        every=every,
        **said,
    )
    if as_json:
        emit(found, as_json=True)
        return
    if as_csv:
        spreadsheet.write(views.EXPORTED, found["lines"])
    else:
        emit(found["lines"], as_json=False, table=views.LISTED)
    if found["run"] is None:
        click.echo("no forecast was run yet: run `lockstep forecast run`", err=True)
    elif not found["run"]["places"]:
        click.echo(views.NO_PAST, err=True)
    for each in found["held_back"]:
        click.echo(f"held back {each['sku']}: {each['why']}", err=True)


@reorder.command()
@as_json
def terms(as_json: bool) -> None:
    """What is ordered by: of the house, of suppliers, of SKUs; a SKU's own before its supplier's before the house's."""
    rows = asked("/reorder/terms", lambda _, book: views.terms(book))
    emit(rows, as_json=as_json, table=views.TERMS)
    if not rows:
        click.echo(
            "nobody said any: two weeks of lead time, a look a week, 95 % service, single units; see"
            " lockstep reorder set",
            err=True,
        )


@reorder.command("set")
@click.option("--sku", help="Of this SKU; without it of --supplier, without both of the house.")
@click.option("--supplier", help="Who it is bought from.")
@click.option("--pack", type=_PACK, help="Units of a pack.")
@click.option("--minimum", type=_UNITS, help="Least units of a line.")
@click.option("--lead-days", type=click.FloatRange(0, 730), help="Where fewer than 3 receipts say.")
@click.option("--lead-sd-days", type=click.FloatRange(0, 365), help="Its standard deviation.")
@click.option("--review-days", type=click.FloatRange(0.25, 365), help="Between two looks.")
@click.option("--service", type=_SERVICE, help="Percent of cycles that must not run out.")
@click.option("--order-cost", type=click.FloatRange(0, 1_000_000), help="Money an order costs.")
@click.option("--holding", type=click.FloatRange(0.1, 200), help="Percent of its cost, a year.")
@trying
@by
@as_json
def set_(dry_run: bool, by: str, as_json: bool, **said: Any) -> None:
    """Say what is ordered by, whole: what is left out is as the supplier or the house says.

    Nothing said takes back what was said before.
    """
    row = verbs.stated(said)
    with spreadsheet.faults_told():
        told = done(
            "reorder.set",
            "/reorder/terms/set",
            said,
            lambda wiring: verbs.state(
                wiring.engine, [row], f"terms:{row.scope} {row.name}".strip(), by=by, now=now()
            ),
            dry_run=dry_run,
        )
    named = f"{row.scope} {row.name}" if row.name else "the house"
    if row.said == Said():
        named += ", of which nothing is said any more"
    tell(told, f"terms of {named}: {told['levels']} levels set anew", as_json=as_json)


@reorder.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@trying
@by
@as_json
def import_(file: Path, dry_run: bool, by: str, as_json: bool) -> None:
    """Say from FILE what is ordered by: CSV with sku and any of supplier, pack, minimum, lead_days, lead_sd_days,
    review_days, service, order_cost, holding.

    Without sku a line is the supplier's, without both the house's. Each line says it whole; all of it, or nothing.
    """
    with spreadsheet.faults_told():
        rows = spreadsheet.read(file, verbs.rows_of)
        told = done(
            "reorder.import",
            "/reorder/terms",
            {"file": file.name, "rows": [verbs.written(row) for row in rows]},
            lambda wiring: verbs.state(wiring.engine, rows, f"file:{file.name}", by=by, now=now()),
            dry_run=dry_run,
        )
    tell(told, f"{told['terms']} terms, {told['levels']} levels set anew", as_json=as_json)
