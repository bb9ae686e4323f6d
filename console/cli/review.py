"""`lockstep review`: what a quarter came to, as one page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, aside, by, emit, reason, tell
from console.cli.elsewhere import asked, done, trying
from console.review import report, suggestions
from console.verbs import suggestions as verbs
from workers.wiring import now

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def review() -> None:
    """What a quarter came to: brittle integrations, halts, shrinkage, debt, and what was suggested and left."""


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
    if out is not None and not out.parent.is_dir():
        raise Failed(f"{out} cannot be written: there is no folder {out.parent}")
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


@review.command("suggestions")
@click.option("--kind", type=click.Choice(list(suggestions.KINDS)), help="Only these.")
@click.option("--all", "every", is_flag=True, help="What was dismissed, too.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def listed(kind: str | None, every: bool, limit: int, as_json: bool) -> None:
    """What the house suggests and nobody followed or dismissed, oldest first, with its age in days."""
    rows = asked(
        "/suggestions",
        lambda _, book: suggestions.standing(book, now(), kind=kind, every=every, most=limit),
        kind=kind,
        every=every,
        limit=limit,
    )
    more = ("dismissed_by", "reason") if every else ()
    emit(
        rows,
        as_json=as_json,
        table=("kind", "object", "since", "age_days", "detail", "next", *more),
    )


@review.command("dismiss")
@click.argument("kind", type=click.Choice(list(suggestions.KINDS)))
@click.argument("name", metavar="OBJECT")
@reason
@trying
@by
@as_json
def dismiss(kind: str, name: str, reason: str, dry_run: bool, by: str, as_json: bool) -> None:
    """Say that a suggestion is not wanted, named as `review suggestions` names it.

    It holds until the suggestion has gone; when it comes anew it is listed anew.
    """
    told = done(
        "review.dismiss",
        "/suggestions/dismiss",
        {"kind": kind, "name": name, "reason": reason},
        lambda wiring: verbs.dismiss(wiring.engine, kind, name, reason=reason, by=by, now=now()),
        dry_run=dry_run,
    )
    tell(told, f"{kind} of {name} is dismissed", as_json=as_json)


def _write(out: Path, html: str) -> None:
    try:
        out.write_text(html)
    except OSError as error:
        raise Failed(f"{out} cannot be written: {error.strerror}") from None
