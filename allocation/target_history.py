"""Every target that differed from the one before, with its arithmetic: what explains a number, now and later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allocation.division import Division
from allocation.types import Target

#: The terms of a target that add up to its units (`allocation.types.Target`), in their order.
TERMS = (
    "available",
    "safety",
    "owed",
    "pool",
    "protected",
    "others",
    "share",
    "exposed",
    "buffered",
    "capped",
    "spent",
    "floored",
    "cut",
    "unpacked",
    "held",
    "short",
)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the numbers of a SKU were computed from.

    read         (SKU, location) -> (units available, version of that balance)
    parts        of a bundle: component -> units of it in one
    divisions    how its zones were divided
    """

    read: Mapping[tuple[str, str], tuple[int, int]]
    parts: Mapping[str, int]
    divisions: Sequence[Division]


def terms_of(target: Target, basis: Basis | None) -> dict[str, Any]:
    """The arithmetic of a target as JSON.

    returns    the terms that are not 0, and: quota (whether its stock is divided into quotas), rule (whether one serves
               the place), excluded, why, tier (where the buffer goes by it), stock ([SKU, location, units available,
               version of the balance]), parts, zones (name, units, threshold, scarce, and of this channel: lines
               expected, buffer, risk, assumed)
    """
    said: dict[str, Any] = {name: value for name in TERMS if (value := getattr(target, name))}
    said["quota"] = target.quota
    said["rule"] = target.rule is not None
    if target.rule is not None:
        said["excluded"] = target.rule.excluded
        said["why"] = [why for why in target.rule.why if why]
        if target.rule.buffer_by_tier is not None:
            said["tier"] = target.rule.tier
    if basis is not None:
        said["stock"] = [[sku, at, *held] for (sku, at), held in sorted(basis.read.items())]
        if basis.parts:
            said["parts"] = dict(basis.parts)
        said["zones"] = list(_zones(target.channel, basis.divisions))
    return said


def _zones(channel: str, divisions: Sequence[Division]) -> Iterable[dict[str, Any]]:
    for division in divisions:
        names = [member.channel for member in division.zone.members]
        if channel not in names or len(names) == 1:
            continue
        said: dict[str, Any] = {"name": division.zone.name, "units": division.units, "with": names}
        if division.threshold is not None:
            risk = division.risks[names.index(channel)]
            said |= {
                "threshold": division.threshold,
                "scarce": division.scarce,
                "lines": round(risk.lines, 6),
                "buffer": risk.buffer,
                "risk": risk.risk,
                "assumed": risk.assumed,
            }
        yield said
