"""The drill: every cause injected many times among live sales, and whether each drift was called by its name."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from console.drill import injections
from console.drill.injections import STUCK_S, Injection, Step
from console.drill.site import Site, open_site
from reconcile.types import Cause
from workers.flows.ingest import House
from workers.flows.reconcile_terms import Terms

#: Of the instances of each cause, so many must get its name.
GOAL: Final = 0.95
#: SKUs that only sell: they must not drift at all.
_SHELF: Final = 20
#: More than the numbers of two SKUs come closer before they are exchanged.
_APART: Final = 75
#: The workers look so often.
_TICK_S: Final = 10.0
#: What the times of the injections are reckoned by.
_WINDOW_S: Final = 900
_NONE: Final = "no drift"

_LABELS = """
    SELECT DISTINCT ON (sku) sku, cause, evidence FROM drift
    WHERE sku = ANY(CAST(:skus AS text[])) AND location = 'OSLO' AND seen_at >= :since
    ORDER BY sku, window_at IS NULL, id
"""
_INNOCENT = "SELECT count(*) FROM drift WHERE sku LIKE 'SHELF-%'"
_HALTED = "SELECT count(*) FROM halt WHERE sku LIKE 'SHELF-%'"


@dataclass(frozen=True, slots=True)
class Labelled:
    """An injected drift and what it was called."""

    cause: Cause
    sku: str
    label: str
    evidence: Mapping[str, Any]


def measure(
    house: House,
    *,
    seed: int,
    each: int,
    terms: Terms,
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Inject so many of each cause and see what they are called.

    house    with an empty, migrated database
    terms    of the installation; its windows are those of the drill
    returns  per cause: injected, right, labels, whether the goal is reached; the share of all, of the unknown; drifts
             and halts of SKUs that only sold; seconds; `passed`
    """
    dice = random.Random(seed)
    faults, slow = injections.all_of(each, dice), injections.throttled(each, dice)
    shelf = [f"SHELF-{number:02}" for number in range(_SHELF)]
    listed = [sku for each in (*faults, *slow) for sku in _skus(each)]
    skus = {sku: dice.randint(60, 180) for sku in (*listed, *shelf)}
    # Two that exchange the same number differ in nothing: they are far enough apart for all that happens until then.
    skus |= {each.twin: skus[each.sku] + _APART for each in faults if each.twin}
    began = time.perf_counter()
    with open_site(house, skus, seed=seed, terms=replace(terms, window_s=_WINDOW_S)) as site:
        site.hear()
        site.window(site.next_window())
        say(f"{len(faults) + len(slow)} drifts to come, among {len(skus)} SKUs that sell")
        first = _round(site, faults, shelf, dice)
        site.do("clear_faults")
        _recover(site)
        second = _round(site, slow, shelf, dice, throttle=True)
        result = named([*first, *second])
        result["innocent_drifts"] = site.rows(_INNOCENT)[0][0]
        result["innocent_halts"] = site.rows(_HALTED)[0][0]
    result |= {"seed": seed, "each": each, "seconds": round(time.perf_counter() - began, 1)}
    result["passed"] = is_passed(result)
    return result


def is_passed(result: Mapping[str, Any]) -> bool:
    """Whether each cause was named right often enough, and nothing was found where there was nothing."""
    innocent = result["innocent_drifts"] + result["innocent_halts"]
    return innocent == 0 and all(row["reached"] for row in result["causes"].values())


def _round(
    site: Site,
    injected: Sequence[Injection],
    shelf: Sequence[str],
    dice: random.Random,
    *,
    throttle: bool = False,
) -> list[Labelled]:
    """One window: what leads up to it, its reading, the second looks, and the names that came of it."""
    at = site.next_window() + timedelta(seconds=site.terms.window_s)
    steps: list[Step] = [step for each in injected for step in each.steps]
    steps += _sales([sku for i in injected if i.sells for sku in _skus(i)] + list(shelf), dice)
    if throttle:
        steps.append((STUCK_S + 200, injections.throttle))
    since = at - timedelta(seconds=injections.FIRST_S + 1)
    _play(site, steps, at, throttle=throttle)
    _look(site, at)
    if not throttle:
        # What was in the middle of a sale at the first reading is named at the next one.
        later = at + timedelta(seconds=site.terms.window_s)
        site.halts()
        _play(
            site,
            _sales([*shelf, *(sku for i in injected if i.sells for sku in _skus(i))], dice),
            later,
            throttle=True,
        )
        _look(site, later)
    wanted = [sku for each in injected for sku in _skus(each)]
    labels = {row.sku: row for row in site.rows(_LABELS, skus=wanted, since=since)}
    return [
        _labelled(each, [labels[sku] for sku in _skus(each) if sku in labels]) for each in injected
    ]


def _skus(each: Injection) -> list[str]:
    return [each.sku, each.twin] if each.twin else [each.sku]


def _labelled(each: Injection, rows: Sequence[Any]) -> Labelled:
    """What an injection was called: rightly, where any of its places is."""
    best = min(rows, key=lambda row: row.cause != each.cause.value, default=None)
    if best is None:
        return Labelled(each.cause, each.sku, _NONE, {})
    return Labelled(each.cause, best.sku, best.cause, best.evidence)


def _look(site: Site, at: datetime) -> None:
    """The window, and the looks after it; the push worker still stands, so that what is shown stays as it was read."""
    site.window(at)
    for _ in range(9):
        site.pass_time(8)
        site.book()
        site.look_again()


def _sales(skus: Sequence[str], dice: random.Random) -> list[Step]:
    """People buy: now and then up to the second of the reading, so that some orders are on their way then."""

    def buys(sku: str, units: int, place: str) -> Callable[[Site], None]:
        # What a halt took off sale cannot be bought: that is no error of the drill.
        order = {"lines": [{"sku": sku, "units": units}], "location": place}
        return lambda site: site.do("orders", orders=[order]) and None

    return [
        (dice.uniform(1, 300), buys(sku, dice.randint(1, 3), dice.choice(("Oslo", "Bergen"))))
        for sku in skus
        for _ in range(dice.choice((0, 1, 1, 2)))
    ]


def _play(site: Site, steps: Iterable[Step], at: datetime, *, throttle: bool) -> None:
    """Do everything in its order; the workers look every few seconds."""
    ordered = sorted(steps, key=lambda step: -step[0])
    worked_at = site.now()
    for before_s, does in ordered:
        due = at - timedelta(seconds=before_s)
        while (due - worked_at).total_seconds() >= _TICK_S:
            worked_at += timedelta(seconds=_TICK_S)
            _until(site, worked_at)
            # A throttled shop is called all the same: its worker works, and comes to nothing.
            _work(site, shows=throttle or (at - worked_at).total_seconds() > STUCK_S)
        _until(site, due)
        does(site)
    site.settled()


def _work(site: Site, *, shows: bool) -> None:
    if shows:
        site.show()
    else:
        site.book()


def _until(site: Site, moment: datetime) -> None:
    ahead_s = (moment - site.now()).total_seconds()
    if ahead_s > 0:
        site.pass_time(ahead_s)


def _recover(site: Site) -> None:
    """The faults are over: whatever waited goes out."""
    for _ in range(6):
        site.pass_time(60)
        site.hear()
        site.show()


def named(found: Sequence[Labelled]) -> dict[str, Any]:
    """Per cause what it was called, and the shares of all."""
    causes: dict[str, Any] = {}
    for cause in Cause:
        of_cause = [each for each in found if each.cause is cause]
        if of_cause:
            labels = Counter(each.label for each in of_cause)
            causes[cause.value] = {
                "injected": len(of_cause),
                "right": labels[cause.value],
                "reached": labels[cause.value] >= GOAL * len(of_cause),
                "labels": dict(labels.most_common()),
                "missed": [
                    {"sku": each.sku, "label": each.label, "evidence": dict(each.evidence)}
                    for each in of_cause
                    if each.label != cause.value
                ][:3],
            }
    called = [each for each in found if each.label != _NONE]
    unknown = sum(each.label == Cause.UNKNOWN.value for each in called)
    return {
        "causes": causes,
        "right_share": round(sum(e.label == e.cause.value for e in found) / max(len(found), 1), 4),
        "unknown_share": round(unknown / max(len(called), 1), 4),
        "goal": GOAL,
    }


def table(result: Mapping[str, Any], say: Callable[[str], object]) -> None:
    """Injected causes down, names across: a person sees what was taken for what."""
    causes: Mapping[str, Any] = result["causes"]
    names = list(causes)
    names += sorted({label for row in causes.values() for label in row["labels"]} - set(names))
    say("injected" + " " * 14 + "right   called")
    for cause, row in causes.items():
        others = ", ".join(
            f"{label} {row['labels'][label]}"
            for label in names
            if label in row["labels"] and label != cause
        )
        right = f"{row['right']}/{row['injected']}"
        say(f"{cause:<22}{right:<8}" + (others or "-"))
    missed = [cause for cause, row in causes.items() if not row["reached"]]
    if missed:
        say("below the goal: " + ", ".join(missed))
    say(
        f"named right: {100 * result['right_share']:.1f} % (goal {100 * result['goal']:.0f} % of each), unknown:"
        f" {100 * result['unknown_share']:.1f} %; SKUs that only sold: {result['innocent_drifts']} drifts,"
        f" {result['innocent_halts']} halts"
    )
