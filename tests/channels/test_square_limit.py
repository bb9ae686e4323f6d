"""A snapshot under a limit that is nearly used up: each attempt gets somewhere, whatever is left."""

from __future__ import annotations

import pytest

from channels.base import Binding, Reading, Throttled
from channels.limits import Bucket, Limiter
from channels.simulators.square.serving import SquareRunning
from channels.sparing import Sparing
from channels.square.client import Square
from tests.channels.square_rig import CHANNEL, SquareRig


class Account:
    """Our client of the account with ten calls a second, on a clock the test holds."""

    def __init__(self, running: SquareRunning, *, keep: float = 0.0) -> None:
        self.at_s = 0.0
        self.bucket = Bucket(
            None,
            CHANNEL,
            maximum=20,
            restore_rate=10,
            alone_share=1,
            monotonic=lambda: self.at_s,
        )
        limiter: Limiter = Sparing(self.bucket, keep=keep) if keep else self.bucket
        self.client = Square(
            CHANNEL,
            running.facts.base_url,
            running.facts.token,
            limiter=limiter,
            now=running.simulator.clock.now,
        )

    def attempt(self, bindings: list[Binding]) -> tuple[list[Reading], float]:
        """What a snapshot told before its limit ended it, and the seconds it was told to wait; 0 at the end."""
        readings: list[Reading] = []
        try:
            for reading in self.client.snapshot(bindings):
                readings.append(reading)
        except Throttled as refusal:
            return readings, refusal.retry_after_s
        return readings, 0.0


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_who_comes_back_when_told_gets_a_part_of_the_snapshot_each_time(
    square: SquareRig, simulated_account: SquareRunning, keep: float
) -> None:
    rig, stock = square, {"Oslo": 5}
    for begin in range(0, 3000, 1000):
        items = [
            {"variations": [{"sku": f"X{n:05}", "stock": stock}]}
            for n in range(begin, begin + 1000)
        ]
        rig.do("items", items=items)
    bindings = sorted(
        (each for each in rig.channel.bindings(rig.locations) if each.sku.startswith("X")),
        key=lambda binding: binding.sku,
    )
    account = Account(simulated_account, keep=keep)
    account.bucket.take(20 - 20 * keep)
    attempts = 0

    while bindings:
        readings, wait_s = account.attempt(bindings)
        attempts += 1
        assert attempts < 10, "each attempt threw away what it had paid for"
        bindings = bindings[len(readings) :]
        account.at_s += wait_s

    account.client.close()
    assert attempts == 4, "one for nothing, then a thousand each time"


def test_a_snapshot_tells_every_location_of_a_sku_before_the_next(square: SquareRig) -> None:
    locations = {place: name.upper() for name, place in square.places.items()}
    bindings = sorted(square.channel.bindings(locations), key=lambda one: (one.sku, one.location))

    readings = list(square.channel.snapshot(bindings))

    assert [each.binding for each in readings] == bindings
    assert {(r.binding.location, r.units) for r in readings} == {("OSLO", 10), ("BERGEN", 20)}
