"""What is wrong in kind: the place, the item, the pack, the meaning of the number, or somebody else's hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from reconcile.causes_pushes import UNCURED
from reconcile.traces import Hand, at_push, hand, iso, last_confirmed, pushed_again, repeated
from reconcile.types import Case, Cause, Comparison, Evidence, Named

#: (expected, actual) units of each location of one SKU on one channel; actual None is unknown.
Siblings: TypeAlias = Mapping[str, tuple[int, int | None]]

#: What goods are packed in: any other ratio is more likely an accident.
PACKS: Final = frozenset(
    {2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 30, 36, 48, 72, 96, 100, 144}
)


def misplaced(siblings: Siblings) -> Named | None:
    """Location mismatch: the sum over the locations is right, the locations are not."""
    shown = [actual for _, actual in siblings.values()]
    if len(shown) < 2 or any(units is None for units in shown):
        return None
    if sum(expected for expected, _ in siblings.values()) != sum(units or 0 for units in shown):
        return None
    apart: Evidence = {
        f"at {location}": f"{expected} expected, {actual} shown"
        for location, (expected, actual) in sorted(siblings.items())
        if expected != actual
    }
    return Named(Cause.LOCATION_MISMATCH, apart)


def landed_here(case: Case) -> Named | None:
    """Mapping error: what is shown was written in the very second in which it was pushed for another SKU.

    Asked before anything else: seen from this place alone, whatever is pushed to it is swallowed.
    """
    if case.clues.written_for is None:
        return None
    return Named(Cause.MAPPING_ERROR, {"written_for": case.clues.written_for})


def crossed(case: Case) -> Named | None:
    """Mapping error: another SKU of ours shows this one's number, and this one that of the other."""
    if case.clues.crossed is None:
        return None
    return Named(Cause.MAPPING_ERROR, {"crossed_with": case.clues.crossed})


def packed(case: Case, freed: int) -> Named | None:
    """Unit of measure: what is shown is what we pushed, times or through a pack size.

    Where the vendor says that our own push made the number, a remainder may have been cut off.
    """
    last = last_confirmed(case)
    whose = hand(case)
    if last is None or whose is Hand.OTHER:
        return None
    showed = at_push(case, freed)
    again = pushed_again(case) >= UNCURED
    # An order that came after it hides when the number was made; that it comes back with every push shows it too.
    ours = whose is Hand.OURS or (again and whose in (Hand.ORDER, Hand.BEFORE))
    ratio = pack_of(last.units, showed, cut=ours)
    if whose is Hand.BEFORE and not (again and ratio and _is_packed_before(case, showed, ratio)):
        # A push that changed nothing was swallowed, unless the number before was packed in the same way.
        return None
    if ratio is None:
        return None
    hint = f"pack of {ratio}" if showed < last.units else f"{ratio} units for each of ours"
    return Named(
        Cause.UNIT_OF_MEASURE,
        {"push_id": last.push_id, "pushed": last.units, "shows": showed, "hint": hint},
    )


def _is_packed_before(case: Case, showed: int, ratio: int) -> bool:
    """Whether the number that was pushed before this one was shown through the same pack.

    showed    what the number pushed last was shown as
    """
    number = repeated(case)[-1].number
    before = [p for p in case.pushes if p.outcome == "confirmed" and p.number < number]
    if not before:
        return False
    since = before[0].sent_at.replace(microsecond=0)
    sold = sum(sale.units for sale in case.clues.sales_before if sale.at >= since)
    return before[0].units // ratio == showed + sold


def pack_of(pushed: int, shows: int, *, cut: bool) -> int | None:
    """The pack size that lies between two numbers, None when none does.

    cut    a remainder may have been lost: 62 pieces are 10 packs of 6
    """
    small, large = sorted((pushed, shows))
    if small <= 0 or small == large:
        return None
    if large % small == 0 and large // small in PACKS:
        return large // small
    # 117 pieces are 9 packs of 12; that they are also 13 times 9 says nothing, since nothing is packed so.
    if not cut or shows > pushed:
        return None
    fits = [size for size in PACKS if large // size == small]
    return min(fits, key=lambda size: abs(large / small - size), default=None)


def confused(case: Case, comparison: Comparison, freed: int) -> Named | None:
    """State semantics: what is shown falls short by just what is committed, or reserved, elsewhere in the same book."""
    last = last_confirmed(case)
    if last is None or hand(case) in (Hand.BEFORE, Hand.OTHER):
        return None
    # A number written wrongly stays wrong by what was committed then: since then both moved together.
    right = {comparison.expected, last.units}
    for state, units in (("committed", case.clues.committed), ("reserved", case.clues.reserved)):
        if units > 0 and freed + units in right:
            return Named(
                Cause.STATE_SEMANTICS,
                {"push_id": last.push_id, "state": state, state: units, "pushed": last.units},
            )
    return None


def uncured(case: Case) -> Named | None:
    """Mapping error: pushed again and taken twice, and the number is still not ours."""
    times = pushed_again(case)
    if times < UNCURED or hand(case) is Hand.OTHER:
        return None
    return Named(Cause.MAPPING_ERROR, {"pushed_again": times})


def edited(case: Case) -> Named:
    """External edit, when the vendor's time proves a change after our last push and no order can explain it."""
    changed = case.reading.updated_at
    if changed is None:
        return _unknown("the channel does not say when it changed")
    if hand(case) in (Hand.BEFORE, Hand.OURS):
        return _unknown("nothing changed after our last push")
    known_to = max(filter(None, (case.orders_mark, case.clues.known_to)), default=None)
    evidence: Evidence = {"changed_at": iso(changed), "orders_mark": iso(known_to)}
    if known_to is None or known_to < changed:
        return _unknown("orders are not read up to the change", evidence)
    if case.clues.parked:
        waiting: Evidence = {"delivery_ids": list(case.clues.parked)}
        return _unknown("deliveries that name it cannot be applied", evidence | waiting)
    return Named(Cause.EXTERNAL_EDIT, evidence)


def unstopped() -> Named:
    """What should be shown were it not halted: only the stop is still to come."""
    return _unknown("nothing differs but that the stop is not carried out yet")


def _unknown(missing: str, evidence: Evidence | None = None) -> Named:
    return Named(Cause.UNKNOWN, (evidence or {}) | {"missing": missing})
