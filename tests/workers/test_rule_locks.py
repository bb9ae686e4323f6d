"""Rules are put in force while others write the book: locks are taken in one order."""

from __future__ import annotations

import threading

from allocation import sightings
from allocation.document import read
from tests.workers.shelf import RULES, House, settled, write_stock
from tests.workers.waiting import until_somebody_waits
from workers.flows.drafts import put_in_force


def test_rules_come_in_force_while_a_delivery_moves_stock_and_asks_for_orders(house: House) -> None:
    settled(house)
    applied: list[int] = []

    def apply() -> None:
        document = read(RULES)
        done = put_in_force(house.engine, RULES, document, "ann", "test", house.clock.now)
        applied.append(done.version)

    thread = threading.Thread(target=apply)
    with house.engine.begin() as connection:
        write_stock(connection, house.clock.now, {"A": 3})
        thread.start()
        until_somebody_waits(house)
        sightings.ask_for_orders(connection, ["shop"], house.clock.now)
    thread.join(10)

    assert applied == [2]
