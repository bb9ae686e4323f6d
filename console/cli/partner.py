"""Programs of wholesale partners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from allocation import program_store
from allocation.programs import Ends, Policy, Program
from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.views.programs import burn_row
from ledger.db import transaction
from workers.flows import program_watch, programs
from workers.flows.booking import NotBooked
from workers.flows.programs import Agreement, Asked
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


@contextmanager
def _guarded() -> Iterator[None]:
    """What a guard refuses is a sentence and exit code 5."""
    try:
        yield
    except (programs.Refused, NotBooked) as error:
        raise Failed(str(error), code=5) from None


@click.group()
def partner() -> None:
    """Programs: units held for a partner in a window."""


@partner.command()
@click.argument("partner")
@click.option("--sku", "skus", required=True, multiple=True, help="More than one: each as much.")
@click.option("--location", required=True)
@click.option("--units", type=click.IntRange(1), default=None)
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
@click.option("--policy", type=click.Choice([each.value for each in Policy]), default="cap")
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
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make a program: reserve units for a partner. 5: refused, such as when not as much is available."""
    at_most = tuple(_step(each) for each in steps)
    receipt = _receipt(of)
    asked = [
        Asked(sku, location, units, _percent(percent), receipt, partial, at_most) for sku in skus
    ]
    moment = now()
    agreement = Agreement(
        name=name,
        partner=partner,
        policy=Policy(policy),
        since=_utc(since, moment) if since else moment,
        until=_utc(until, moment),
        by=by,
        why=reason,
        ends=Ends(ends),
    )
    with acting("partner.reserve") as wiring, _guarded():
        made = programs.reserve(wiring.house, agreement, asked, now=moment)
    if as_json:
        emit(made, as_json=True)
        return
    for line in made.lines:
        note = f" ({line.note})" if line.note else ""
        click.echo(f"{line.agreed} of {line.sku} at {line.location} are reserved{note}")


@partner.command()
@click.argument("program")
@click.option(
    "--units", type=click.IntRange(1), default=None, help="All, and for good, if left out."
)
@by
@reason
@as_json
def release(program: str, units: int | None, by: str, reason: str, as_json: bool) -> None:
    """Let go of what a program holds."""
    with acting("partner.release") as wiring, _guarded():
        freed = programs.release(wiring.house, program, units=units, by=by, why=reason, now=now())
    total = sum(freed.units.values())
    if as_json:
        emit({"program": program, "units": total, "ended": freed.ended}, as_json=True)
        return
    click.echo(f"{total} units of {program} are free{'; it has ended' if freed.ended else ''}")


@partner.command("list")
@click.option("--partner", default=None, help="Only this channel's.")
@click.option("--alarm", is_flag=True, help="Only those that are used up too fast.")
@click.option("--all", "also_ended", is_flag=True, help="Ended ones too.")
@as_json
def list_(partner: str | None, alarm: bool, also_ended: bool, as_json: bool) -> None:
    """Programs and how they are used up. 3: an alarm is on."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = program_store.programs(connection, partner=partner, also_ended=also_ended)
        burns = program_watch.burns(connection, found, now())
    shown = [each for each in burns if each.alarm or not alarm]
    emit([burn_row(each) for each in shown], as_json=as_json, table=_COLUMNS)
    if any(each.alarm for each in shown):
        raise SystemExit(3)


@partner.command()
@click.argument("program")
@as_json
def show(program: str, as_json: bool) -> None:
    """What was agreed, by whom and why."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = _program(connection, program)
    if as_json:
        emit(found, as_json=True)
        return
    ended = f"ended {found.ended_at:%Y-%m-%d %H:%M}" if found.ended_at else "open"
    click.echo(
        f"{found.name} for {found.partner}: {ended}, {found.policy}, from {found.since:%Y-%m-%d %H:%M}"
        f" until {found.until:%Y-%m-%d %H:%M}, ends by {found.ends}"
    )
    click.echo(f"made by {found.made_by} {found.made_at:%Y-%m-%d %H:%M}: {found.why}")
    emit(
        [{**_line(each), "left": each.left} for each in found.lines],
        as_json=False,
    )


@partner.command()
@click.argument("program")
@as_json
def burn(program: str, as_json: bool) -> None:
    """How a program is used up, and what that does to the other channels. 3: an alarm is on."""
    with house() as wiring, transaction(wiring.engine) as connection:
        burns = program_watch.burns(connection, [_program(connection, program)], now())
    if as_json:
        emit([burn_row(each) for each in burns], as_json=True)
    else:
        for each in burns:
            for name, value in burn_row(each).items():
                click.echo(f"{name:<18} {'-' if value is None else value}")
            click.echo()
    if any(each.alarm for each in burns):
        raise SystemExit(3)


def _program(connection: Any, name: str) -> Program:
    found = program_store.programs(connection, name=name, also_ended=True)
    if not found:
        raise Failed(f"there is no program {name!r}: see lockstep partner list --all")
    return found[0]


def _line(line: Any) -> dict[str, object]:
    names = ("sku", "location", "agreed", "used", "released", "note")
    return {name: getattr(line, name) for name in names}


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
        at = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=now().tzinfo)
        return at, int(percent.removesuffix("%"))
    except ValueError:
        raise click.UsageError(
            f"--step {said!r}: write DATE=PERCENT, such as 2026-05-01=50"
        ) from None


def _utc(moment: datetime, like: datetime) -> datetime:
    return moment.replace(tzinfo=like.tzinfo)
