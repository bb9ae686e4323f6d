"""`lockstep review`: what a quarter came to, as one page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, aside, by, emit
from console.review import report
from workers.wiring import now

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def review() -> None:
    """What a quarter came to: brittle integrations, halts, shrinkage, debt."""


@review.command()
@click.option(
    "--from", "since", type=_DAY, default=None, help="First day (UTC); 90 days back when absent."
)
@click.option(
    "--to", "until", type=_DAY, default=None, help="First day that is not in it; today when absent."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    default=None,
    help="Write it as one HTML file that needs nothing beside it.",
)
@by
@as_json
def quarter(
    since: datetime | None, until: datetime | None, out: Path | None, by: str, as_json: bool
) -> None:
    """Make the review of a span of days and keep it; the dashboard shows it under Review."""
    last = until.date() if until else now().astimezone(UTC).date()
    first = since.date() if since else report.quarter_of(last)[0]
    with acting("review.quarter") as wiring:
        try:
            found = report.make(wiring.engine, first, last, by=by, now=now, say=aside)
        except report.NoSpan as error:
            raise Failed(str(error)) from None
        if out is not None:
            _write(out, report.page(found, wiring.settings.env))
    if as_json:
        emit(found, as_json=True)
        return
    for sentence in found["sentences"]:
        click.echo(sentence)
    where = f"; written to {out}" if out else ""
    click.echo(f"{first} to {last}, made in {found['took_s']} s{where}", err=True)


def _write(out: Path, html: str) -> None:
    try:
        out.write_text(html)
    except OSError as error:
        raise Failed(f"{out} cannot be written: {error.strerror}") from None
