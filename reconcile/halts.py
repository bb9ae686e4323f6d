"""When a SKU is taken off sale on one channel, and when the rule may put it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from allocation.halt_terms import Halting, HaltTerms, HaltTier
from reconcile.compare import exact_percent
from reconcile.types import Case, Cause, Comparison, HaltRule, Verdict

#: The name under which the rule sets and lifts; a halt of a person is never lifted by the rule.
RULE = "rule:reconcile"

#: Causes that come back until a person has mended something; the rule does not lift after them.
NEEDS_A_PERSON = frozenset({Cause.MAPPING_ERROR, Cause.UNIT_OF_MEASURE, Cause.STATE_SEMANTICS})


def halt_reason(case: Case, comparison: Comparison, rule: HaltRule) -> str | None:
    """Why this drift halts its SKU on its channel, in words; None when it does not.

    All must hold: a drift (so not in flight), showing too much, at least the rule's units, above the rule's percent
    of what was expected. A mirror of stock that others hold (Amazon FBA) moves in steps of its own and never halts
    on one reading: the drift must have been seen in a window before, and in an older reading than this one.
    """
    if case.fast and rule.fast is not None:
        rule = rule.fast
    too_many = comparison.delta_units
    if comparison.verdict is not Verdict.DRIFT or too_many < rule.units_at_least:
        return None
    share = exact_percent(
        comparison.expected, comparison.expected + too_many, floor_units=rule.floor_units
    )
    # A float such as 10.1 is not 10.1; its decimal text is.
    if share <= Fraction(str(rule.percent_over)):
        return None
    if case.mirror and not _seen_in_an_older_reading(case):
        return None
    return (
        f"{case.location} shows {comparison.actual}, expected {comparison.expected}:"
        f" {too_many} units ({float(share):.1f} %) too many"
    )


def rule_of(halting: Halting, channel: str, default: HaltRule) -> HaltRule:
    """The halt rule of one channel: what its table says, else the house's, else the settings.

    In each table the word for a tier goes before the word for all.
    """
    tables = (halting.channels.get(channel, HaltTerms()), halting.house)
    calm = [table.calm_windows for table in tables if table.calm_windows is not None]
    hours = [table.ttl_hours for table in tables if table.ttl_hours is not None]
    common = replace(
        default,
        calm_windows=calm[0] if calm else default.calm_windows,
        ttl=timedelta(hours=hours[0]) if hours else default.ttl,
    )
    slow = _of_tier([words for table in tables for words in (table.slow, table)], common)
    fast = _of_tier([words for table in tables for words in (table.fast, table)], common)
    return slow if fast == slow else replace(slow, fast=fast)


def _of_tier(words: Sequence[HaltTier | HaltTerms], default: HaltRule) -> HaltRule:
    """The first percent and the first units that are said."""
    percents = [float(said.percent) for said in words if said.percent is not None]
    units = [said.units for said in words if said.units is not None]
    return replace(
        default,
        percent_over=percents[0] if percents else default.percent_over,
        units_at_least=units[0] if units else default.units_at_least,
    )


def _seen_in_an_older_reading(case: Case) -> bool:
    """Whether the drift was open before this reading was made by whoever holds the stock.

    The window before read something that was so by then; a reading of a later moment is another one.
    """
    before, made_at = case.open_drift, case.reading.updated_at
    if before is None:
        return False
    return made_at is None or before.window_at is None or made_at > before.window_at


@dataclass(frozen=True, slots=True)
class StandingHalt:
    """A halt in force, as the lift rule sees it.

    cause             of the drift that set it, None when a person set it
    confirmed_at      read back as stopped since then; a reading that shows units again starts it anew
    lifted_before     halts of the same SKU and channel that the rule lifted in the last day
    """

    halt_id: int
    sku: str
    set_by: str
    cause: str | None
    confirmed_at: datetime
    lifted_before: int


def lift_reason(halt: StandingHalt, *, now: datetime, calm: timedelta) -> str | None:
    """Why the rule may lift this halt, in words; None when it must wait or a person must.

    calm    how long the stop must have held, read back in every window; two windows is the house's choice
    """
    if halt.set_by != RULE or halt.lifted_before > 0:
        return None
    if halt.cause in NEEDS_A_PERSON:
        return None
    if now - halt.confirmed_at < calm:
        return None
    return f"the stop has held since {halt.confirmed_at.isoformat()}; the number is pushed again"
