"""From a seed to a schedule, and from a schedule that fails to a shorter one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from random import Random
from typing import Any, Final

from console.chaos.casts import CASTS, LATER, LATER_SHARE, OFTEN, Cast
from console.chaos.types import Plan, Step, Weather

#: Steps of a schedule, fewest and most: many short ones find more in the same time; one in so many is long.
_SHORT: Final = (2, 8)
_LONG: Final = (9, 22)
_LONG_ONE_IN: Final = 12
#: Of the dice of what came later: so many that the schedules which show mistakes (`plants.py`) are what they were.
_LATER: Final = 1014
#: Seconds between two looks for waiting work: the default, and slower ones, in which a lost bell costs more.
_SWEEPS_S: Final = (3.0, 10.0, 30.0)
#: Seconds from one step to the next: mostly a moment, sometimes long enough for a window.
_GAPS: Final = (0.0, 0.0, 0.0, 0.1, 0.1, 0.5, 0.5, 1.0, 2.0, 4.0, 8.0, 20.0, 70.0)
#: How many schedules have machines whose clocks differ, by less than what the product puts right; and how many a clock
#: that somebody sets by an hour.
_SKEWED: Final = 0.15
_SKEWS_S: Final = (-4.9, 4.9)
_SET: Final = 0.12
_HOUR_S: Final = 3600.0
#: The worst of each kind of weather.
_WORST: Final = Weather(
    bell_lost=0.3,
    bell_twice=0.3,
    dies=0.2,
    call_lost=0.1,
    answer_lost=0.1,
    call_late=0.08,
    call_twice=0.08,
    call_slow=0.15,
    hook_lost=0.3,
    answer_of_hook_lost=0.3,
)
#: Kinds of fault at a vendor, as its own control plane sets them.
_FAULTS: Final = (
    "swallow",
    "server_error",
    "failed_write",
    "reset_after_apply",
    "truncate",
    "html",
    "throttle",
    "external_edit",
    "webhook_duplicate",
    "webhook_late",
    "webhook_reorder",
    "webhook_drop",
)
#: Verb -> how often.
_OFTEN: Final = {
    "order": 30,
    "sale": 10,
    "bring_back": 3,
    "cancel": 6,
    "fulfil": 8,
    "refund": 7,
    "edit": 5,
    "receive": 7,
    "write_off": 5,
    "adjust": 4,
    "transfer": 5,
    "count": 4,
    "reserve": 3,
    "repeat": 4,
    "rules": 3,
    "halt": 3,
    "lift": 3,
    "human": 4,
    "fault": 9,
    "ring": 5,
    "broker_emptied": 2,
    "forget": 1,
}
#: What a partner's buyers do, and how often.
_OFTEN_TRADE: Final = {
    "purchase": 20,
    "change_purchase": 8,
    "cancel_purchase": 3,
    "purchase_again": 5,
}


def plan_of(seed: int) -> Plan:
    """The schedule of a seed."""
    dice = Random(f"plan {seed}")
    # Not every kind of trouble at once: a kind that is away lets others show what they do alone.
    weather = Weather(
        **{
            each.name: round(getattr(_WORST, each.name) * dice.random(), 3)
            if dice.random() < 0.5
            else 0.0
            for each in fields(Weather)
        }
    )
    cast = dice.choices(list(OFTEN), weights=list(OFTEN.values()))[0]
    # By dice of its own, so that the schedules of other seeds are what they were.
    others = Random(f"cast {_LATER} {seed}")
    if others.random() < LATER_SHARE:
        cast = others.choices(list(LATER), weights=list(LATER.values()))[0]
    count = dice.randint(*(_SHORT if dice.randrange(_LONG_ONE_IN) else _LONG))
    often = _often(CASTS[cast])
    verbs = dice.choices(list(often), weights=list(often.values()), k=count)
    steps = tuple(_step(verb, CASTS[cast], dice) for verb in verbs)
    plan = Plan(seed, weather, steps, cast, dice.choice(_SWEEPS_S), dice.random() < 0.5)
    return _with_clocks(plan, Random(f"clocks {_LATER} {seed}"))


def _with_clocks(plan: Plan, dice: Random) -> Plan:
    """The schedule with clocks that differ, or are set meanwhile."""
    if dice.random() < _SKEWED:
        plan = replace(plan, skews_s=tuple(round(dice.uniform(*_SKEWS_S), 3) for _ in range(4)))
    if dice.random() < _SET:
        by_s = dice.choice((-_HOUR_S, _HOUR_S))
        # Wrong for some time, and put right; or wrong to the end.
        for set_by_s in (by_s, -by_s)[: dice.randint(1, 2)]:
            at = dice.randint(0, len(plan.steps))
            step = Step(dice.choice(_GAPS), "set_clock", {"by_s": set_by_s})
            plan = replace(plan, steps=(*plan.steps[:at], step, *plan.steps[at:]))
    return plan


def _often(cast: Cast) -> dict[str, int]:
    away = set() if cast.tills else {"sale", "bring_back"}
    away |= set() if cast.editing else {"refund", "edit"}
    trade = _OFTEN_TRADE if cast.partners else {}
    return {verb: often for verb, often in (_OFTEN | trade).items() if verb not in away}


def _step(verb: str, cast: Cast, dice: Random) -> Step:
    facts = _FACTS[verb](cast, dice) if verb in _FACTS else {}
    return Step(dice.choice(_GAPS), verb, facts)


def _place(cast: Cast, dice: Random) -> dict[str, Any]:
    return {"sku": dice.choice(cast.skus), "place": dice.choice(cast.places)}


def _some(most: int) -> Callable[[Cast, Random], dict[str, Any]]:
    return lambda cast, dice: _place(cast, dice) | {"units": dice.randint(1, most)}


def _of_an_order(cast: Cast, dice: Random) -> dict[str, Any]:
    return {"shop": dice.choice(cast.shops), "nth": dice.randrange(12)}


def _of_an_edited(cast: Cast, dice: Random) -> dict[str, Any]:
    return {"shop": dice.choice(cast.editing), "nth": dice.randrange(12)}


def _of_a_purchase(cast: Cast, dice: Random) -> dict[str, Any]:
    return {"partner": dice.choice(cast.partners), "nth": dice.randrange(12)}


def _of_a_listing(cast: Cast, dice: Random) -> dict[str, Any]:
    return {"shop": dice.choice(cast.channels), "sku": dice.choice(cast.skus)}


_FACTS: Final[Mapping[str, Callable[[Cast, Random], dict[str, Any]]]] = {
    "order": lambda cast, dice: _some(3)(cast, dice) | {"shop": dice.choice(cast.shops)},
    "sale": lambda cast, dice: _some(2)(cast, dice) | {"till": dice.choice(cast.tills)},
    "bring_back": lambda cast, dice: {"till": dice.choice(cast.tills), "nth": dice.randrange(12)},
    "cancel": lambda cast, dice: _of_an_order(cast, dice) | {"restock": dice.random() < 0.5},
    "fulfil": _of_an_order,
    "refund": lambda cast, dice: (
        _of_an_edited(cast, dice)
        | {"units": dice.randint(1, 2), "kind": dice.choice(("no_restock", "cancel", "return"))}
    ),
    "edit": lambda cast, dice: _of_an_edited(cast, dice) | {"units": dice.randint(0, 4)},
    "receive": _some(8),
    "write_off": _some(4),
    "adjust": lambda cast, dice: _place(cast, dice) | {"units": dice.choice((-3, -2, -1, 1, 2, 3))},
    "transfer": lambda cast, dice: (
        _some(4)(cast, dice) | {"takes_s": dice.choice((0.0, 2.0, 30.0))}
    ),
    "count": lambda cast, dice: _place(cast, dice) | {"off": dice.choice((-3, -1, 0, 1, 2))},
    "reserve": _some(2),
    "repeat": lambda cast, dice: {"nth": dice.randrange(40)},
    "rules": lambda cast, dice: {"which": dice.randrange(5)},
    "halt": _of_a_listing,
    "lift": _of_a_listing,
    "human": lambda cast, dice: (
        _place(cast, dice)
        | {
            "shop": dice.choice(cast.by_hand),
            "units": dice.choice((-2, -1, 1, 3, 6)),
            "silent": dice.random() < 0.5,
        }
    ),
    "fault": lambda cast, dice: {
        "shop": dice.choice(cast.channels),
        "kind": dice.choice(_FAULTS),
        "count": dice.randint(1, 3),
        "seed": dice.randrange(1000),
    },
    "ring": lambda cast, dice: {
        "task": dice.choice(("drain", "allocate", "push", "verify", "work_halts", "poll_orders")),
        "shop": dice.choice(cast.channels),
    },
    "purchase": lambda cast, dice: {
        "partner": dice.choice(cast.partners),
        "sku": dice.choice(cast.skus),
        "units": dice.randint(1, 4),
    },
    "change_purchase": lambda cast, dice: (
        _of_a_purchase(cast, dice) | {"units": dice.randint(0, 5)}
    ),
    "cancel_purchase": lambda cast, dice: (
        _of_a_purchase(cast, dice) | {"by": dice.choice(("860", "850"))}
    ),
    "purchase_again": lambda cast, dice: _of_a_purchase(cast, dice),
}


def shrunk(plan: Plan, fails: Callable[[Plan], bool], *, tries: int = 120) -> Plan:
    """A shorter schedule that fails too: steps and kinds of weather are left out as long as it still fails.

    fails    runs a schedule; True when a promise is broken
    tries    most schedules run
    """
    left = [tries]

    def still(shorter: Plan) -> bool:
        left[0] -= 1
        return left[0] >= 0 and fails(shorter)

    for each in fields(Weather):
        if getattr(plan.weather, each.name):
            calmer = replace(plan, weather=replace(plan.weather, **{each.name: 0.0}))
            plan = calmer if still(calmer) else plan
    size = max(1, len(plan.steps) // 2)
    while left[0] > 0:
        at = 0
        while at < len(plan.steps) and left[0] > 0:
            shorter = replace(plan, steps=plan.steps[:at] + plan.steps[at + size :])
            if still(shorter):
                plan = shorter
            else:
                at += size
        if size == 1:
            break
        size //= 2
    return plan
