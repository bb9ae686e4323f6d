"""The shop says 200 and keeps the old number: 50 are shown where 30 are left, and somebody is about to buy 45.

The warehouse books that 20 are gone. The write of 30 is answered as done, and changes nothing. Seconds count, so the
house is walked second by second, as its workers are rung: the sweep every three seconds, a read-back two seconds after
each confirmed push.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows.allocate import allocate
from workers.flows.halts import lift, work_halts
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.sweep import sweep
from workers.flows.verify import verify

SKU = "SKU-A"
SWEEP_S = 3


@dataclass
class Seconds:
    """A house whose seconds are told one by one.

    told    (seconds since the swallowed write, what happened)
    """

    shop: ShopHouse
    told: list[tuple[int, str]] = field(default_factory=list)
    read_at: list[datetime] = field(default_factory=list)
    keys: int = 0

    @property
    def lane(self) -> Lane:
        return Lane(
            engine=self.shop.database.engine,
            client=self.shop.rig.channel,
            now=self.shop.rig.now,
            chance=lambda: 0.5,
            new_key=self._key,
            rise_wait_s=1.0,
            verify_after_s=2.0,
        )

    def _key(self) -> str:
        self.keys += 1
        return f"silent-{self.keys}"

    def pass_by(self, seconds: int) -> None:
        """Let so many seconds go by; every one of them rings whoever would be rung then."""
        for second in range(1, seconds + 1):
            self.shop.rig.advance(1)
            now = self.shop.rig.now()
            self._work(
                second, swept=second % SWEEP_S == 0, read=any(at <= now for at in self.read_at)
            )

    def _work(self, second: int, *, swept: bool, read: bool) -> None:
        engine, rig = self.shop.database.engine, self.shop.rig
        waiting = sweep(engine, now=rig.now()) if swept else None
        allocate(engine, now=rig.now, rise_wait_s=1.0)
        if read or (waiting is not None and CHANNEL in waiting.pushes):
            self.read_at = [at for at in self.read_at if at > rig.now()]
            found = verify(self.lane)
            if found.too_much:
                self.told.append((second, "found"))
            if found.ring_halts:
                self.told.append((second, "halt wanted"))
        if (self.told and self.told[-1][1] == "halt wanted") or (waiting and waiting.halts):
            report = work_halts(engine, rig.channel, channel=CHANNEL, now=rig.now)
            self.told += [(second, "halted") for _ in report.set]
        self.push(second)

    def push(self, second: int = 0) -> None:
        report = push(self.lane)
        if report.confirmed:
            self.told.append((second, f"pushed {report.confirmed}"))
            self.read_at.append(self.shop.rig.now() + timedelta(seconds=2))

    def shown(self) -> int:
        return int(self.shop.rig.level(SKU)["available"])

    def order(self, units: int) -> bool:
        """Whether a buyer gets so many."""
        asked: dict[str, Any] = {"lines": [{"sku": SKU, "units": units}], "location": "Oslo"}
        placed = self.shop.rig.do("orders", orders=[asked])["orders"]
        return "refused" not in placed[0]


@pytest.fixture
def seconds(rig: ShopifyRig, database: Database) -> Seconds:
    shop = a_shop_house(rig, database)
    shop.fact(kind="receipt", id="r-1", sku=SKU, location="OSLO", units=40)
    house = Seconds(shop)
    allocate(database.engine, now=rig.now, rise_wait_s=0)
    house.pass_by(9)
    assert house.shown() == 50
    house.told.clear()
    return house


def _swallowed(seconds: Seconds, times: int) -> None:
    """20 units are gone, and the shop forgets so many writes that it confirms."""
    seconds.shop.rig.fault("swallow", sku=SKU, count=times)
    facts = {"kind": "write_off", "sku": SKU, "location": "OSLO", "units": 20, "reason": "wet"}
    seconds.shop.fact(id="w-1", **facts)
    allocate(seconds.shop.database.engine, now=seconds.shop.rig.now, rise_wait_s=1.0)
    seconds.push()
    assert seconds.told == [(0, "pushed 1")]
    assert seconds.shown() == 50


def test_a_swallowed_write_is_found_and_corrected_within_ten_seconds(seconds: Seconds) -> None:
    _swallowed(seconds, times=1)

    seconds.pass_by(10)

    assert ("found" in [what for _, what in seconds.told]) is True
    assert seconds.told[1][0] <= 5
    assert seconds.shown() == 30
    assert seconds.order(45) is False
    assert seconds.order(30) is True
    assert seconds.shop.rows("SELECT cause, resolved_at IS NOT NULL FROM drift") == [
        ("swallowed_update", True)
    ]
    assert seconds.shop.rows("SELECT count(*) FROM halt") == [(0,)]


def test_what_a_repair_does_not_cure_is_off_sale_within_ten_seconds(seconds: Seconds) -> None:
    before = seconds.shop.rig.channel.sale_state(seconds.shop.rig.bindings()[SKU])
    _swallowed(seconds, times=2)

    seconds.pass_by(10)

    assert [what for _, what in seconds.told][-2:] == ["halt wanted", "halted"]
    assert seconds.shown() == 0
    assert (seconds.order(45), seconds.order(1)) == (False, False)

    engine, rig = seconds.shop.database.engine, seconds.shop.rig
    lift(engine, channel=CHANNEL, sku=SKU, reason="looked at", by="ann", now=rig.now())
    seconds.pass_by(9)

    after = rig.channel.sale_state(rig.bindings()[SKU])
    assert (after["policy"], after["units"]) == (before["policy"], "30")
    assert seconds.order(45) is False


def test_the_order_of_45_meets_30_whenever_it_comes_after_ten_seconds(seconds: Seconds) -> None:
    _swallowed(seconds, times=1)
    seconds.pass_by(10)

    for _ in range(3):
        seconds.pass_by(5)
        assert seconds.order(45) is False
    assert seconds.shown() == 30
