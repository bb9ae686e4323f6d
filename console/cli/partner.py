"""Programs of wholesale partners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import click

from allocation.programs import Ends, Policy
from console.cli.common import as_json, by, emit, house, reason
from console.cli.elsewhere import as_told, asked, done, elsewhere, quoted, trying
from console.verbs import programs as verbs
from console.verbs.programs import Wish
from console.views import programs as views
from ledger.db import transaction
from workers.wiring import now

_WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_COLUMNS = (
    "program",
    "partner",
    "sku",
    "location",
    "policy",
    "since",
    "until",
    "agreed",
    "used",
    "shipped",
    "left",
    "days",
    "projected",
    "alarm",
)


@click.group()
def partner() -> None:
    """Programs: units held for a partner in a window."""


@partner.command()
@click.argument("partner")
@click.option("--sku", "skus", required=True, multiple=True, help="More than one: each as much.")
@click.option("--location", required=True, help="Where they are held.")
@click.option("--units", type=click.IntRange(1), default=None, help="Of each SKU.")
@click.option("--percent", default=None, help="Turned into units once, now.")
@click.option(
    "--of",
    "of",
    default="available",
    show_default=True,
    help="What the percent is of: available, or receipt:REF (its id or its document).",
)
@click.option("--from", "since", type=_WHEN, default=None, help="UTC; now if left out.")
@click.option("--until", type=_WHEN, required=True, help="Before this moment, UTC.")
@click.option(
    "--policy",
    type=click.Choice([each.value for each in Policy]),
    default="cap",
    show_default=True,
    help="What the partner may order beyond it.",
)
@click.option(
    "--ends",
    type=click.Choice([each.value for each in Ends]),
    default="itself",
    show_default=True,
    help="Whether what is left is free by itself when the window is over, or by hand.",
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    help="DATE=PERCENT of the agreed units that may stay from then on.",
)
@click.option("--partial", is_flag=True, help="Take what is there when that is less.")
@click.option("--name", required=True, help="The program's own, never used twice.")
@trying
@by
@reason
@as_json
def reserve(
    partner: str,
    skus: Sequence[str],
    location: str,
    units: int | None,
    percent: str | None,
    of: str,
    since: datetime | None,
    until: datetime,
    policy: str,
    ends: str,
    steps: Sequence[str],
    partial: bool,
    name: str,
    dry_run: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make a program: reserve units for a partner. 5: refused, such as when not as much is available."""
    moment = now()
    wish = Wish(
        partner=partner,
        skus=tuple(skus),
        location=location,
        units=units,
        percent=_percent(percent),
        receipt=_receipt(of),
        since=_utc(since) if since else moment,
        until=_utc(until),
        policy=Policy(policy),
        ends=Ends(ends),
        steps=tuple(_step(each) for each in steps),
        partial=partial,
        name=name,
    )
    made = done(
        "partner.reserve",
        "/programs",
        asdict(wish) | {"reason": reason},
        lambda wiring: verbs.reserve(wiring.house, wish, by=by, reason=reason, now=moment),
        dry_run=dry_run,
    )
    if as_json:
        emit(made, as_json=True)
        return
    for line in made["lines"]:
        note = f" ({line['note']})" if line["note"] else ""
        click.echo(f"{line['agreed']} of {line['sku']} at {line['location']} are reserved{note}")


@partner.command()
@click.argument("program")
@click.option(
    "--units", type=click.IntRange(1), default=None, help="All, and for good, if left out."
)
@trying
@by
@reason
@as_json
def release(
    program: str, units: int | None, dry_run: bool, by: str, reason: str, as_json: bool
) -> None:
    """Let go of what a program holds."""
    told = done(
        "partner.release",
        f"/programs/{quoted(program)}/release",
        {"units": units, "reason": reason},
        lambda wiring: verbs.release(wiring.house, program, units, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    if as_json:
        emit(told, as_json=True)
        return
    ended = "; it has ended" if told["ended"] else ""
    click.echo(f"{told['units']} units of {program} are free{ended}")


@partner.command("list")
@click.option("--partner", default=None, help="Only this channel's.")
@click.option("--alarm", is_flag=True, help="Only those that are used up too fast.")
@click.option("--all", "also_ended", is_flag=True, help="Ended ones too.")
@as_json
def list_(partner: str | None, alarm: bool, also_ended: bool, as_json: bool) -> None:
    """Programs and how they are used up. 3: an alarm is on."""
    if there := elsewhere():
        burns = there.rows("/programs", partner=partner, all=also_ended)
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            burns = as_told(views.burning(connection, partner, now(), also_ended=also_ended))
    shown = [each for each in burns if each["alarm"] or not alarm]
    emit(shown, as_json=as_json, table=_COLUMNS)
    if any(each["alarm"] for each in shown):
        raise SystemExit(3)


@partner.command()
@click.argument("program")
@as_json
def show(program: str, as_json: bool) -> None:
    """What was agreed, by whom and why."""
    found = asked(f"/programs/{quoted(program)}", lambda _, book: views.in_full(book, program))
    if as_json:
        emit(found, as_json=True)
        return
    ended = f"ended {found['ended_at']:%Y-%m-%d %H:%M}" if found["ended_at"] else "open"
    click.echo(
        f"{found['name']} for {found['partner']}: {ended}, {found['policy']}, from {found['since']:%Y-%m-%d %H:%M}"
        f" until {found['until']:%Y-%m-%d %H:%M}, ends by {found['ends']}"
    )
    click.echo(f"made by {found['made_by']} {found['made_at']:%Y-%m-%d %H:%M}: {found['why']}")
    table = ("sku", "location", "agreed", "used", "released", "note", "left")
    emit(found["lines"], as_json=False, table=table)


@partner.command()
@click.argument("program")
@as_json
def burn(program: str, as_json: bool) -> None:
    """How a program is used up, and what that does to the other channels. 3: an alarm is on."""
    path = f"/programs/{quoted(program)}/burn"
    burns = asked(path, lambda _, book: views.burn(book, program, now()))
    if as_json:
        emit(burns, as_json=True)
    else:
        for each in burns:
            for name, value in each.items():
                click.echo(f"{name:<18} {'-' if value is None else value}")
            click.echo()
    if any(each["alarm"] for each in burns):
        raise SystemExit(3)


def _percent(said: str | None) -> Decimal | None:
    if said is None:
        return None
    try:
        return Decimal(said.removesuffix("%"))
    except InvalidOperation:
        raise click.UsageError(f"--percent {said!r} is no number") from None


def _receipt(of: str) -> str | None:
    if of == "available":
        return None
    kind, _, named = of.partition(":")
    if kind != "receipt" or not named:
        raise click.UsageError("--of is `available` or `receipt:REF`")
    return named


def _step(said: str) -> tuple[datetime, int]:
    day, _, percent = said.partition("=")
    try:
        at = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        return at, int(percent.removesuffix("%"))
    except ValueError:
        raise click.UsageError(
            f"--step {said!r}: write DATE=PERCENT, such as 2026-05-01=50"
        ) from None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
