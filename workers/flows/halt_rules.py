"""The halt rule as it is in force: of a channel, for SKUs that sell fast and the others, and halts set by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from allocation import halt_terms_store
from reconcile import halting, halts, velocity
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
    wishes: Sequence[halting.Wish],
    now: datetime,
    default: HaltRule,
) -> set[str]:
    """Want SKUs off sale because the rule says so; somebody is called when they still stand after its time.

    wishes     one a SKU; what is not bound on the channel is passed over
    returns    the SKUs that are halted
    """
    if not wishes:
        return set()
    call_at = now + of_channel(connection, channel, default).ttl
    return halting.set_by_rule(connection, channel, wishes, now, call_at=call_at)
