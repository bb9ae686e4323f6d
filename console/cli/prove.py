"""Claims proved."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import click

from console.cli.common import as_json, house
from console.prove import oversell as proving
from console.prove import verdict
from console.prove.oversell import BEST, NAIVE, OURS, SCENARIOS, STRATEGIES, Size

_STEP_PERCENT = 10
_USUAL = Size()
#: Runs at most: each takes minutes.
_MOST_SEEDS = 100


def _seeds(said: str) -> range:
    """`3` is seeds 1 to 3, `4:10` is seeds 4 to 10."""
    first, colon, last = said.partition(":")
    ends = (first, last) if colon else ("1", first)
    if all(end.isdecimal() for end in ends):
        low, high = int(ends[0]), int(ends[1])
        if 1 <= low <= high < low + _MOST_SEEDS:
            return range(low, high + 1)
    raise click.BadParameter(
        f"{said!r} names no seeds; write how many (3), or the first and the last (4:10), at most {_MOST_SEEDS}"
    )


@click.group()
def prove() -> None:
    """Prove what is claimed, by playing it."""


@prove.command()
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(SCENARIOS),
    help="Which demand; all when absent.",
)
@click.option(
    "--seeds",
    default="3",
    show_default=True,
    callback=lambda context, option, said: _seeds(said),
    help="Runs, each by other dice: so many of them from 1 on, or those from A to B as A:B.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=click.Choice(STRATEGIES),
    help="Which ways of working; all when absent. Without both lockstep and point_to_point nothing is proved.",
)
@click.option(
    "--days",
    default=_USUAL.days,
    show_default=True,
    type=click.IntRange(1, 30),
    help="May 2011.",
)
@click.option(
    "--skus",
    default=_USUAL.skus,
    show_default=True,
    type=click.IntRange(1, 5000),
    help="The most wanted of May 2011; 5000 is all of them.",
)
@click.option(
    "--stock",
    "stock_percent",
    default=_USUAL.stock_percent,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Percent of the stock with which nothing would sell out.",
)
@click.option(
    "--week-skus",
    default=_USUAL.week_skus,
    show_default=True,
    type=click.IntRange(1, 5000),
    help="SKUs of the week.",
)
@click.option(
    "--offers",
    default=_USUAL.offers,
    show_default=True,
    type=click.IntRange(0, 12),
    help="That sell out within minutes on Black Friday.",
)
@click.option(
    "--processes",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="Processes at work.",
)
@as_json
def oversell(
    scenarios: tuple[str, ...],
    seeds: range,
    strategies: tuple[str, ...],
    days: int,
    skus: int,
    stock_percent: int,
    week_skus: int,
    offers: int,
    processes: int,
    as_json: bool,
) -> None:
    """One demand through a weekly sheet, connectors, point-to-point, a hub every 15 minutes, and Lockstep as it runs.

    Goals: 95 % fewer oversold lines than point-to-point, below 0.2 % of those accepted, and 97 % of the units that who
    knows all sells. Exit code 3: goals missed.
    """
    size = Size(days, skus, stock_percent, week_skus, offers)
    demands = [(name, seed) for name in scenarios or SCENARIOS for seed in seeds]
    runs = _runs(demands, strategies or STRATEGIES, size, processes)
    result = verdict.verdict(runs, size)
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        verdict.table(result, click.echo)
        click.echo("goals reached" if result["passed"] else "goals missed")
    if not result["passed"]:
        raise SystemExit(3)


def _runs(
    demands: Sequence[tuple[str, int]], strategies: Sequence[str], size: Size, processes: int
) -> dict[str, dict[int, dict[str, dict[str, Any]]]]:
    """Scenario -> seed -> strategy -> its row; Lockstep in processes of its own, the others meanwhile here."""
    runs: dict[str, dict[int, dict[str, dict[str, Any]]]] = {}
    # Spawned: a fork would share what is connected.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as workers:
        played = {
            demand: workers.submit(_play, *demand, size)
            for demand in (demands if OURS in strategies else ())
        }
        for scenario, seed in demands:
            rows = _naive(scenario, seed, size) if set(NAIVE) & set(strategies) else {}
            kept = {name: row for name, row in rows.items() if name in (*strategies, BEST)}
            runs.setdefault(scenario, {})[seed] = kept
        for (scenario, seed), future in played.items():
            runs[scenario][seed][OURS] = future.result()
    return runs


def _naive(scenario: str, seed: int, size: Size) -> dict[str, dict[str, Any]]:
    return proving.naive(scenario, seed, size, _progress(f"{scenario}, seed {seed}, naive"))


def _play(scenario: str, seed: int, size: Size) -> dict[str, Any]:
    """One run of Lockstep, in a process and a house of its own."""
    with house(throw_away=True) as wiring:
        row = proving.ours(
            wiring.engine,
            wiring.settings,
            scenario,
            seed,
            size,
            _progress(f"{scenario}, seed {seed}, lockstep"),
        )
        click.echo(
            f"{scenario}, seed {seed}, lockstep: {row['oversold_lines']} of {row['accepted_lines']} lines oversold,"
            f" {row['sold_units']} units sold",
            err=True,
        )
        return row | {"database": proving.durability(wiring.engine)}


def _progress(what: str) -> Callable[[int, int], None]:
    """Tells each tenth, from whichever process."""
    told = [0]

    def show(done: int, of: int) -> None:
        percent = 100 * done // max(1, of) // _STEP_PERCENT * _STEP_PERCENT
        if percent > told[0]:
            told[0] = percent
            click.echo(f"{what}: {percent} %", err=True)

    return show
