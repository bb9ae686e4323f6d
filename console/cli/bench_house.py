"""Measurements of a whole house: how long until another shop shows it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import logs
from console.cli.common import as_json, durable, sentences
from console.cli.measured import tell
from console.local.stack import forget
from workers.settings import settings

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
@click.option("--skus", default=50, show_default=True, type=click.IntRange(1, 10_000))
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
                say=lambda words: click.echo(words, err=True),
            )
    finally:
        forget(home)
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
