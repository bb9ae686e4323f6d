"""What may go wrong with a row of a write although the answer says that it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.simulators.faults import Faults
from channels.simulators.shopify.shop import Shop
from channels.simulators.shopify.state import Level


def _as_told(level: Level, quantity: int) -> tuple[Level, int]:
    return level, quantity


@dataclass(frozen=True, slots=True)
class Mischief:
    """The faults of one call, asked row by row.

    swallows   a row of this SKU is reported as done and not done
    refuses    a row of this SKU is not taken, the others would be
    bends      where a number written for a level really goes, and what is shown there then
    """

    swallows: Callable[[str], bool] = lambda _: False
    refuses: Callable[[str], bool] = lambda _: False
    bends: Callable[[Level, int], tuple[Level, int]] = _as_told


def of(faults: Faults, shop: Shop, root: str) -> Mischief:
    """The faults that are switched on for calls of this operation."""

    def strikes(kind: str, sku: str) -> bool:
        return faults.draw(kind, shop.clock.now(), skus=(sku,), operation=root) is not None

    def bends(level: Level, quantity: int) -> tuple[Level, int]:
        now, skus = shop.clock.now(), (level.item.sku,)
        crossed = faults.draw("crossed", now, skus=skus, operation=root)
        if crossed is not None and crossed.other is not None:
            other = shop.by_sku[crossed.other].item.levels.get(level.location.number)
            level = other if other is not None else level
        packed = faults.draw("packed", now, skus=skus, operation=root)
        if packed is not None:
            quantity //= packed.units
        capped = faults.draw("capped", now, skus=skus, operation=root)
        if capped is not None:
            quantity = min(quantity, capped.units)
        if faults.draw("wrong_state", now, skus=skus, operation=root) is not None:
            quantity -= level.units["committed"]
        return level, quantity

    return Mischief(lambda sku: strikes("swallow", sku), lambda sku: strikes("invalid", sku), bends)
