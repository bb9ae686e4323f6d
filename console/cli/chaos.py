"""Random schedules of the real flows, everything failing that may fail."""

from __future__ import annotations

from pathlib import Path

import click

from console import logs
from console.chaos.plants import PLANTS
from console.cli.common import Failed, as_json, aside, sentences
from console.cli.measured import tell


@click.command()
@click.option(
    "--schedules",
    default=200,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Of the first; the next has the next number."
)
@click.option(
    "--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes at once."
)
@click.option(
    "--plant",
    default="",
    type=click.Choice(["", *PLANTS]),
    help="A mistake that the house makes on purpose: the battery must find it.",
)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Write all that happened in the one schedule of --seed into this file.",
)
@click.option(
    "--plants",
    is_flag=True,
    help="Play every mistake with the seed that shows it; exit code 3 when one is not caught.",
)
@as_json
def chaos(
    schedules: int,
    seed: int,
    jobs: int,
    plant: str,
    trace: Path | None,
    plants: bool,
    as_json: bool,
) -> None:
    """Play schedules of orders, counts, halts, lost calls and dying workers against simulated vendors.

    Everything follows from the seed: --schedules 1 --seed N plays a schedule again. Exit code 3: a promise was broken.
    """
    from console.chaos import run

    # What flows have to say of trouble that is made on purpose would fill the screen.
    logs.configure("CRITICAL")
    if trace is not None and schedules != 1:
        raise Failed("--trace is of one schedule: give --schedules 1 and its --seed", code=2)
    with sentences():
        if plants:
            tell(run.mistakes(jobs=jobs), run.table_of_mistakes, as_json)
            return
        if trace is not None:
            run.replay(seed, plant=plant, trace=trace)
        result = run.measure(
            schedules=schedules,
            seed=seed,
            jobs=min(jobs, schedules),
            plant=plant,
            say=aside,
        )
    tell(result, run.table, as_json)
