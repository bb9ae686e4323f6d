"""From past sales to a call outside: a forecast, an order takes a place down to its point, a look, a signed word."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from allocation.planning import level_store
from allocation.planning.level_store import Stands
from ledger.db import transaction
from tests.builders import NOON, a_fact, book
from tests.feed.hook_rig import send, subscribe
from tests.feed.receiver import Receiver
from tests.servers import Clock
from workers.flows import forecasting, planning

WEEKS = 20
PLACE = {"sku": "MUG", "location": "WH"}


def order(engine: Engine, name: str, units: int, clock: Clock, weeks_ago: int = 0) -> None:
    at = clock.now - timedelta(weeks=weeks_ago)
    book(
        engine,
        a_fact("order", id=name, order=name, units=units, channel="shop", occurred_at=at, **PLACE),
        now=clock.now,
    )


def at_the_place(engine: Engine) -> Stands:
    with transaction(engine) as connection:
        (found,) = level_store.of_sku(connection, "MUG")
    return found


def test_a_place_that_an_order_takes_to_its_forecast_point_is_told_outside_signed(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    clock.now = NOON
    subscribe(engine, receiver, clock, "reorder.needed")
    arrived = NOON - timedelta(weeks=30)
    book(engine, a_fact("receipt", units=500, occurred_at=arrived, **PLACE), now=NOON)
    for week in range(WEEKS, 0, -1):
        order(engine, f"week-{week}", 3 + week % 4, clock, week)

    forecasting.run(engine, lambda: clock.now)
    stands = at_the_place(engine)
    above = stands.standing.on_hand - stands.level.reorder_point
    clock.advance(60)
    planning.look(engine, clock.now)
    order(engine, "nearly", above - 1, clock)
    clock.advance(86_400)
    planning.look(engine, clock.now)
    send(engine, clock)
    before = list(receiver.came)
    order(engine, "the-last", 1, clock)
    clock.advance(86_400)
    fell = planning.look(engine, clock.now)
    send(engine, clock)
    send(engine, clock)

    assert stands.level.reorder_point > 0
    assert above > 1
    assert before == []
    assert fell == [("MUG", "WH")]
    assert receiver.refused == []
    ((_, told),) = receiver.came
    assert told["type"] == "reorder.needed"
    levels = {
        "reorder_point": stands.level.reorder_point,
        "order_up_to": stands.level.order_up_to,
    }
    assert (PLACE | levels).items() <= told["data"].items()
