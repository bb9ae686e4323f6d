"""The drain keeps the pace: what was ordered counts as of its order, what was cancelled as if it had never been."""

from __future__ import annotations

import math
import random
import runpy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocation import pace_store
from allocation.pace import FAST_S, SLOW_S, Sums, rates
from tests.builders import NOON, a_fact, book, minutes, stock_the_house
from tests.servers import Database

MIGRATION = Path(__file__).parents[2] / "ledger/migrations/versions/0007_exposure.py"

_LINES = """
    SELECT l.sku, l.channel, l.location, greatest(0, l.ordered_units - l.cancelled_units) AS units,
           (SELECT e.occurred_at FROM event e WHERE e.kind = 'order' AND e.channel = l.channel
              AND e.order_id = l.order_id AND e.line_id = l.line_id ORDER BY e.seq LIMIT 1) AS at
    FROM order_line l
    UNION ALL
    SELECT p.sku, coalesce(e.payload ->> 'channel', ''), p.from_location, p.units, e.occurred_at
    FROM event e JOIN posting p ON p.event_id = e.id
    WHERE e.kind = 'ship' AND e.line_id IS NULL AND p.to_state = 'customer'
      AND NOT EXISTS (SELECT FROM event r WHERE r.reverses = e.id)
"""


@pytest.fixture
def engine(database: Database) -> Engine:
    stock_the_house(database.engine)
    return database.engine


def order(number: int, units: int = 1, *, at: datetime = NOON, **said: Any) -> dict[str, Any]:
    """An order of one line; `revision` says it anew."""
    name = f"order:{number}:{said.get('revision', at)}"
    return a_fact("order", id=name, order=str(number), units=units, occurred_at=at, **said)


def cancel(number: int, units: int, *, at: datetime = NOON) -> dict[str, Any]:
    return a_fact(
        "order_cancel", id=f"cancel:{number}", order=str(number), units=units, occurred_at=at
    )


def kept(engine: Engine) -> dict[tuple[str, str, str], Sums]:
    """What is remembered of red and blue mugs, by (SKU, channel, location); what rounding left of nothing is not."""
    with engine.connect() as connection:
        found = pace_store.sums_of(connection, ["MUG-RED", "MUG-BLUE"])
    return {
        (s.sku, s.channel, s.location): s
        for rows in found.values()
        for s in rows
        if s.slow_lines > 1e-9
    }


def from_the_book(engine: Engine, at: Mapping[tuple[str, str, str], Sums]) -> dict[Any, Any]:
    """The sums of the same places at the same moments, from what the book says in the end."""
    with engine.connect() as connection:
        lines = [row for row in connection.execute(text(_LINES)) if row.units]
    expected: dict[tuple[str, str, str], list[float]] = {}
    for sku, channel, location, units, ordered_at in lines:
        key = (sku, channel, location)
        age_s = (at[key].at - ordered_at).total_seconds()
        fast, slow = math.exp(-age_s / FAST_S), math.exp(-age_s / SLOW_S)
        sums = expected.setdefault(key, [0.0, 0.0, 0.0, 0.0])
        for place, more in enumerate((fast, slow, slow * units, slow * units**2)):
            sums[place] += more
    return expected


def agrees_with_the_book(engine: Engine) -> None:
    found = kept(engine)
    expected = from_the_book(engine, found)
    assert found.keys() == expected.keys()
    for key, s in found.items():
        sums = [s.fast_lines, s.slow_lines, s.slow_units, s.slow_squares]
        assert sums == pytest.approx(expected[key], rel=1e-9, abs=1e-9), key


def test_an_order_counts_where_it_is_served_from(engine: Engine) -> None:
    book(engine, order(1, 3), order(2, 5), order(3, 1, location="BERGEN", channel="web"))

    found = kept(engine)

    assert found.keys() == {("MUG-RED", "shopify", "OSLO"), ("MUG-RED", "web", "BERGEN")}
    oslo = found["MUG-RED", "shopify", "OSLO"]
    assert (oslo.slow_lines, oslo.slow_units, oslo.slow_squares) == (2, 8, 34)
    assert (oslo.fast_lines, oslo.since, oslo.at) == (2, NOON, NOON)


def test_eighty_thousand_units_ordered_and_cancelled_leave_the_pace_as_it_was(
    engine: Engine,
) -> None:
    for day in range(28):
        book(engine, order(day, 5, at=NOON - timedelta(days=day)))
    before = kept(engine)["MUG-RED", "shopify", "OSLO"]

    book(engine, order(99, 80_995, at=NOON + minutes(1)), now=NOON + minutes(2))
    book(engine, cancel(99, 80_995, at=NOON + minutes(13)), now=NOON + minutes(14))

    found = rates(kept(engine)["MUG-RED", "shopify", "OSLO"], NOON + minutes(15))
    expected = rates(before, NOON + minutes(15))
    assert found is not None
    assert expected is not None
    assert found.in_use.units_per_day == pytest.approx(expected.in_use.units_per_day, rel=1e-9)
    assert found.in_use.square_per_line == pytest.approx(expected.in_use.square_per_line, rel=1e-5)
    assert not found.spike


def test_an_only_order_that_is_cancelled_is_as_if_it_never_sold(engine: Engine) -> None:
    book(engine, order(1, 80_995))
    book(engine, cancel(1, 80_995, at=NOON + minutes(12)), now=NOON + minutes(12))

    with engine.connect() as connection:
        assert pace_store.paces(connection, ["MUG-RED"], NOON + minutes(12)) == {}
    book(engine, order(2, 1, at=NOON + timedelta(days=5)), now=NOON + timedelta(days=5))
    assert kept(engine)["MUG-RED", "shopify", "OSLO"].since == NOON + timedelta(days=5)


def test_a_smaller_snapshot_takes_back_and_a_larger_one_counts_more(engine: Engine) -> None:
    book(engine, order(1, 10))
    book(engine, order(1, 4, revision=NOON + minutes(5)), now=NOON + minutes(6))

    found = kept(engine)["MUG-RED", "shopify", "OSLO"]

    assert (found.slow_lines, found.slow_units, found.slow_squares) == pytest.approx((1, 4, 16))
    agrees_with_the_book(engine)


def test_a_line_that_is_served_elsewhere_counts_there(engine: Engine) -> None:
    book(engine, order(1, 2))
    book(engine, order(1, 2, location="BERGEN", revision=NOON + minutes(1)), now=NOON + minutes(2))

    assert kept(engine).keys() == {("MUG-RED", "shopify", "BERGEN")}


def test_a_till_sale_counts_for_its_channel_until_it_is_reversed(engine: Engine) -> None:
    till = a_fact("ship", id="till:1", units=2, channel="pos")
    nobody = a_fact("ship", id="gift:1", units=1)
    book(engine, till, nobody)
    assert kept(engine).keys() == {("MUG-RED", "pos", "OSLO"), ("MUG-RED", "", "OSLO")}

    undo = a_fact(
        "reversal", id="undo:1", reverses_source="wms", reverses_id="till:1", reason="typed twice"
    )
    book(engine, undo | {"occurred_at": (NOON + minutes(3)).isoformat()}, now=NOON + minutes(4))

    assert kept(engine).keys() == {("MUG-RED", "", "OSLO")}
    agrees_with_the_book(engine)


def test_an_order_that_is_reversed_and_one_whose_cancel_is_reversed(engine: Engine) -> None:
    book(engine, order(1, 2), order(2, 3), cancel(2, 3, at=NOON + minutes(1)))
    undone = {"reverses_source": "wms", "reason": "by mistake"}
    book(
        engine,
        a_fact("reversal", id="u1", reverses_id=order(1, 2)["id"], **undone),
        a_fact("reversal", id="u2", reverses_id="cancel:2", **undone),
        now=NOON + minutes(5),
    )

    assert kept(engine)["MUG-RED", "shopify", "OSLO"].slow_units == pytest.approx(3)
    agrees_with_the_book(engine)


def test_shipping_an_order_and_what_comes_back_change_nothing(engine: Engine) -> None:
    book(engine, order(1, 2))
    before = kept(engine)

    shipped = a_fact("ship", id="s:1", units=2, channel="shopify", order="1001", line="1")
    del shipped["sku"], shipped["location"]
    book(
        engine,
        shipped | {"order": "1"},
        a_fact("return", id="r:1", units=2, disposition="sellable"),
    )

    assert kept(engine) == before


def test_imported_history_counts_with_its_own_time(engine: Engine) -> None:
    year = NOON - timedelta(days=365)
    book(engine, order(1, 7, at=year, source="history:old", channel="web"))

    found = kept(engine)["MUG-RED", "web", "OSLO"]
    assert (found.at, found.since) == (year, year)
    book(engine, order(2, 1, channel="web"))
    agrees_with_the_book(engine)


def test_the_parts_of_a_bundle_count_each_for_itself(engine: Engine) -> None:
    red = order(1, 2) | {"line": "7#MUG-RED"}
    blue = order(1, 4) | {"line": "7#MUG-BLUE", "sku": "MUG-BLUE", "id": "order:1#MUG-BLUE"}

    book(engine, red, blue)

    assert {key[0]: s.slow_units for key, s in kept(engine).items()} == {
        "MUG-RED": 2,
        "MUG-BLUE": 4,
    }


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_order_of_arrival_the_sums_are_those_of_the_book(
    engine: Engine, seed: int
) -> None:
    chance = random.Random(seed)
    facts = list(_a_busy_month(chance))
    alike = book_in_batches(engine, facts, chance)

    agrees_with_the_book(engine)
    assert alike


def test_a_house_that_sold_before_anybody_counted_knows_its_pace_from_the_book(
    database: Database, engine: Engine
) -> None:
    chance = random.Random(7)
    assert book_in_batches(engine, list(_a_busy_month(chance)), chance)
    before = kept(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM pace"))
    migration = runpy.run_path(str(MIGRATION))

    with database.owner.begin() as connection:
        connection.execute(text(migration["PACE_SO_FAR"]))

    agrees_with_the_book(engine)
    assert kept(engine).keys() == before.keys()


def _a_busy_month(chance: random.Random) -> Sequence[dict[str, Any]]:
    facts = []
    for number in range(60):
        at = NOON - timedelta(seconds=chance.randrange(28 * 86_400))
        units, sku = chance.randint(2, 40), chance.choice(["MUG-RED", "MUG-BLUE"])
        place = {"sku": sku, "location": chance.choice(["OSLO", "BERGEN"]), "channel": "shopify"}
        facts.append(order(number, units, at=at, **place))
        match chance.randrange(5):
            case 0:
                facts.append(cancel(number, units, at=at + minutes(12)))
            case 1:
                facts.append(cancel(number, 1, at=at + minutes(90)))
            case 2:
                facts.append(order(number, 1, at=at, revision=at + minutes(7), **place))
            case 3:
                facts.append(a_fact("ship", id=f"till:{number}", units=units, occurred_at=at))
    return facts


def book_in_batches(engine: Engine, facts: list[dict[str, Any]], chance: random.Random) -> bool:
    """Deliver in any order, some twice, in batches of any size; whether all of it was taken."""
    told = facts + chance.sample(facts, 10)
    chance.shuffle(told)
    while told:
        size = chance.randint(1, 25)
        batch, told = told[:size], told[size:]
        book(engine, *{fact["id"]: fact for fact in batch}.values())
    with engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM inbox WHERE state <> 'applied'"))
        return int(left.scalar_one()) == 0
