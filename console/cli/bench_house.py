"""Measurements of a whole house: how long until another shop shows it, and how it grows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import logs
from console.cli.common import as_json, aside, durable, house, sentences
from console.cli.measured import tell
from console.local.stack import forget
from workers.settings import Settings, settings

if TYPE_CHECKING:
    from console.bench.sync import Phase


@click.command()
@click.option(
    "--phase",
    "phases",
    multiple=True,
    metavar="RATE:SECONDS",
    help="Webhooks a second, for so long; one a second is idle. Repeat it; all of the four when absent.",
)
@click.option(
    "--skus", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many."
)
@click.option("--seed", default=0, show_default=True, help="Moments follow from it.")
@durable
@as_json
def sync(phases: tuple[str, ...], skus: int, seed: int, durable: bool, as_json: bool) -> None:
    """From a webhook at the relay until another shop shows it: idle, 20/s, 200/s, 1000/s. Exit code 3: goals missed."""
    from console.bench import sync as measuring

    chosen = [_phase(said) for said in phases] or measuring.PHASES
    logs.configure("WARNING")
    home = Path(tempfile.mkdtemp(prefix="lockstep-bench-")).resolve()
    home.chmod(0o711)
    try:
        with sentences():
            result = measuring.measure(
                settings(),
                home,
                phases=chosen,
                skus=skus,
                seed=seed,
                durable=durable,
                say=aside,
            )
    finally:
        forget(home)
    tell(result, measuring.table, as_json)


@click.command()
@click.option(
    "--skus",
    "sizes",
    multiple=True,
    type=click.IntRange(100, 2_000_000),
    help="Catalogues to compute; 10,000 and 40,000 when absent.",
)
@click.option(
    "--events",
    default=200_000,
    show_default=True,
    type=click.IntRange(1000, 20_000_000),
    help="How many.",
)
@click.option(
    "--processes",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="Processes at work.",
)
@durable
@as_json
def scale(
    sizes: tuple[int, ...], events: int, processes: int, durable: bool, as_json: bool
) -> None:
    """Catalogues and books of several sizes: time, memory, indexes, room. Exit code 3: goals missed."""
    from console.bench import scale as measuring

    @contextmanager
    def fresh() -> Iterator[Settings]:
        with house(throw_away=True, durable=durable) as wiring:
            yield wiring.settings

    result = measuring.measure(
        fresh,
        skus=sorted(sizes or (10_000, 40_000)),
        events=events,
        processes=processes,
        say=aside,
    )
    tell(result, measuring.table, as_json)


@click.command()
@click.option(
    "--events",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1000, 20_000_000),
    help="How many.",
)
@click.option(
    "--skus",
    default=100_000,
    show_default=True,
    type=click.IntRange(1000, 1_000_000),
    help="How many.",
)
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    type=click.Choice(["csv", "parquet"]),
    help="Of the files.",
)
@durable
@as_json
def export(events: int, skus: int, form: str, durable: bool, as_json: bool) -> None:
    """A book as files: a million events, flat memory, equal sums. Exit code 3: goals missed."""
    from console.bench import export as measuring
    from workers.feed.sheets import Form

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(
            wiring.settings,
            skus=skus,
            events=events,
            form={"csv": Form.CSV, "parquet": Form.PARQUET}[form],
            say=aside,
        )
    tell(result, measuring.table, as_json)


@click.command()
@click.option(
    "--events",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1000, 20_000_000),
    help="How many, and as many pushes.",
)
@click.option(
    "--skus",
    default=100_000,
    show_default=True,
    type=click.IntRange(1000, 1_000_000),
    help="How many.",
)
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(7, 366), help="Of the review."
)
@durable
@as_json
def review(events: int, skus: int, days: int, durable: bool, as_json: bool) -> None:
    """Make the review of a full quarter: under a minute, as one page. Exit code 3: goals missed."""
    from console.bench import review as measuring

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(wiring.settings, skus=skus, events=events, days=days, say=aside)
    tell(result, measuring.table, as_json)


def _phase(said: str) -> Phase:
    from console.bench import sync as measuring

    rate, _, seconds = said.partition(":")
    try:
        per_s, for_s = float(rate), float(seconds)
    except ValueError:
        per_s = for_s = 0.0
    if not (0 < per_s <= 5000 and 0 < for_s <= 3600):
        raise click.BadParameter(
            f"{said!r}: write RATE:SECONDS, as in 200:20", param_hint="--phase"
        )
    return measuring.Phase("idle" if per_s <= 1 else f"{per_s:g}/s", per_s, for_s)
