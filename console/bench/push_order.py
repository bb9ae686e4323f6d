"""Whether the newest number always won: the house's log of pushes against the vendor's log of what was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pushed:
    """One row of the house's log of pushes; `number` rises with each target of its SKU."""

    sku: str
    units: int
    number: int
    outcome: str


def older_numbers(
    pushes: Iterable[Pushed],
    written: Iterable[tuple[str, int]],
    targets: Mapping[str, int],
) -> list[str]:
    """What says that an older number came after a newer one, SKU by SKU; empty when the newest always won.

    pushes     in the order they were sent
    written    (SKU, units) as the vendor took them, oldest first
    targets    SKU -> units of the newest
    """
    sent: defaultdict[str, list[Pushed]] = defaultdict(list)
    for push in pushes:
        sent[push.sku].append(push)
    took: defaultdict[str, list[int]] = defaultdict(list)
    for sku, units in written:
        took[sku].append(units)
    found = []
    for sku in sorted(sent.keys() | took.keys()):
        found += [f"{sku}: {said}" for said in _of_sku(sent[sku], took[sku], targets.get(sku))]
    return found


def _of_sku(sent: Sequence[Pushed], took: Sequence[int], target: int | None) -> Iterable[str]:
    confirmed = [push for push in sent if push.outcome == "confirmed"]
    numbers = [push.number for push in confirmed]
    if numbers != sorted(numbers):
        yield f"confirmed in the order {numbers}"
    if not _in_order([push.units for push in sent if push.outcome != "rejected"], took):
        yield f"the vendor took {list(took)} of {[(p.number, p.units) for p in sent]}"
    if target is None:
        yield "was pushed without a target"
    elif confirmed and confirmed[-1].units != target:
        yield f"{confirmed[-1].units} was confirmed last, {target} is the newest"
    elif took and took[-1] != target:
        yield f"{took[-1]} was written last, {target} is the newest"


def _in_order(sent: Sequence[int], took: Sequence[int]) -> bool:
    """Whether what was taken is what was sent, in its order; not everything sent has to have been taken."""
    rest = iter(sent)
    return all(any(units == each for each in rest) for units in took)
