"""Taking off sale and putting back: a SKU on a channel, or everything of a scope."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine

from console.access.types import Refusal, Unknown
from ledger.db import transaction
from reconcile import halt_scopes as scopes
from reconcile import halt_store
from reconcile.halt_scopes import Scope
from workers.flows import halt_scopes, halts

#: From so many SKUs on somebody must say that all of them are meant.
MANY: Final = 25


class NotSure(Refusal):
    """So much is halted only when somebody says that it is meant."""


def is_one(scope: Scope) -> bool:
    """Whether a scope is one SKU on one channel."""
    return bool(scope.sku and scope.channel)


def would_halt(engine: Engine, scope: Scope) -> dict[str, tuple[int, int]]:
    """By channel: SKUs that would be off sale, and those that are already. Raises Unknown."""
    try:
        return halt_scopes.would_halt(engine, scope)
    except halt_store.NothingToHalt as error:
        raise Unknown(str(error)) from None


def rows_of(would: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """The same, a row a channel."""
    return [
        {"channel": channel, "skus": skus, "halted_already": halted}
        for channel, (skus, halted) in would.items()
    ]


def put(
    engine: Engine,
    scope: Scope,
    *,
    reason: str,
    by: str,
    now: datetime,
    until_at: datetime | None,
    sure: bool,
) -> dict[str, Any]:
    """Want a scope off sale; workers do it within seconds.

    sure       so much is meant
    returns    halt_id and fresh of one SKU on one channel; else scope, scope_id, skus, channels, fresh
    raises     Unknown, NotSure
    """
    if is_one(scope):
        return _put_one(engine, scope, reason, by, now, until_at)
    would = would_halt(engine, scope)
    skus = sum(found for found, _ in would.values())
    if not sure and skus >= MANY:
        raise NotSure(
            f"{scope}: {skus} SKUs on {len(would)} channels would go off sale: say that it is meant"
        )
    number, fresh = halt_scopes.set_scope(
        engine, scope, reason=reason, by=by, now=now, until_at=until_at
    )
    return {
        "scope": str(scope), "scope_id": number, "skus": skus, "channels": len(would), "fresh": fresh
    }  # fmt: skip


def _put_one(
    engine: Engine, scope: Scope, reason: str, by: str, now: datetime, until_at: datetime | None
) -> dict[str, Any]:
    channel, sku = _named(scope)
    try:
        number, fresh = halts.halt(
            engine, channel=channel, sku=sku, reason=reason, by=by, now=now, until_at=until_at
        )  # fmt: skip
    except halt_store.NothingToHalt as error:
        raise Unknown(str(error)) from None
    return {"halt_id": number, "fresh": fresh}


def lift(engine: Engine, scope: Scope, *, reason: str, by: str, now: datetime) -> dict[str, Any]:
    """Put back on sale what was halted with the same words.

    returns    halt_id and fresh of one SKU on one channel, else scope and scope_id
    raises     Unknown; Refusal when a scope holds it, too
    """
    try:
        if is_one(scope):
            return _lift_one(engine, scope, reason, by, now)
        number = halt_scopes.lift_scope(engine, scope, reason=reason, by=by, now=now)
    except halt_store.NothingToLift as error:
        raise Unknown(str(error)) from None
    return {"scope": str(scope), "scope_id": number}


def _lift_one(engine: Engine, scope: Scope, reason: str, by: str, now: datetime) -> dict[str, Any]:
    channel, sku = _named(scope)
    number, fresh = halts.lift(engine, channel=channel, sku=sku, reason=reason, by=by, now=now)
    with transaction(engine) as connection:
        holding = scopes.holding(connection, number)
    if holding and not fresh:
        which = "; ".join(f"`lockstep halt lift {words(held)}`" for held in holding)
        what = " and ".join(map(str, holding))
        raise Refusal(
            f"{sku} stays halted on {channel}: {what} is halted too; lift it with {which}"
        )
    return {"halt_id": number, "fresh": fresh}


def _named(scope: Scope) -> tuple[str, str]:
    if not scope.channel or not scope.sku:
        raise ValueError(f"{scope} is not one SKU on one channel")
    return scope.channel, scope.sku


def words(scope: Scope) -> str:
    """A scope as the command line names it."""
    said = [scope.sku or ""]
    said += [f"--location {scope.location}"] if scope.location else []
    said += [f"--channel {scope.channel}"] if scope.channel else []
    if not scope.sku and not scope.location:
        said += ["--all"] if scope.channel else ["--everything"]
    return " ".join(filter(None, [*said, "--reason ..."]))
