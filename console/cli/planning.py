"""`lockstep forecast run`, `forecast status`, `forecast show`, `forecast backtest`: what will be wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from allocation.planning.mixing import MIX
from allocation.planning.rehearsal import Rehearsed, rehearse
from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, aside, emit, house
from console.cli.elsewhere import asked, quoted
from console.cli.measured import tell
from console.views import planning as views
from workers.wiring import now

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHOWN = (
    "location", "days", "units", "p50", "p90", "p95", "per_day", "kind", "model", "folds", "weeks",
    "masked_weeks",
)  # fmt: skip
#: Tenths of a run are told.
_STEP_PERCENT: Final = 5


@click.group()
def forecast() -> None:
    """What will be wanted: run, status, show, backtest."""


@forecast.command()
@as_json
@said_by
def run(as_json: bool) -> None:
    """Forecast every SKU and location, and set when to order; how it goes on is told on stderr.

    A run that was ended goes on where it was. Its forecasts hold when it is done: `reorder list` reads them.
    """
    from allocation.planning.forecast_store import AtWork
    from workers.flows import forecasting

    with acting("forecast.run") as wiring:
        try:
            done = forecasting.run(wiring.engine, now, progress=_told())
        except AtWork as error:
            raise Failed(str(error), code=5) from None
    found = asdict(done)
    if as_json:
        emit(found, as_json=True)
    else:
        click.echo(f"run {done.run}: {done.places} places of {done.of_skus} SKUs")


def _told() -> Callable[[Any], None]:
    last: list[tuple[str, int]] = [("", 0)]

    def show(ran: Any) -> None:
        percent = 100 * ran.skus // max(1, ran.of_skus) // _STEP_PERCENT * _STEP_PERCENT
        if (ran.stage, percent) != last[0] and not ran.done:
            last[0] = (ran.stage, percent)
            aside(f"run {ran.run}, {ran.stage}: {percent} %, {ran.places} places")

    return show


@forecast.command()
@as_json
def status(as_json: bool) -> None:
    """How far the run is that is not done, and which run holds."""
    found = asked("/forecast/run", lambda _, book: views.status(book))
    if as_json:
        emit(found, as_json=True)
        return
    for name, each in found.items():
        if each is not None:
            click.echo(
                f"{name}: run {each['id']} until {each['until_day']}, {each['stage']},"
                f" {each['skus']} of {each['of_skus']} SKUs, {each['places']} places"
            )
    if not any(found.values()):
        click.echo("no forecast was run yet: run `lockstep forecast run`", err=True)


@forecast.command()
@click.argument("sku")
@click.option("--days", default=28, show_default=True, type=click.IntRange(1, 366), help="Ahead.")
@click.option("--location", default=None, help="Only this location.")
@as_json
def show(sku: str, days: int, location: str | None, as_json: bool) -> None:
    """Units of SKU that will be wanted, by location: mean, and what is enough in 50, 90 and 95 of 100 times.

    From two years of whole days. Days on which nothing was shown, halted hours, cancelled orders and one-off bulk lines
    say nothing; `--json` names those lines, and has the weights of the mix and how every model did.
    """
    said: dict[str, Any] = {"days": days, "location": location}
    rows = asked(
        f"/skus/{quoted(sku)}/forecast",
        lambda _, book: views.forecast(book, sku, days, location, now()),
        **said,
    )
    emit(rows, as_json=as_json, table=_SHOWN)


@forecast.command()
@click.option(
    "--file",
    "files",
    multiple=True,
    type=_FILE,
    help="Past sales (CSV, gzipped or not), more than one to be read as one; left out: this house's last run.",
)
@click.option(
    "--horizon", default=4, show_default=True, type=click.IntRange(1, 26), help="Periods ahead."
)
@click.option(
    "--moments",
    default=4,
    show_default=True,
    type=click.IntRange(1, 26),
    help="Moments of the past, a horizon apart, to forecast from.",
)
@click.option(
    "--period",
    type=click.Choice(["day", "week", "month"]),
    default=None,
    help="How long a period of --file is; left out: as its columns say, of lines a week. Days add up to weeks.",
)
@click.option(
    "--with",
    "library",
    type=click.Choice(["statsforecast"]),
    default=None,
    help="Tell models of this library, too; it must be installed, and takes some 10 ms a series and moment.",
)
@as_json
def backtest(
    files: tuple[Path, ...],
    horizon: int,
    moments: int,
    period: str | None,
    library: str | None,
    as_json: bool,
) -> None:
    """Forecast moments of the past, each knowing no more than was known, and hold it against what came.

    The mix beside every single model; and of replenishment cycles of HORIZON that begin at the reorder point, the part
    in which it was enough. Exit code 3: goals missed.
    """
    from allocation.planning.library import NotInstalled, statsforecast
    from workers.flows import forecasting, past_sales
    from workers.flows.history import UnusableFile

    length = past_sales.Period(period) if period else past_sales.Period.WEEK
    if not files and length is not past_sales.Period.WEEK:
        raise click.UsageError("a run reads weeks: give --file with --period")
    try:
        beside = statsforecast() if library else None
        if files:
            read = past_sales.read(files, length if period else None)
            series, length = read.series, read.period
        else:
            with house() as wiring:
                series = forecasting.pasts(wiring.engine)
    except (UnusableFile, NotInstalled) as error:
        raise Failed(str(error)) from None
    if not series:
        raise Failed("there is no past to try: give --file, or run `lockstep forecast run` before")
    found = rehearse(
        series,
        horizon,
        moments=moments,
        beside=beside,
        progress=lambda done, of: aside(f"moment {done} of {of}"),
    )
    tell({"period": length.value, **_as_told(found)}, _table, as_json)


def _as_told(found: Rehearsed) -> dict[str, Any]:
    goals = found.goals()
    return {
        "horizon": found.horizon,
        "series": found.series,
        "moments": found.moments,
        "forecasts": found.forecasts,
        "scores": {
            name: {
                "rmsse": round(score.rmsse, 4),
                "bias": round(score.bias, 4),
                "sum_error": round(score.sum_error, 4),
                "units_off": round(found.units_off.get(name, 0.0), 4),
            }
            for name, score in found.scores.items()
        },
        "beside": {
            measure: {
                "model": name,
                "above": round(found.above(name, measure), 4),
                "by_chance": round(found.doubt[name][measure], 4),
            }
            for measure, name in found.best_single.items()
        },
        "cycles": [_cycle(each) for each in found.cycles],
        "by_kind": {kind: [_cycle(each) for each in rows] for kind, rows in found.by_kind.items()},
        "goals": goals,
        "passed": all(goals.values()),
    }


def _cycle(each: Any) -> dict[str, Any]:
    return {
        "target": each.target,
        "reached": round(each.reached, 4),
        "mean_reorder_point": round(each.units, 1),
        "cycles": each.count,
    }


def _table(found: dict[str, Any], say: Callable[[str], None]) -> None:
    say(
        f"{found['series']} series, {found['forecasts']} forecasts of {found['horizon']} {found['period']}s from"
        f" {found['moments']} moments"
    )
    say(f"{'':<18}{'RMSSE':>8}{'bias':>9}{'sum error':>11}{'units off':>11}")
    ranked = sorted(found["scores"].items(), key=lambda each: (each[0] != MIX, each[1]["rmsse"]))
    for name, score in ranked:
        say(
            f"{name:<18}{score['rmsse']:>8.4f}{score['bias']:>+9.4f}{score['sum_error']:>11.4f}"
            f"{score['units_off']:>+11.1%}"
        )
    for measure, each in found["beside"].items():
        say(
            f"{measure}: mix less {each['model']} {each['above']:+.4f}; by chance up to"
            f" {each['by_chance']:.4f} (two standard errors)"
        )
    for name, rows in {"all": found["cycles"], **found["by_kind"]}.items():
        for each in rows:
            say(
                f"{name:<14} service {each['target']:.0%}: reached {each['reached']:.1%},"
                f" reorder point {each['mean_reorder_point']:.0f} on average"
            )
    for goal, reached in found["goals"].items():
        say(f"{'yes' if reached else 'NO ':<4}{goal}")
