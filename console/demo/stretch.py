"""The busy stretch: orders in both shops at a steady rate, deliveries that misbehave, a worker shot, Valkey emptied."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from console.demo import goods
from console.demo.evidence import Crash, Notes
from console.demo.house import House, now
from console.demo.shop import ShopSays

#: Deliveries of both shops: (kind of fault, its chance, its length in seconds).
MISBEHAVIOUR = (
    ("webhook_duplicate", 0.06, 0.0),
    ("webhook_late", 0.05, 1.5),
    ("webhook_reorder", 0.04, 0.0),
)
_HOT_SHARE = 0.3
_SHOT = "worker-prefork"
#: When, in parts of the rough stretch, the worker is shot and Valkey emptied.
_SHOT_AT, _EMPTIED_AT = 0.25, 0.6


def misbehave(house: House, notes: Notes, seed: int) -> None:
    """Switch the faults of deliveries on."""
    for number, shop in enumerate(house.shops.values()):
        for kind, rate, seconds in MISBEHAVIOUR:
            told = shop.ask("fault", kind=kind, rate=rate, seconds=seconds, seed=seed + number)
            notes.faults.append({"shop": shop.name, **told})


def behave(house: House, notes: Notes) -> None:
    """Switch them off and note how often each struck."""
    told = [
        {"shop": shop.name, **fault}
        for shop in house.shops.values()
        for fault in shop.ask("faults")["faults"]
    ]
    notes.faults = told
    for shop in house.shops.values():
        shop.ask("clear_faults")


def busy(house: House, notes: Notes, *, orders: int, rate: float, seed: int) -> str:
    """Orders at a steady rate with everything running; `rate` is orders a second over both shops."""
    begun, begun_s, before = now(), time.monotonic(), len(notes.placed)
    _place(house, notes, baskets(list(house.shops), orders, seed), rate, {})
    notes.stretch_s = time.monotonic() - begun_s
    notes.stretch_orders = len(notes.placed) - before
    notes.stretch = (begun, now())
    return _told(notes, before, notes.stretch_s)


def rough(house: House, notes: Notes, *, orders: int, rate: float, seed: int) -> str:
    """The same, while a worker is shot and Valkey is emptied."""
    begun, begun_s, before = now(), time.monotonic(), len(notes.placed)
    happens: Mapping[int, Callable[[], None]] = {
        int(orders * _SHOT_AT): lambda: _shoot(house, notes),
        int(orders * _EMPTIED_AT): lambda: _empty(house, notes),
    }
    _place(house, notes, baskets(list(house.shops), orders, seed + 1000), rate, happens)
    notes.rough = (begun, now())
    told = _told(notes, before, time.monotonic() - begun_s)
    return f"{told}; {_SHOT} killed, Valkey emptied"


def _place(
    house: House,
    notes: Notes,
    baskets: Iterator[tuple[str, list[tuple[str, int]]]],
    rate: float,
    happens: Mapping[int, Callable[[], None]],
) -> None:
    begun_s = time.monotonic()
    for number, (shop, lines) in enumerate(baskets):
        happens.get(number, _nothing)()
        try:
            notes.placed.append(house.shops[shop].order(lines))
        except ShopSays as refusal:
            if refusal.status != 409:
                raise
            notes.sold_out += 1
        early_s = begun_s + (number + 1) / rate - time.monotonic()
        if early_s > 0:
            time.sleep(early_s)


def _nothing() -> None:
    """Most orders come alone."""


def _told(notes: Notes, before: int, took_s: float) -> str:
    placed = notes.placed[before:]
    units = sum(units for order in placed for _, _, units in order.lines)
    return f"{len(placed)} orders, {units} units, {len(placed) / took_s:.1f} orders/s"


def baskets(
    shops: Sequence[str], orders: int, seed: int
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """(shop, lines) one after the other, the same for the same seed."""
    dice = random.Random(seed)
    crowd = (*goods.SHARED, *goods.DIVIDED)
    for _ in range(orders):
        lines: dict[str, int] = {}
        for _ in range(dice.choice((1, 1, 1, 1, 2, 3))):
            sku = dice.choice(goods.HOT if dice.random() < _HOT_SHARE else crowd)
            lines[sku] = dice.choice((1, 1, 1, 2, 3))
        yield dice.choice(shops), list(lines.items())


def _shoot(house: House, notes: Notes) -> None:
    """kill -9 of a worker and all it started; the supervisor brings it back."""
    at = now()
    died = house.stack.supervisor.kill(_SHOT)
    notes.crash = Crash(_SHOT, died, keys_before=-1, keys_after=-1, at=at)


def _empty(house: House, notes: Notes) -> None:
    """FLUSHALL: every bell, every queue, every limit that Valkey held is gone."""
    assert notes.crash is not None
    with house.wiring.redis.pipeline(transaction=True) as together:
        together.dbsize()
        together.flushall()
        together.dbsize()
        before, _, after = together.execute()
    crash = notes.crash
    notes.crash = Crash(crash.worker, crash.died, int(before), int(after), crash.at)
