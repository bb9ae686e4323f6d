"""Pushes that meet: targets that move during a call, answers that come late, several pushers at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from allocation import pushes
from allocation.pushes import Answer
from channels.base import Level
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.shelf import SHOWN, House, a_house, settled
from workers.flows.push import push


def test_a_target_that_moves_during_the_call_goes_out_again_at_once(house: House) -> None:
    settled(house).set(A=8)

    def sell(levels: Sequence[Level]) -> None:
        house.shelf.during = lambda levels: None
        house.set(A=6)

    house.shelf.during = sell

    report = push(house.lane)

    assert report.confirmed == 2
    assert house.shelf.calls == [{"A": (8, 10)}, {"A": (6, 8)}]
    assert house.rows(SHOWN + " WHERE sku = 'A'") == [(6, 3, None)]
    assert house.queue() == {}


def test_back_to_what_was_sent_before_is_still_sent_while_another_number_is_on_its_way(
    house: House,
) -> None:
    settled(house).set(A=8)

    def undo(levels: Sequence[Level]) -> None:
        house.shelf.during = lambda levels: None
        house.set(A=10)

    house.shelf.during = undo
    push(house.lane)
    house.clock.advance(1)
    push(house.lane)

    assert house.shelf.numbers["A"] == 10


def test_an_answer_that_comes_late_never_overwrites_a_newer_number(house: House) -> None:
    settled(house).set(A=8)
    with transaction(house.engine) as connection:
        (slow,) = pushes.claim_pushes(connection, "shop", 10, house.clock.now, 60.0, "slow")
    house.clock.advance(61)
    house.set(A=5)
    push(house.lane)
    house.set(A=4)
    with transaction(house.engine) as connection:
        pushes.claim_pushes(connection, "shop", 10, house.clock.now, 60.0, "other")

    with transaction(house.engine) as connection:
        answer = Answer(slow, "confirmed")
        pushes.settle_pushes(connection, [answer], house.clock.now, house.clock.now)

    assert house.rows(SHOWN + " WHERE sku = 'A'") == [(5, 3, None)]
    assert house.rows("SELECT push_key, leased_until IS NULL FROM push_due") == [("other", False)]


class Airspace:
    """Sees which SKUs are in a call at the same moment, and lets calls meet."""

    def __init__(self) -> None:
        self.flying: Counter[str] = Counter()
        self.collisions: list[str] = []
        self.lock = threading.Lock()
        self.meeting = threading.Barrier(3)

    def fly(self, levels: Sequence[Level]) -> None:
        skus = [level.binding.sku for level in levels]
        with self.lock:
            self.flying.update(skus)
            self.collisions += [sku for sku in skus if self.flying[sku] > 1]
        try:
            self.meeting.wait(0.05)
        except threading.BrokenBarrierError:
            self.meeting.reset()
        with self.lock:
            self.flying.subtract(skus)


def test_pushers_never_send_the_same_row_at_once(database: Database, clock: Clock) -> None:
    skus = [f"S{number:03}" for number in range(120)]
    house = a_house(database.engine, clock, *skus)
    house.shelf.push_rows = 7
    airspace = Airspace()
    house.shelf.during = airspace.fly
    house.set(**dict.fromkeys(skus, 5))
    stop = threading.Event()

    def change() -> None:
        for units in (4, 3, 2):
            house.set(**dict.fromkeys(skus, units))
        stop.set()

    def send() -> None:
        while not stop.is_set():
            push(house.lane)

    threads = [threading.Thread(target=work) for work in (change, send, send, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    push(house.lane)

    assert airspace.collisions == []
    assert set(house.shelf.numbers.values()) == {2}
    assert house.queue() == {}
