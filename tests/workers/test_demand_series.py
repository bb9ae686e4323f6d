"""Demand out of the book: the pace kept is what the book comes to; what says nothing about demand is left out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Engine, text

from allocation import pace_store
from allocation.cover import safety_units
from allocation.document import read
from allocation.pace import Sums, rates
from allocation.planning import demand_store
from allocation.planning.chances import shape_of, wanted
from allocation.planning.replenishment import reorder_point
from allocation.planning.series import Series, per_day_spread, periods
from allocation.risk import buffer_units
from allocation.types import Pace, Safety, Which
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from tests.builders import NOON, a_fact, a_house, book, minutes, stock_the_house
from tests.servers import Clock, Database
from tests.workers.fit_rig import FIRST, Trade, a_trade, rule_text
from workers.flows.disturb import Arrival, disturb
from workers.flows.ingest import drain

SKUS = ("MUG-RED", "MUG-BLUE")
DAY = timedelta(days=1)
RULES = read(rule_text(FIRST)).rules()


def order(number: int, units: int, **said: Any) -> dict[str, Any]:
    name = f"order:{number}:{said.get('revision', '')}"
    return a_fact("order", id=name, order=str(number), units=units, **said)


def a_month(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Orders, some smaller later, some cancelled in part or whole, till sales, some of them undone."""
    for number in range(150):
        at = NOON - timedelta(seconds=chance.randrange(28 * 86_400))
        place = {"sku": chance.choice(SKUS), "location": chance.choice(["OSLO", "BERGEN"])}
        units = chance.randint(2, 40)
        yield order(number, units, occurred_at=at, **place)
        cancel = {"id": f"cancel:{number}", "order": str(number)}
        match number % 6:
            case 0:
                yield a_fact("order_cancel", units=units, occurred_at=at + minutes(12), **cancel)
            case 1:
                yield a_fact("order_cancel", units=1, occurred_at=at + minutes(90), **cancel)
            case 2:
                yield order(number, 1, occurred_at=at, revision=at + minutes(7), **place)
            case 3:
                till = {"id": f"till:{number}", "channel": "pos", "units": units}
                yield a_fact("ship", occurred_at=at, **till, **place)
            case 4:
                yield a_fact("ship", id=f"gift:{number}", occurred_at=at, units=1, **place)


def book_badly(engine: Engine, facts: Sequence[dict[str, Any]], seed: int) -> None:
    """Doubled, late, cancels before their orders, in batches of any size."""
    told = disturb([Arrival(f"{fact['id']}", fact) for fact in facts], seed=seed)
    chance = random.Random(seed)
    while told:
        size = chance.randint(1, 40)
        batch, told = told[:size], told[size:]
        with transaction(engine) as connection:
            rows = [Delivery("wms", a.delivery_id, FACT_TOPIC, orjson.dumps(a.fact)) for a in batch]
            inbox.keep(connection, rows, now=NOON)
        drain(a_house(engine), now=NOON)


def kept(connection: Connection) -> dict[tuple[str, str, str], Sums]:
    found = pace_store.sums_of(connection, SKUS)
    return {
        (s.sku, s.channel, s.location): s
        for rows in found.values()
        for s in rows
        if s.slow_lines > 1e-9
    }


def anew(connection: Connection) -> dict[tuple[str, str, str], Sums]:
    found = demand_store.recomputed(connection, SKUS, NOON + DAY)
    return {(s.sku, s.channel, s.location): s for s in found}


@pytest.mark.parametrize("seed", range(3))
def test_the_pace_kept_with_each_booking_is_what_the_book_comes_to_computed_anew(
    database: Database, seed: int
) -> None:
    stock_the_house(database.engine, SKUS)
    book_badly(database.engine, list(a_month(random.Random(seed))), seed)

    with database.engine.connect() as connection:
        events, batch = kept(connection), anew(connection)
        told = demand_store.bought(connection, SKUS, date(2026, 1, 1), date(2026, 3, 4))

    assert events.keys() == batch.keys()
    for place, s in events.items():
        other = batch[place].faded(s.at)
        mine = (s.faded(other.at).slow_units, s.faded(other.at).slow_lines)
        assert mine == pytest.approx((other.slow_units, other.slow_lines), rel=1e-9), place
    assert sum(row.units * row.lines for row in told) == _units_of_the_book(database.engine)


def _units_of_the_book(engine: Engine) -> int:
    """Units that left `available` for customers and their orders and did not come back: what the balances say."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("SELECT sum(units) FROM balance WHERE state IN ('committed', 'customer')")
            ).scalar_one()
        )


def test_eighty_thousand_ordered_and_cancelled_leave_velocity_reorder_point_and_buffer_as_they_were(
    database: Database,
) -> None:
    stock_the_house(database.engine, SKUS)
    chance = random.Random(5)
    orders = [
        order(n, chance.randint(1, 6), occurred_at=NOON - timedelta(hours=8 * n)) for n in range(80)
    ]
    book(database.engine, *orders)
    before = planned(database.engine)

    at = NOON + minutes(1)
    book(database.engine, order(999, 80_995, occurred_at=at), now=at)
    spike = planned(database.engine)
    gone = {"order": "999", "units": 80_995, "occurred_at": at + minutes(12)}
    book(database.engine, a_fact("order_cancel", **gone), now=at + minutes(13))
    after = planned(database.engine)

    assert spike["buffer"] > before["buffer"], "while it stands it is a sale like any other"
    assert after["series"] == before["series"]
    assert after["point"] == before["point"]
    assert after["buffer"] == before["buffer"]
    assert after["safety"] == before["safety"]
    assert after["velocity"] == pytest.approx(before["velocity"], rel=1e-9)


def planned(engine: Engine) -> dict[str, Any]:
    """What follows from the demand of the red mug, an hour after noon."""
    now, first, until = NOON + minutes(60), date(2026, 2, 1), date(2026, 3, 3)
    with engine.connect() as connection:
        (series,) = demand_store.demand(connection, ["MUG-RED"], RULES, first, until)["MUG-RED"]
        (sums,) = pace_store.sums_of(connection, ["MUG-RED"])["MUG-RED"]
    found = rates(sums, now)
    assert found is not None
    assert series.per_day is not None
    lead = wanted(series.per_day, per_day_spread(series.units, series.open), 14, 3)
    pace: Pace = found.in_use
    safety = Safety(Which(sku="*"), None, service=Decimal("0.95"), lead_days=Decimal(14))
    return {
        "series": (series.units, series.open),
        "point": reorder_point(lead, shape_of(lead), 0.95),
        "velocity": pace.units_per_day,
        "buffer": buffer_units(
            pace.lines_per_s * 900, pace.units_per_line, pace.square_per_line, 0.01
        ),
        "safety": safety_units(safety, [pace]),
    }


@pytest.fixture
def trade(database: Database, clock: Clock) -> Trade:
    """Three channels of one warehouse, from a Monday on."""
    return a_trade(database.engine, clock)


def week_of(trade: Trade, channel: str, week: int = 0) -> Series:
    first = trade.monday.date() + timedelta(days=7 * week)
    with trade.engine.connect() as connection:
        found = demand_store.demand(connection, ["MUG"], RULES, first, first + timedelta(days=7))
    (one,) = [s for s in found["MUG"] if s.place[1] == channel]
    return one


def sell_for_days(trade: Trade, days: Sequence[int], channel: str = "web", units: int = 4) -> None:
    for day in days:
        trade.at(0, hours=24 * day + 10)
        trade.sell(channel, units)


def test_days_on_which_a_channel_shows_nothing_are_no_days_without_demand(trade: Trade) -> None:
    trade.receive(14)
    sell_for_days(trade, [0, 1, 2])
    trade.at(0, hours=72)
    trade.book("write_off", "MUG", units=2)
    trade.at(0, hours=144)
    trade.receive(500)
    sell_for_days(trade, [6])

    found = week_of(trade, "web")

    assert found.units == (4, 4, 4, 0, 0, 0, 4)
    assert list(found.open) == [1, 1, 1, 0, 0, 0, 1]
    assert found.per_day == 4
    assert sum(found.units) / 7 < 3, "what a plain mean would plan with"
    assert periods(found.units, found.open) == [28]


def test_halted_minutes_are_no_time_without_demand(trade: Trade) -> None:
    trade.receive(500)
    sell_for_days(trade, range(5))
    trade.run(
        "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, lifted_at, state)"
        " VALUES ('web', 'MUG', 'shows too much', 'ann', :at, :at, :lifted, 'lifted')",
        at=trade.monday + timedelta(days=4, hours=18),
        lifted=trade.monday + timedelta(days=6, hours=6),
    )

    web = week_of(trade, "web")
    assert list(web.open) == [1, 1, 1, 1, 0.75, 0, 0.75]
    assert web.per_day == pytest.approx(20 / 5.5)
    sell_for_days(trade, [6], "market")
    assert list(week_of(trade, "market").open) == [1] * 7


def test_a_halt_that_stands_has_no_end_yet(trade: Trade) -> None:
    trade.receive(500)
    sell_for_days(trade, [0])
    trade.run(
        "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at)"
        " VALUES ('web', 'MUG', 'shows too much', 'ann', :at, :at)",
        at=trade.monday + timedelta(days=2),
    )

    assert list(week_of(trade, "web").open) == [1, 1, 0, 0, 0, 0, 0]


def test_a_one_off_bulk_line_is_named_and_left_out(trade: Trade) -> None:
    trade.receive(5000)
    sell_for_days(trade, range(6))
    trade.sell("web", 900)

    found = week_of(trade, "web")

    assert found.units == (4, 4, 4, 4, 4, 4, 0)
    assert [(line.units, line.day) for line in found.bulk] == [
        (900, trade.monday.date() + timedelta(days=5))
    ]


def test_a_channel_whose_numbers_nobody_here_sets_is_open(trade: Trade) -> None:
    trade.receive(50)
    sell_for_days(trade, [0])
    trade.at(0, hours=30)
    trade.book("ship", "MUG", units=2, channel="till")

    found = week_of(trade, "till")

    assert found.units == (0, 2, 0, 0, 0, 0, 0)
    assert list(found.open) == [1] * 7


def test_days_before_a_sku_was_bought_first_are_none_of_its_days(trade: Trade) -> None:
    trade.receive(50)
    sell_for_days(trade, [4])

    found = week_of(trade, "web")

    assert (found.first, found.units) == (trade.monday.date() + timedelta(days=4), (4, 0, 0))
