"""How each cause is made to happen: what somebody does, and how long before the window.

Times are seconds before the window in which the drift is found. From `STUCK_S` on no number goes out any more: what
changes then stays pending. What is throttled has a window of its own, since that is the whole shop's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from channels.base import Level
from console.drill.site import CHANNEL, Site
from reconcile.types import Cause

#: (seconds before the window, what is done then)
Step: TypeAlias = tuple[float, Callable[[Site], None]]

#: From here on the push worker stands still.
STUCK_S: Final = 115.0
#: Before this everybody gets his first numbers; the faults come after.
FIRST_S: Final = 850.0
_FAULT_S: Final = 300.0
_SET: Final = "inventorySetQuantities"


@dataclass(frozen=True, slots=True)
class Injection:
    """One drift that is made to happen.

    cause     what it is to be called
    sku       where it shows, in Oslo
    twin      the other SKU of an exchange: to find it at either of the two is to find it
    sells     whether people go on buying it; what lost its notifications cannot lose those of others too
    """

    cause: Cause
    sku: str
    steps: tuple[Step, ...]
    sells: bool = True
    twin: str = ""


def all_of(each: int, dice: random.Random) -> list[Injection]:
    """So many of every cause but those of a throttled shop."""
    made: list[Injection] = []
    for cause, make in _MAKERS.items():
        for number in range(each):
            made += make(f"{cause.value.upper()}-{number:03}", dice)
    return made


def throttled(each: int, dice: random.Random) -> list[Injection]:
    """So many of rate-limit lag: the shop takes no more calls, and a number is due."""
    return [
        Injection(
            Cause.RATE_LIMIT_LAG,
            sku := f"{Cause.RATE_LIMIT_LAG.value.upper()}-{number:03}",
            ((dice.uniform(100, 280), _changes(sku, -_some(dice))),),
        )
        for number in range(each)
    ]


def throttle(site: Site) -> None:
    """From now on the shop takes no numbers."""
    site.do("fault", kind="throttle", operation=_SET)


def _some(dice: random.Random) -> int:
    return dice.randint(4, 17)


def _changes(sku: str, units: int) -> Callable[[Site], None]:
    """Units break (below 0), or come in."""

    def step(site: Site) -> None:
        kind = "write_off" if units < 0 else "receipt"
        site.facts([site.stock(kind, sku, "OSLO", abs(units))])

    return step


def _fault(sku: str, kind: str, **how: Any) -> Callable[[Site], None]:
    return lambda site: site.do("fault", kind=kind, sku=sku, **how) and None


def _faulty(cause: Cause, sku: str, dice: random.Random, kind: str, **how: Any) -> list[Injection]:
    """A number goes out, then another one under a fault of the shop."""
    return [
        Injection(
            cause,
            sku,
            (
                (FIRST_S, _changes(sku, -_some(dice))),
                (_FAULT_S + 10, _fault(sku, kind, operation=_SET, **how)),
                (_FAULT_S, _changes(sku, dice.choice((-1, 1)) * _some(dice))),
            ),
        )
    ]


def _pending(sku: str, dice: random.Random) -> list[Injection]:
    steps = (
        (FIRST_S, _changes(sku, -_some(dice))),
        (dice.uniform(80, STUCK_S - 5), _changes(sku, -_some(dice))),
    )
    return [Injection(Cause.PENDING_PUSH, sku, steps)]


def _overwritten(sku: str, dice: random.Random) -> list[Injection]:
    """An old worker that hung wakes up and writes the number it had in hand, by the shop's own API."""
    shown: dict[str, int] = {}

    def remember(site: Site) -> None:
        shown["units"] = _available(site, sku)

    def write(site: Site) -> None:
        binding = site.binding(sku, "OSLO")
        key = f"old-{next(site.numbers)}"
        site.client.push([Level(binding, shown["units"], 1)], key=key)

    return [
        Injection(
            Cause.STALE_OVERWRITE,
            sku,
            (
                (FIRST_S, _changes(sku, -_some(dice))),
                (FIRST_S - 50, remember),
                (600.0, _changes(sku, -_some(dice))),
                (450.0, _changes(sku, -_some(dice))),
                (dice.uniform(150, 280), write),
            ),
        )
    ]


def _lost(sku: str, dice: random.Random) -> list[Injection]:
    """An order whose notification is never sent."""

    def order(site: Site) -> None:
        _muted(site, sku, "webhook_drop", lambda: site.order(sku, dice.randint(1, 9)))

    step = (dice.uniform(70, 400), order)
    return [Injection(Cause.UNLEDGERED_SALE, sku, (step,), sells=False)]


def _late(sku: str, dice: random.Random) -> list[Injection]:
    """An order whose notification comes after the window, within the grace."""
    ordered_s, comes_s = dice.uniform(70, 300), dice.uniform(8, 45)

    def order(site: Site) -> None:
        units = dice.randint(1, 9)
        late = {"seconds": ordered_s + comes_s}
        _muted(site, sku, "webhook_late", lambda: site.order(sku, units), **late)

    return [Injection(Cause.LATE_EVENT, sku, ((ordered_s, order),), sells=False)]


def _twice(sku: str, dice: random.Random) -> list[Injection]:
    """Another system tells the order too, under a name and at a time of its own."""
    kept: dict[str, Any] = {}

    def order(site: Site) -> None:
        units = dice.randint(2, 9)
        kept.update(units=units, order=site.order(sku, units))

    def again(site: Site) -> None:
        fact = {
            "kind": "order",
            "source": "oms",
            "id": f"oms:{kept['order']}",
            "occurred_at": site.now().isoformat(),
            "channel": CHANNEL,
            "order": kept["order"],
            "line": "1",
            "sku": sku,
            "location": "OSLO",
            "units": kept["units"],
            "revision": site.now().isoformat(),
        }
        site.facts([fact])

    steps = ((dice.uniform(350, 500), order), (dice.uniform(130, 300), again))
    return [Injection(Cause.DUPLICATE_EVENT, sku, steps)]


def _cancelled(sku: str, dice: random.Random) -> list[Injection]:
    """A cancelled order goes back on the shop's shelf, and nobody says so."""
    kept: dict[str, str] = {}

    def order(site: Site) -> None:
        kept["order"] = site.order(sku, dice.randint(2, 9))

    def cancel(site: Site) -> None:
        order = f"gid://shopify/Order/{kept['order']}"
        _muted(
            site, sku, "webhook_drop", lambda: site.do("cancel_order", order=order, restock=True)
        )

    steps = ((dice.uniform(450, 700), order), (dice.uniform(70, 300), cancel))
    return [Injection(Cause.MISSED_CANCEL, sku, steps, sells=False)]


def _misplaced(sku: str, dice: random.Random) -> list[Injection]:
    """Somebody books a transfer in the shop only."""
    units = dice.choice((-1, 1)) * dice.randint(2, 15)

    def move(site: Site) -> None:
        site.do("external_edit", sku=sku, location="Oslo", units=units)
        site.do("external_edit", sku=sku, location="Bergen", units=-units)

    return [Injection(Cause.LOCATION_MISMATCH, sku, ((dice.uniform(70, 110), move),))]


def _crossed(sku: str, dice: random.Random) -> list[Injection]:
    """Two listings were exchanged: each shows the number of the other."""
    other = f"{sku}-TWIN"
    (ours,) = _faulty(Cause.MAPPING_ERROR, sku, dice, "crossed", other=other)
    (theirs,) = _faulty(Cause.MAPPING_ERROR, other, dice, "crossed", other=sku)
    return [Injection(ours.cause, sku, (*ours.steps, *theirs.steps), twin=other)]


def _confused(sku: str, dice: random.Random) -> list[Injection]:
    """The number becomes what is on hand, while orders are open."""
    (made,) = _faulty(Cause.STATE_SEMANTICS, sku, dice, "wrong_state")
    order = (dice.uniform(400, 800), lambda site: site.order(sku, dice.randint(2, 9)) and None)
    return [Injection(made.cause, sku, (*made.steps, order))]


def _edited(sku: str, dice: random.Random) -> list[Injection]:
    """Somebody types another number into the shop."""
    # Not by what was just counted off: that would be an older number of ours again.
    units = dice.choice((-1, 1)) * dice.randint(19, 45)

    def edit(site: Site) -> None:
        site.do("external_edit", sku=sku, location="Oslo", units=units)

    first = (FIRST_S, _changes(sku, -_some(dice)))
    return [Injection(Cause.EXTERNAL_EDIT, sku, (first, (dice.uniform(70, 110), edit)))]


def _muted(site: Site, sku: str, kind: str, does: Callable[[], Any], **how: Any) -> None:
    """Do something whose notifications meet a fault, and no others."""
    fault = site.do("fault", kind=kind, sku=sku, **how)
    does()
    site.settled()
    site.do("clear_faults", id=fault["id"])


def _available(site: Site, sku: str) -> int:
    (level,) = site.do("state", sku=sku, location="Oslo")["levels"]
    return int(level["available"])


_MAKERS: Mapping[Cause, Callable[[str, random.Random], Sequence[Injection]]] = {
    Cause.PENDING_PUSH: _pending,
    Cause.REJECTED: lambda sku, dice: _faulty(Cause.REJECTED, sku, dice, "invalid"),
    Cause.SWALLOWED: lambda sku, dice: _faulty(Cause.SWALLOWED, sku, dice, "swallow"),
    Cause.STALE_OVERWRITE: _overwritten,
    Cause.LATE_EVENT: _late,
    Cause.UNLEDGERED_SALE: _lost,
    Cause.DUPLICATE_EVENT: _twice,
    Cause.MISSED_CANCEL: _cancelled,
    Cause.LOCATION_MISMATCH: _misplaced,
    Cause.MAPPING_ERROR: _crossed,
    Cause.UNIT_OF_MEASURE: lambda sku, dice: _faulty(
        Cause.UNIT_OF_MEASURE, sku, dice, "packed", units=dice.choice((4, 6, 8, 12))
    ),
    Cause.STATE_SEMANTICS: _confused,
    Cause.EXTERNAL_EDIT: _edited,
}
