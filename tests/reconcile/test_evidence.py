"""Evidence of differing places, asked of the book, the inbox and the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from ledger import inbox
from ledger.db import transaction
from ledger.inbox import Delivery
from reconcile import evidence
from reconcile.types import Case, Observation
from tests.builders import a_fact, book
from tests.reconcile.cases import a_case, a_push
from tests.reconcile.house import CHANNEL, furnish, rows
from tests.servers import Clock, Database

SKU = "TEA-1"


@pytest.fixture
def shop(database: Database, clock: Clock) -> Database:
    """TEA-1 and TEA-2 with 30 to be shown, 30 on the shelf, and a push of an hour ago."""
    furnish(database.engine, {SKU: 30, "TEA-2": 12}, clock=clock)
    book(
        database.engine,
        *(
            a_fact("opening", id=f"opening:{sku}", sku=sku, units=30, occurred_at=long_ago(clock))
            for sku in (SKU, "TEA-2")
        ),
        now=long_ago(clock),
    )
    return database


def long_ago(clock: Clock) -> datetime:
    return clock.now - timedelta(hours=2)


def a_case_of(clock: Clock, read: int, *, sku: str = SKU, pushed: int = 30) -> Case:
    """A place that was pushed an hour ago and is read now."""
    at = clock.now - timedelta(hours=1)
    push = replace(a_push(pushed, 2), sent_at=at, answered_at=at)
    case = a_case(read, target=pushed, pushes=(push,))
    return replace(case, sku=sku, reading=Observation(read, None, clock.now))


def collected(shop: Database, *cases: Case) -> Sequence[Case]:
    with shop.engine.begin() as connection:
        return evidence.collect(connection, CHANNEL, cases)


def an_order(clock: Clock, minutes: float, **said: Any) -> dict[str, Any]:
    return a_fact("order", sku=SKU, occurred_at=clock.now - timedelta(minutes=minutes), **said)


def test_sales_since_the_push_are_told_newest_first(shop: Database, clock: Clock) -> None:
    book(
        shop.engine,
        an_order(clock, 90, id="o:1", order="1", units=9),
        an_order(clock, 40, id="o:2", order="2", units=2),
        an_order(clock, 20, id="o:3", order="3", units=3),
        an_order(clock, 10, id="o:4", order="4", units=5, channel="another"),
        now=clock.now,
    )

    (case,) = collected(shop, a_case_of(clock, 25))

    assert [sale.units for sale in case.clues.sales] == [3, 2]
    assert case.clues.last_order_at == clock.now - timedelta(minutes=20)
    assert case.clues.committed == 19


def test_a_cancel_that_puts_nothing_back_is_no_sale(shop: Database, clock: Clock) -> None:
    book(shop.engine, an_order(clock, 40, id="o:1", order="1", units=5), now=clock.now)
    cancels = [
        a_fact(
            "order_cancel",
            id=f"c:{n}",
            order="1",
            units=n,
            disposition=disposition,
            occurred_at=clock.now - timedelta(minutes=20 - n),
        )
        for n, disposition in ((1, "restock"), (2, "hold"))
    ]
    book(shop.engine, *cancels, now=clock.now)

    (case,) = collected(shop, a_case_of(clock, 26))

    assert [sale.units for sale in case.clues.sales] == [-1, 5]


def test_a_bundles_own_orders_are_told_by_all_of_its_parts(shop: Database, clock: Clock) -> None:
    """TEA-1 as a set of two CUP and one POT; who buys CUPs alone, or another set, buys no TEA-1."""
    with shop.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('CUP'), ('POT')"))
        connection.execute(
            text(
                "INSERT INTO bundle (sku, component, units) VALUES ('TEA-1', 'CUP', 2), ('TEA-1', 'POT', 1)"
            )
        )
    parts = [("1", "CUP", 6), ("1", "POT", 3), ("2", "CUP", 2), ("3", "CUP", 4), ("3", "POT", 1)]
    book(
        shop.engine,
        *(
            a_fact(
                "order",
                id=f"o:{order}#{sku}",
                order=order,
                line=f"7#{sku}",
                sku=sku,
                units=units,
                occurred_at=clock.now - timedelta(minutes=30),
            )
            for order, sku, units in parts
        ),
        now=clock.now,
    )

    (case,) = collected(shop, a_case_of(clock, 27))

    assert [sale.units for sale in case.clues.sales] == [3]


def test_an_order_of_another_source_under_another_line_stands_in_the_book_twice(
    shop: Database, clock: Clock
) -> None:
    book(shop.engine, an_order(clock, 30, id="o:1", order="7", line="11", units=4), now=clock.now)
    book(
        shop.engine,
        an_order(clock, 25, id="o:2", source="oms", order="7", line="1", units=4),
        an_order(clock, 25, id="o:3", order="8", line="1", units=4),
        now=clock.now,
    )

    (case,) = collected(shop, a_case_of(clock, 34))

    (pair,) = case.clues.twice
    assert (pair.order_id, pair.units, pair.source, pair.source_id) == ("7", 4, "oms", "o:2")


def test_two_lines_of_one_delivery_are_two_lines(shop: Database, clock: Clock) -> None:
    book(
        shop.engine,
        an_order(clock, 30, id="o:1", order="7", line="11", units=4),
        an_order(clock, 30, id="o:2", order="7", line="12", units=4),
        now=clock.now,
    )

    (case,) = collected(shop, a_case_of(clock, 34))

    assert case.clues.twice == ()


def test_two_skus_that_show_each_others_number_are_crossed(shop: Database, clock: Clock) -> None:
    tea, other = a_case_of(clock, 12), a_case_of(clock, 30, sku="TEA-2", pushed=12)

    assert [case.clues.crossed for case in collected(shop, tea, other)] == ["TEA-2", "TEA-1"]
    assert [case.clues.crossed for case in collected(shop, tea)] == [None]


def test_a_parked_delivery_that_names_the_sku_is_told(shop: Database, clock: Clock) -> None:
    with transaction(shop.engine) as connection:
        body = orjson.dumps({"line_items": [{"sku": SKU}]})
        inbox.keep(connection, [Delivery(CHANNEL, "d-1", "orders/x", body)], now=clock.now)
    rows(
        shop.engine,
        "UPDATE inbox SET state = 'parked', error = 'not mapped' WHERE delivery_id = 'd-1' RETURNING 1",
    )

    (case,) = collected(shop, a_case_of(clock, 25))

    assert len(case.clues.parked) == 1


def test_a_place_in_quarantine_says_why(shop: Database, clock: Clock) -> None:
    with shop.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO quarantine (channel, sku, location, cause, reason, since)"
                " VALUES (:c, :s, 'OSLO', 'unknown', 'tried four times', :now)"
            ),
            {"c": CHANNEL, "s": SKU, "now": clock.now},
        )

    (case,) = collected(shop, a_case_of(clock, 25))

    assert case.clues.quarantine == "tried four times"
