"""Halts: one SKU on one channel, or everything of a scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from console.cli.common import Failed, as_json, by, emit, house, reason
from ledger.db import transaction
from reconcile import halt_scopes as scopes
from reconcile import halt_store
from reconcile.halt_scopes import Scope
from workers.flows import halt_scopes, halts
from workers.wiring import Wiring, now

#: From so many SKUs on a halt is asked for once more.
_MANY = 25
_SPAN = re.compile(r"^([1-9]\d{0,4})(m|h|d)$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@click.group()
def halt() -> None:
    """Stop and resume sales: of a SKU, a location, a channel, or everything."""


@halt.command("list")
@click.option("--channel", default=None)
@click.option("--all", "unfolded", is_flag=True, help="Also each halt that a scope holds.")
@as_json
def list_(channel: str | None, unfolded: bool, as_json: bool) -> None:
    """Halts that are not lifted, oldest first; those of a scope folded into one line.

    JSON: [{scope, channel, sku, state, set_at, set_by, reason, until_at, error, ...}]; of a scope also scope_id, and
    setting, set, lifting: its SKUs by state.
    """
    with house() as wiring, transaction(wiring.engine) as connection:
        folded = scopes.open_scopes(connection, channel)
        single = halt_store.open_halts(connection, channel, own=not unfolded)
    rows = [_of_scope(found) for found in folded] + [
        {"scope": "", **_of_halt(found)} for found in single
    ]
    table = ("scope", "channel", "sku", "state", "set_at", "set_by", "reason", "until_at", "error")
    emit(rows, as_json=as_json, table=table)


def _of_halt(found: halt_store.OpenHalt) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def _of_scope(found: scopes.OpenScope) -> dict[str, Any]:
    state = f"{found.set} of {found.setting + found.set + found.lifting} set"
    return {
        "scope": str(found.scope),
        "scope_id": found.scope_id,
        "channel": found.scope.channel,
        "location": found.scope.location,
        "sku": found.scope.sku,
        "state": state if found.filled else f"{state}, more to come",
        "setting": found.setting,
        "set": found.set,
        "lifting": found.lifting,
        "set_at": found.set_at,
        "set_by": found.set_by,
        "reason": found.reason,
        "until_at": found.until_at,
        "error": "",
    }


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
    with house() as wiring:
        try:
            if not dry_run and scope.sku and scope.channel:
                _one(wiring, scope.sku, scope.channel, reason, by, at, until_at, as_json=as_json)
                return
            would = halt_scopes.would_halt(wiring.engine, scope)
        except halt_store.NothingToHalt as error:
            raise Failed(str(error)) from None
        if dry_run:
            _say_what(scope, would, as_json=as_json)
            return
        skus = sum(found for found, _ in would.values())
        if not yes and skus >= _MANY:
            _confirmed(scope, skus, len(would))
        number, fresh = halt_scopes.set_scope(
            wiring.engine, scope, reason=reason, by=by, now=at, until_at=until_at
        )
    told = {"scope": str(scope), "scope_id": number, "skus": skus, "fresh": fresh}
    _tell(told, f"{scope}: {_being(skus, would, fresh=fresh)}", as_json=as_json)


def _being(skus: int, would: dict[str, tuple[int, int]], *, fresh: bool) -> str:
    if not fresh:
        return "is halted already"
    return f"{skus} SKUs on {len(would)} channels are being halted"


def _one(
    wiring: Wiring,
    sku: str,
    channel: str,
    reason: str,
    by: str,
    at: datetime,
    until_at: datetime | None,
    *,
    as_json: bool,
) -> None:
    number, fresh = halts.halt(
        wiring.engine, channel=channel, sku=sku, reason=reason, by=by, now=at, until_at=until_at
    )
    words = f"halt {number} " + ("is being set" if fresh else "stood already")
    _tell({"halt_id": number, "fresh": fresh}, words, as_json=as_json)


@halt.command()
@_scoped
@as_json
@by
@reason
def lift(
    sku: str | None,
    channel: str | None,
    location: str | None,
    all_: bool,
    everything: bool,
    as_json: bool,
    by: str,
    reason: str,
) -> None:
    """Put back on sale, exactly as it was, what was halted with the same words."""
    scope = _scope(sku, channel, location, all_=all_, everything=everything)
    with house() as wiring:
        try:
            if scope.sku and scope.channel:
                _lift_one(wiring, scope.sku, scope.channel, reason, by, as_json=as_json)
                return
            number = halt_scopes.lift_scope(wiring.engine, scope, reason=reason, by=by, now=now())
        except halt_store.NothingToLift as error:
            raise Failed(str(error)) from None
    words = f"{scope} is being lifted; what is halted for another reason stays halted"
    _tell({"scope": str(scope), "scope_id": number}, words, as_json=as_json)


def _lift_one(
    wiring: Wiring, sku: str, channel: str, reason: str, by: str, *, as_json: bool
) -> None:
    number, fresh = halts.lift(
        wiring.engine, channel=channel, sku=sku, reason=reason, by=by, now=now()
    )
    with transaction(wiring.engine) as connection:
        holding = scopes.holding(connection, number)
    if holding and not fresh:
        which = "; ".join(f"`lockstep halt lift {_words(scope)}`" for scope in holding)
        what = " and ".join(map(str, holding))
        raise Failed(
            f"{sku} stays halted on {channel}: {what} is halted too; lift it with {which}", code=5
        )
    words = f"halt {number} " + ("is being lifted" if fresh else "is being lifted already")
    _tell({"halt_id": number, "fresh": fresh}, words, as_json=as_json)


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


def _words(scope: Scope) -> str:
    said = [scope.sku or ""]
    said += [f"--location {scope.location}"] if scope.location else []
    said += [f"--channel {scope.channel}"] if scope.channel else []
    if not scope.sku and not scope.location:
        said += ["--all"] if scope.channel else ["--everything"]
    return " ".join(filter(None, [*said, "--reason ..."]))


def _until(span: str | None, at: datetime) -> datetime | None:
    if span is None:
        return None
    found = _SPAN.match(span)
    if found is None:
        raise click.UsageError(f"--for {span}: write 30m, 4h or 2d")
    return at + timedelta(**{_UNITS[found[2]]: int(found[1])})


def _say_what(scope: Scope, would: dict[str, tuple[int, int]], *, as_json: bool) -> None:
    rows = [
        {"channel": channel, "skus": skus, "halted_already": halted}
        for channel, (skus, halted) in would.items()
    ]
    if not as_json:
        skus, halted = (sum(of[place] for of in would.values()) for place in (0, 1))
        click.echo(f"{scope}: {skus} SKUs, {halted} of them halted already; nothing was changed")
    emit(rows, as_json=as_json, table=("channel", "skus", "halted_already"))


def _confirmed(scope: Scope, skus: int, channels: int) -> None:
    """Ask for the scope's own name; a slip of the finger does not close a shop."""
    wanted = scope.channel or scope.location or scope.sku or "everything"
    click.echo(f"{scope}: {skus} SKUs on {channels} channels go off sale.", err=True)
    said = click.prompt(f"Type {wanted} to go on", default="", show_default=False, err=True)
    if said.strip() != wanted:
        raise Failed("nothing was halted: say --yes, or type the name", code=5)


def _tell(facts: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        emit(facts, as_json=True)
    else:
        click.echo(words)
