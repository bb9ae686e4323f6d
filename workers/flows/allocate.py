"""From SKUs that are due to targets, in batches of one transaction each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from allocation import store
from allocation.engine import allocate as allocate_sku
from allocation.store import Position
from allocation.types import Target
from ledger.db import transaction

BATCH = 500


def allocate(
    engine: Engine,
    *,
    now: Callable[[], datetime],
    rise_wait_s: float,
    batch: int = BATCH,
    batches: int = 1000,
) -> set[str]:
    """Compute the targets of every SKU that is due, until none is left.

    rise_wait_s    seconds an increase waits for orders on their way
    batch          SKUs in one transaction
    batches        most of them in one go; the sweep rings again for what is left
    returns        the channels that have something new to push
    """
    touched: set[str] = set()
    with transaction(engine) as connection:
        if store.current_rules(connection)[0] == 0:
            # Applying the first rules makes every SKU due, so nothing is missed by waiting for them.
            return touched
    for _ in range(batches):
        with transaction(engine) as connection:
            skus = store.claim_due(connection, batch)
            if not skus:
                break
            touched |= _allocate_batch(connection, skus, now(), rise_wait_s)
    return touched


def _allocate_batch(
    connection: Connection, skus: list[str], now: datetime, rise_wait_s: float
) -> set[str]:
    version, targets = targets_now(connection, skus)
    rise_run_at = now + timedelta(seconds=rise_wait_s)
    return set(store.save_targets(connection, targets, version, now, rise_run_at))


def targets_now(connection: Connection, skus: list[str]) -> tuple[int, list[Target]]:
    """(version of the rules, 0 before the first; the targets of these SKUs as the stock stands), kept nowhere."""
    version, rules = store.current_rules(connection)
    targets: list[Target] = []
    for sku, position in store.positions(connection, skus).items():
        computed = allocate_sku(sku, position.stock, rules, position.listed)
        targets += [_fitted(target, position) for target in computed]
        targets += [Target(channel, sku, location, 0) for channel, location in position.lost]
    return version, targets


def _fitted(target: Target, position: Position) -> Target:
    """The target as its listing can show it: whole packs, or what the channel itself holds."""
    place = (target.channel, target.location)
    if place in position.told:
        return replace(target, units=max(0, position.stock.get(target.location, 0)))
    return replace(target, units=target.units - target.units % position.packs.get(place, 1))
