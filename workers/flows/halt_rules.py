"""The halt rule as it is in force: of a channel, for SKUs that sell fast and the others, and halts set by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from allocation import halt_terms_store
from reconcile import halt_store, halts, velocity
from reconcile.types import Case, HaltRule


def of_channel(connection: Connection, channel: str, default: HaltRule) -> HaltRule:
    """The rule of one channel, by the rule file in force; `default` is what the settings say."""
    return halts.rule_of(halt_terms_store.halting(connection), channel, default)


def with_tiers(
    connection: Connection,
    channel: str,
    cases: Sequence[Case],
    rule: HaltRule,
    now: datetime,
    fast_per_day: float,
) -> list[Case]:
    """The cases, each with its tier where the rule makes a difference between tiers."""
    if rule.fast is None:
        return list(cases)
    skus = {case.sku for case in cases}
    fast = velocity.fast_skus(connection, channel, skus, now, fast_per_day)
    return [replace(case, fast=case.sku in fast) for case in cases]


def halt_by_rule(
    connection: Connection,
    channel: str,
    sku: str,
    reason: str,
    drift_id: int | None,
    now: datetime,
    default: HaltRule,
) -> None:
    """Want a SKU off sale because the rule says so; somebody is called when it still stands after its time.

    raises    NothingToHalt when the SKU is not bound on the channel
    """
    call_at = now + of_channel(connection, channel, default).ttl
    halt_store.set_halt(
        connection, channel, sku, reason, halts.RULE, now, drift_id, call_at=call_at
    )
