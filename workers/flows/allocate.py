"""From SKUs that are due to targets, in batches of one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from allocation import outlook_store, store
from allocation.engine import Allotment, compute
from allocation.escrow import Taken, bounds, drawn_by, hold_rises
from allocation.outlook_store import Known, Memory, look_at_held
from allocation.positions import Position, positions
from allocation.rules import in_force
from allocation.target_history import Basis
from allocation.types import Lag, Rules, Target
from ledger.db import transaction

if TYPE_CHECKING:
    from workers.flows.traces import Traces

BATCH = 1000


def allocate(
    engine: Engine,
    *,
    now: Callable[[], datetime],
    rise_wait_s: float,
    batch: int = BATCH,
    batches: int = 1000,
    traces: Traces | None = None,
) -> set[str]:
    """Compute the targets of every SKU that is due, until none is left.

    rise_wait_s    seconds an increase waits for orders on their way
    batch          SKUs in one transaction
    batches        most of them in one go; the sweep rings again for what is left
    traces         None: nothing is traced
    returns        the channels that have something new to push
    """
    touched: set[str] = set()
    for _ in range(batches):
        with transaction(engine) as connection:
            skus = store.claim_due(connection, batch)
            if skus:
                touched |= _allocate_batch(connection, skus, now(), rise_wait_s, traces)
        if len(skus) < batch:
            # What became due meanwhile has rung again.
            break
    return touched


def _allocate_batch(
    connection: Connection,
    skus: Sequence[str],
    now: datetime,
    rise_wait_s: float,
    traces: Traces | None,
) -> set[str]:
    version, rules, lags = store.standing(connection, computing=True)
    found = positions(connection, skus)
    held = in_force(rules, now)
    known, computed = _computed(connection, found, held, lags, now)
    fitted = {sku: _fitted(computed[sku], found[sku]) for sku in skus}
    targets = _held(connection, held, computed, found, fitted)
    memories = [_memory(sku, computed[sku], targets[sku], known[sku], now) for sku in skus]
    outlook_store.remember(connection, memories, now)
    # Who claims a SKU is the only one to change its targets, so what was read of them is what they are.
    every = [
        target
        for sku in skus
        for target in targets[sku]
        if found[sku].targets.get((target.channel, target.location)) != target.units
    ]
    bases = {
        sku: Basis(found[sku].read, found[sku].parts, computed[sku].divisions)
        for sku in {target.sku for target in every}
    }
    rise_run_at = now + timedelta(seconds=rise_wait_s)
    touched = store.save_targets(connection, every, bases, version, now, rise_run_at)
    if traces is not None:
        traces.allocate(connection, skus, every, now)
    return touched


def targets_now(
    connection: Connection, skus: Sequence[str], now: datetime, rules: Rules | None = None
) -> tuple[int, list[Target]]:
    """(version of the rules, 0 before the first; the targets of these SKUs as the stock stands), kept nowhere.

    rules    a draft to compute with instead of the version in force
    """
    version, stored, lags = store.standing(connection)
    found = positions(connection, skus)
    given = in_force(stored if rules is None else rules, now)
    _, computed = _computed(connection, found, given, lags, now)
    return version, [target for sku in found for target in _fitted(computed[sku], found[sku])]


def _computed(
    connection: Connection,
    found: Mapping[str, Position],
    rules: Rules,
    lags: Mapping[str, Lag],
    now: datetime,
) -> tuple[dict[str, Known], dict[str, Allotment]]:
    known = outlook_store.outlooks(connection, found, rules, lags, now)
    return known, {
        sku: compute(sku, position.stock, rules, position.listed, known[sku].outlook, position.told)
        for sku, position in found.items()
    }


def _fitted(allotment: Allotment, position: Position) -> list[Target]:
    """The targets as their listings can show them, and 0 for what is not listed any more."""
    return [
        *(_as_listed(target, position) for target in allotment.targets),
        *(Target(channel, allotment.sku, location, 0) for channel, location in position.lost),
    ]


def _as_listed(target: Target, position: Position) -> Target:
    """Whole packs, or what the channel itself holds."""
    place = (target.channel, target.location)
    if place in position.told:
        units = position.stock.get(target.location, 0)
        shown = max(0, units)
        return Target(
            target.channel,
            target.sku,
            target.location,
            shown,
            available=units,
            owed=shown - units,
            pool=shown,
            share=shown,
            rule=target.rule,
        )
    rest = target.units % position.packs.get(place, 1)
    return replace(target, units=target.units - rest, unpacked=rest) if rest else target


def _held(
    connection: Connection,
    rules: Rules,
    computed: Mapping[str, Allotment],
    found: Mapping[str, Position],
    fitted: dict[str, list[Target]],
) -> dict[str, list[Target]]:
    """The targets, none raised before what it takes has been let go elsewhere; whole packs, still."""
    limits = {
        sku: of
        for sku, targets in fitted.items()
        if (computed[sku].scarce or _rises(targets, found[sku]))
        and (of := bounds(computed[sku], rules, found[sku].told))
    }
    if limits:
        holds = outlook_store.holds(connection, limits)
        taken = _taken(connection, rules, limits)
        for sku, of in limits.items():
            raised = hold_rises(fitted[sku], of, holds.get(sku, {}), taken.get(sku, ()))
            fitted[sku] = [_whole_packs(target, found[sku]) for target in raised]
    return fitted


def _rises(targets: Sequence[Target], position: Position) -> bool:
    """Whether a number is above the one before: where none is, nobody can take what another has not let go."""
    before = position.targets
    return bool(before) and any(t.units > before.get((t.channel, t.location), 0) for t in targets)


def _taken(connection: Connection, rules: Rules, skus: Collection[str]) -> dict[str, list[Taken]]:
    """By SKU, what bundles made of it may be showing of its units."""
    made = outlook_store.bundles_of(connection, skus)
    if not made:
        return {}
    bundles = outlook_store.holds(connection, {bundle for of in made.values() for bundle in of})
    found: dict[str, list[Taken]] = {}
    for sku, of in made.items():
        for bundle, each in of.items():
            for place, hold in bundles.get(bundle, {}).items():
                most = max(0, hold.shown or 0, hold.queued) + hold.missing
                drawn = drawn_by(rules, place)
                taken = Taken(drawn, each * most, each * max(0, most - hold.target))
                found.setdefault(sku, []).append(taken)
    return found


def _whole_packs(target: Target, position: Position) -> Target:
    """What may rise only in part rises by whole packs, too."""
    rest = target.units % position.packs.get((target.channel, target.location), 1)
    return replace(target, units=target.units - rest, held=target.held + rest) if rest else target


def _memory(
    sku: str, computed: Allotment, targets: Sequence[Target], known: Known, now: datetime
) -> Memory:
    held = any(target.held for target in targets)
    times = [known.look_at] if known.look_at is not None else []
    if held:
        times.append(look_at_held(known.held_since, now))
    if computed.scarce != known.outlook.scarce:
        # Bundles made of it were computed without knowing: whoever looks again makes them due with it.
        times.append(now)
    short = {target.channel: target.short for target in targets if target.short}
    return Memory(sku, computed.scarce, held, short, min(times, default=None), known.remembered)
