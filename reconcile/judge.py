"""One page of cases, judged: what is equal, what is on its way, and what is to be done about the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reconcile import causes, repairs
from reconcile.compare import compare, expected_units
from reconcile.types import (
    Action,
    Case,
    Finding,
    HaltRule,
    Limits,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a page of cases comes to.

    equal        units shown per (SKU, location) that are as expected
    stopped      the same of places that are halted, and so show nothing
    in_flight    places on their way, or read too early to be compared
    findings     the drifts, in the order of the cases
    put_back     places that only their own orders moved off a target that stays; no drift, but pushed again
    unheard      places that differ and are judged when the orders up to their reading are heard
    flying       of those in flight, the places where something is on its way
    """

    equal: dict[tuple[str, str], int]
    stopped: dict[tuple[str, str], int]
    in_flight: int
    findings: tuple[Finding, ...]
    unheard: tuple[Case, ...] = ()
    put_back: tuple[Finding, ...] = ()
    flying: frozenset[tuple[str, str]] = frozenset()


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
    unheard: list[Case] = []
    put_back: list[Finding] = []
    flying: set[tuple[str, str]] = set()
    freed = freed_of_orders(cases, siblings)
    for case in cases:
        comparison = compare(case, limits)
        match comparison.verdict:
            case Verdict.EQUAL:
                kept = equal if case.halt_state is None else stopped
                kept[case.sku, case.location] = comparison.expected
            case Verdict.IN_FLIGHT | Verdict.NOT_COMPARABLE:
                in_flight += 1
                if comparison.verdict is Verdict.IN_FLIGHT:
                    flying.add((case.sku, case.location))
            case Verdict.UNHEARD:
                unheard.append(case)
            case Verdict.DRIFT:
                named = causes.name(case, comparison, freed.get(case.sku, {}))
                kept_in = put_back if repairs.is_put_back(case, named) else findings
                kept_in.append(
                    repairs.finding(case, comparison, named, limits, rule if may_halt else None)
                )
            case Verdict.UNKNOWN:
                pass  # counted where the readings are: an absent place never becomes a case
    return Judged(
        equal,
        stopped,
        in_flight + len(put_back),
        _one_halt_a_sku(findings),
        tuple(unheard),
        tuple(put_back),
        frozenset(flying),
    )


def _one_halt_a_sku(findings: list[Finding]) -> tuple[Finding, ...]:
    """A halt is for the whole SKU on the channel: its other drifts are halted with it."""
    halted = {finding.case.sku for finding in findings if finding.halt_reason is not None}
    return tuple(
        replace(finding, action=Action.HALT)
        if finding.case.sku in halted and finding.action in repairs.PUSHES
        else finding
        for finding in findings
    )


def freed_of_orders(
    cases: Sequence[Case], siblings: Mapping[str, Mapping[str, tuple[int, int | None]]]
) -> dict[str, dict[str, tuple[int, int | None]]]:
    """The siblings, each freed of the orders that are not in the book: what is left is somebody's mistake."""
    freed = {sku: dict(places) for sku, places in siblings.items()}
    for case in cases:
        if case.reading.units is not None and case.sku in freed:
            late = sum(order.units for order in case.clues.unseen)
            freed[case.sku][case.location] = (expected_units(case), case.reading.units + late)
    return freed
