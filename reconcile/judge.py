"""One page of cases, judged: what is equal, what is on its way, and what is to be done about the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconcile import causes, halts
from reconcile.compare import compare
from reconcile.types import (
    Action,
    Case,
    Cause,
    Comparison,
    Finding,
    HaltRule,
    Limits,
    Named,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a page of cases comes to.

    equal        units shown per (SKU, location) that are as expected
    stopped      the same of places that are halted, and so show nothing
    in_flight    places on their way, or read too early to be compared
    findings     the drifts, in the order of the cases
    """

    equal: dict[tuple[str, str], int]
    stopped: dict[tuple[str, str], int]
    in_flight: int
    findings: tuple[Finding, ...]


def judge(
    cases: Sequence[Case],
    siblings: dict[str, dict[str, tuple[int, int | None]]],
    limits: Limits,
    rule: HaltRule,
    *,
    may_halt: bool = True,
) -> Judged:
    """Judge the places of a page that differ or have an open drift.

    siblings    per SKU, (target, shown) of each of its locations on this channel
    may_halt    False while a person has paused the channel: then nothing is sent to it by rule
    """
    equal: dict[tuple[str, str], int] = {}
    stopped: dict[tuple[str, str], int] = {}
    in_flight = 0
    findings: list[Finding] = []
    for case in cases:
        comparison = compare(case, limits)
        match comparison.verdict:
            case Verdict.EQUAL:
                kept = equal if case.halt_state is None else stopped
                kept[case.sku, case.location] = comparison.expected
            case Verdict.IN_FLIGHT | Verdict.NOT_COMPARABLE:
                in_flight += 1
            case Verdict.DRIFT:
                named = causes.name(case, comparison, siblings.get(case.sku, {}))
                findings.append(_finding(case, comparison, named, rule if may_halt else None))
            case Verdict.UNKNOWN:
                pass  # counted where the readings are: an absent place never becomes a case
    return Judged(equal, stopped, in_flight, _one_halt_a_sku(findings))


def _finding(case: Case, comparison: Comparison, named: Named, rule: HaltRule | None) -> Finding:
    if case.halt_state is not None:
        reason = f"{case.location} shows {comparison.actual} while halted" if rule else None
        return Finding(case, comparison, named, Action.HALT_AGAIN, reason)
    reason = halts.halt_reason(case, comparison, rule) if rule else None
    if reason is not None:
        return Finding(case, comparison, named, Action.HALT, reason)
    if named.cause is Cause.REJECTED and case.waiting is not None and case.waiting.parked:
        return Finding(case, comparison, named, Action.FIX_ITEM)
    late_order_possible = comparison.delta_units < 0 and (
        case.orders_mark is None or case.orders_mark < case.reading.observed_at
    )
    action = Action.REPUSH_AFTER_GRACE if late_order_possible else Action.REPUSH
    return Finding(case, comparison, named, action)


def _one_halt_a_sku(findings: list[Finding]) -> tuple[Finding, ...]:
    """A halt is for the whole SKU on the channel: its other drifts are halted with it."""
    halted = {finding.case.sku for finding in findings if finding.halt_reason is not None}
    return tuple(
        replace(finding, action=Action.HALT)
        if finding.case.sku in halted and finding.case.halt_state is None
        else finding
        for finding in findings
    )
