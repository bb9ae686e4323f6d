"""`lockstep forecast show` and `lockstep reorder list`: what will be wanted, and what to order now."""

from __future__ import annotations

from typing import Any

import click

from console.cli import spreadsheet
from console.cli.common import as_json, emit
from console.cli.count_reports import as_csv
from console.cli.elsewhere import asked, quoted
from console.views import planning as views
from workers.wiring import now

_SHOWN = (
    "location", "days", "units", "p50", "p90", "p95", "per_day", "kind", "model", "folds", "weeks",
    "masked_weeks",
)  # fmt: skip


@click.group()
def forecast() -> None:
    """What will be wanted: show."""


@forecast.command()
@click.argument("sku")
@click.option("--days", default=28, show_default=True, type=click.IntRange(1, 366), help="Ahead.")
@click.option("--location", default=None, help="Only this location.")
@as_json
def show(sku: str, days: int, location: str | None, as_json: bool) -> None:
    """Units of SKU that will be wanted, by location: mean, and what is enough in 50, 90 and 95 of 100 times.

    From two years of whole days. Days on which nothing was shown, halted hours, cancelled orders and one-off bulk lines
    say nothing; `--json` names those lines, and has the table by which the model was chosen.
    """
    said: dict[str, Any] = {"days": days, "location": location}
    rows = asked(
        f"/skus/{quoted(sku)}/forecast",
        lambda _, book: views.forecast(book, sku, days, location, now()),
        **said,
    )
    emit(rows, as_json=as_json, table=_SHOWN)


@click.group()
def reorder() -> None:
    """What to order: list."""


@reorder.command("list")
@click.option(
    "--service",
    default=95.0,
    show_default=True,
    type=click.FloatRange(50, 99.99),
    help="Percent of replenishment cycles that must not run out.",
)
@click.option(
    "--lead-days",
    default=14.0,
    show_default=True,
    type=click.FloatRange(0, 730),
    help="Lead time where fewer than 3 receipts are known.",
)
@click.option(
    "--lead-sd-days",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 365),
    help="Its standard deviation.",
)
@click.option(
    "--review-days",
    default=7.0,
    show_default=True,
    type=click.FloatRange(1, 365),
    help="Days between two looks at the list.",
)
@click.option(
    "--pack", default=1, show_default=True, type=click.IntRange(1, 1_000_000), help="Whole packs."
)
@click.option(
    "--minimum", default=0, show_default=True, type=click.IntRange(0, 1_000_000), help="A line."
)
@click.option("--all", "every", is_flag=True, help="Also where nothing is to be ordered.")
@as_csv
@as_json
def list_(every: bool, as_csv: bool, as_json: bool, **said: Any) -> None:
    """What to order now, by SKU and location, the soonest to run out first, with reasons.

    Of every SKU whose last reconciliation was in sync; the others are named on stderr (in JSON: `held_back`) with why.
    """
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")
    found = asked(
        "/reorder",
        lambda wiring, _: views.reorder(wiring.engine, views.terms(**said), now(), every=every),
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
    for each in found["held_back"]:
        click.echo(f"held back {each['sku']}: {each['why']}", err=True)
