"""Halts: one SKU on one channel, or everything of a scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason, tell
from console.cli.elsewhere import Elsewhere, done, elsewhere, listed, trying
from console.verbs import halts as verbs
from console.views.halts import HALTS, of_scope
from ledger.db import transaction
from reconcile import halt_scopes as scopes
from reconcile.halt_scopes import Scope
from workers.wiring import now

_SPAN = re.compile(r"^([1-9]\d{0,4})(m|h|d)$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@click.group()
def halt() -> None:
    """Stop and resume sales: of a SKU, a location, a channel, or everything."""


@halt.command("list")
@click.option("--channel", default=None, help="Only this channel.")
@click.option("--all", "unfolded", is_flag=True, help="Also each halt that a scope holds.")
@as_json
def list_(channel: str | None, unfolded: bool, as_json: bool) -> None:
    """Halts that are not lifted, oldest first; those of a scope folded into one line.

    JSON: [{scope, channel, sku, state, set_at, set_by, reason, until_at, error, ...}]; of a scope also scope_id, and
    setting, set, lifting: its SKUs by state.
    """
    rows = _scopes(channel) + listed(
        HALTS, "/halts", {"channel": channel, "sku": None, "each": unfolded}
    )
    table = ("scope", "channel", "sku", "state", "set_at", "set_by", "reason", "until_at", "error")
    emit(rows, as_json=as_json, table=table)


def _scopes(channel: str | None) -> list[dict[str, Any]]:
    if there := elsewhere():
        return there.rows("/halts/scopes", channel=channel)
    with house() as wiring, transaction(wiring.engine) as connection:
        return [of_scope(found) for found in scopes.open_scopes(connection, channel)]


def _scoped(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--everything", is_flag=True, help="Everything on every channel."),
        click.option("--all", "all_", is_flag=True, help="Every SKU of the channel."),
        click.option("--location", default=None, help="Every SKU sold from this location."),
        click.option("--channel", default=None, help="On this channel; without it on all."),
        click.argument("sku", required=False),
    ):
        command = option(command)
    return command


@halt.command("set")
@_scoped
@click.option("--for", "span", default=None, help="Lift it by itself after 30m, 4h, 2d.")
@click.option("--dry-run", is_flag=True, help="Say what it would halt, and halt nothing.")
@click.option("--yes", is_flag=True, help="Do not ask, however much it is.")
@as_json
@by
@reason
def set_(
    sku: str | None,
    channel: str | None,
    location: str | None,
    all_: bool,
    everything: bool,
    span: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    by: str,
    reason: str,
) -> None:
    """Take a SKU (or a location, a channel, everything) off sale; workers do it within seconds and read it back."""
    scope = _scope(sku, channel, location, all_=all_, everything=everything)
    at = now()
    until_at = _until(span, at)
    if there := elsewhere():
        if dry_run:
            _say_what(scope, there.read("/halts/preview", **_body(scope)), as_json=as_json)
            return
        for_s = round((until_at - at).total_seconds()) if until_at else None
        _told(scope, _afar(there, scope, reason, for_s, yes=yes), as_json=as_json)
        return
    with acting("halt.set", dry_run=dry_run) as wiring:
        if not dry_run and verbs.is_one(scope):
            told = verbs.put(
                wiring.engine, scope, reason=reason, by=by, now=at, until_at=until_at, sure=True
            )
            _told(scope, told, as_json=as_json)
            return
        would = verbs.would_halt(wiring.engine, scope)
        if dry_run:
            _say_what(scope, verbs.rows_of(would), as_json=as_json)
            return
        skus = sum(found for found, _ in would.values())
        if not yes and skus >= verbs.MANY:
            _confirmed(scope, skus, len(would))
        told = verbs.put(
            wiring.engine, scope, reason=reason, by=by, now=at, until_at=until_at, sure=True
        )
    _told(scope, told, as_json=as_json)


def _afar(
    there: Elsewhere, scope: Scope, reason: str, for_s: int | None, *, yes: bool
) -> dict[str, Any]:
    """Halt over the API, and ask before as is asked here."""
    if not yes and not verbs.is_one(scope):
        rows = there.read("/halts/preview", **_body(scope))
        skus = sum(row["skus"] for row in rows)
        if skus >= verbs.MANY:
            _confirmed(scope, skus, len(rows))
    told: dict[str, Any] = there.do("/halts", reason=reason, for_s=for_s, sure=True, **_body(scope))
    return told


def _told(scope: Scope, told: dict[str, Any], *, as_json: bool) -> None:
    if verbs.is_one(scope):
        being = "is being set" if told["fresh"] else "stood already"
        tell(told, f"halt {told['halt_id']} {being}", as_json=as_json)
        return
    being = f"{told['skus']} SKUs on {told['channels']} channels are being halted"
    words = f"{scope}: {being if told['fresh'] else 'is halted already'}"
    facts = {name: value for name, value in told.items() if name != "channels"}
    tell(facts, words, as_json=as_json)


@halt.command()
@_scoped
@trying
@as_json
@by
@reason
def lift(
    sku: str | None,
    channel: str | None,
    location: str | None,
    all_: bool,
    everything: bool,
    dry_run: bool,
    as_json: bool,
    by: str,
    reason: str,
) -> None:
    """Put back on sale, exactly as it was, what was halted with the same words."""
    scope = _scope(sku, channel, location, all_=all_, everything=everything)
    told = done(
        "halt.lift",
        "/halts/lift",
        {"reason": reason, **_body(scope)},
        lambda wiring: verbs.lift(wiring.engine, scope, reason=reason, by=by, now=now()),
        dry_run=dry_run,
    )
    if verbs.is_one(scope):
        being = "is being lifted" if told["fresh"] else "is being lifted already"
        words = f"halt {told['halt_id']} {being}"
    else:
        words = f"{scope} is being lifted; what is halted for another reason stays halted"
    tell(told, words, as_json=as_json)


def _scope(
    sku: str | None, channel: str | None, location: str | None, *, all_: bool, everything: bool
) -> Scope:
    """What the words of a command name.

    raises    UsageError when they name nothing, or two things
    """
    named = [bool(sku), location is not None, all_, everything]
    if sum(named) != 1:
        raise click.UsageError(
            "name one of: SKU, SKU --channel C, --location L, --channel C --all, --everything"
        )
    if all_ and channel is None:
        raise click.UsageError("--all is every SKU of a channel: add --channel C")
    if everything and channel is not None:
        raise click.UsageError(f"everything on {channel} is: --channel {channel} --all")
    return Scope(channel, location, sku)


def _body(scope: Scope) -> dict[str, Any]:
    """A scope as the API is told of it."""
    whole = not scope.sku and not scope.location
    return {
        "sku": scope.sku,
        "channel": scope.channel,
        "location": scope.location,
        "all": whole and scope.channel is not None,
        "everything": whole and scope.channel is None,
    }


def _until(span: str | None, at: datetime) -> datetime | None:
    if span is None:
        return None
    found = _SPAN.match(span)
    if found is None:
        raise click.UsageError(f"--for {span}: write 30m, 4h or 2d")
    return at + timedelta(**{_UNITS[found[2]]: int(found[1])})


def _say_what(scope: Scope, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if not as_json:
        skus, halted = (sum(row[name] for row in rows) for name in ("skus", "halted_already"))
        click.echo(f"{scope}: {skus} SKUs, {halted} of them halted already; nothing was changed")
    emit(rows, as_json=as_json, table=("channel", "skus", "halted_already"))


def _confirmed(scope: Scope, skus: int, channels: int) -> None:
    """Ask for the scope's own name; a slip of the finger does not close a shop."""
    wanted = scope.channel or scope.location or scope.sku or "everything"
    click.echo(f"{scope}: {skus} SKUs on {channels} channels go off sale.", err=True)
    said = click.prompt(f"Type {wanted} to go on", default="", show_default=False, err=True)
    if said.strip() != wanted:
        raise Failed("nothing was halted: say --yes, or type the name", code=5)
