"""All vendors are away for twenty minutes and come back: no drift, no halt, what is at risk goes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.databases import Shelf
from tests.journeys.trade import AMAZON, GROCER, SHOP, TILL, Trade
from tests.journeys.trade_opened import a_trade
from workers.alerts.types import Limits
from workers.flows import alerts

pytestmark = pytest.mark.slow

WITH_API = (AMAZON, SHOP, TILL)
FAST, GONE, FEWER, MORE = "SKU-00", "SKU-02", "SKU-03", "SKU-08"


@dataclass
class Outage:
    """What twenty minutes without vendors left behind; `back_at` is when they were there again.

    asked        calls that each vendor was sent while it was away
    raised       alarms that were on at its end
    caught_up    seconds until each vendor showed what the book has
    """

    trade: Trade
    away_at: datetime
    back_at: datetime
    asked: dict[str, int]
    raised: set[tuple[str, str]]
    caught_up: dict[str, float]


@pytest.fixture(scope="module")
def outage(shelf: Shelf) -> Iterator[Outage]:
    database = shelf.lend()
    units = dict.fromkeys((f"SKU-{number:02}" for number in range(10)), 40)
    with a_trade(database, units) as trade:
        sells_fast(trade, FAST)
        trade.pass_time(540, 90)
        yield gone_for_twenty_minutes(trade)
    shelf.take_back(database)


def sells_fast(trade: Trade, sku: str) -> None:
    """Four lines a minute for years."""
    now = trade.now()
    with trade.database.superuser.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)
                VALUES (:sku, 'shop', 'OSLO', 40, :lines, :lines, :lines, :now, :since)
            """),
            {
                "sku": sku,
                "lines": 4 / 60 * 28 * 86_400,
                "now": now,
                "since": now - timedelta(600),
            },
        )


def gone_for_twenty_minutes(trade: Trade) -> Outage:
    """Orders come in from whoever can still tell them, and the warehouse moves stock."""
    before = {name: len(trade.vendors[name].calls()) for name in WITH_API}
    trade.go_away()
    away_at = trade.now()
    trade.vendors[SHOP].do("order", lines=[{"sku": "SKU-04", "units": 3}], location="Oslo")
    trade.vendors[AMAZON].do("order", lines=[{"sku": "SKU-07", "units": 2}])
    sold = [{"sku": "SKU-06", "units": 2}]
    trade.vendors[TILL].do("sale", location="Oslo", lines=sold)
    trade.tell("receipt", MORE, 20)
    trade.pass_time(240, 60)
    trade.tell("write_off", FEWER, 30, reason="fell off the shelf")
    trade.tell("write_off", FAST, 30, reason="fell off the shelf")
    trade.pass_time(240, 60)
    trade.tell("write_off", GONE, 40, reason="fell off the shelf")
    trade.pass_time(420, 60)
    look(trade)
    trade.vendors[SHOP].do("order", lines=[{"sku": "SKU-05", "units": 3}], location="Oslo")
    trade.vendors[TILL].do("sale", location="Oslo", lines=sold)
    trade.pass_time(300, 60)
    look(trade)
    asked = {name: len(trade.vendors[name].calls()) - before[name] for name in WITH_API}
    raised = set(trade.rows("SELECT rule, object FROM alarm WHERE resolved_at IS NULL"))
    trade.come_back()
    back_at = trade.now()
    caught_up = catch_up(trade, back_at)
    for _ in range(3):
        trade.pass_time(300, 60)
        look(trade)
    return Outage(trade, away_at, back_at, asked, raised, caught_up)


def catch_up(trade: Trade, back_at: datetime) -> dict[str, float]:
    """Go on until everybody shows what there is."""
    done: dict[str, float] = {}
    while len(done) < len(trade.vendors) and trade.now() - back_at < timedelta(minutes=10):
        trade.pass_time(10, 10)
        there = trade.available()
        for name in trade.vendors:
            if name not in done and trade.shown(name) == there:
                done[name] = (trade.now() - back_at).total_seconds()
    return done


def look(trade: Trade) -> None:
    """Look at every rule of alerts."""
    seen = alerts.watch(trade.database.engine, now=trade.now(), limits=Limits(), doors=[])
    assert not seen.failed, seen.failed


def test_nothing_drifted_and_nothing_was_halted(outage: Outage) -> None:
    trade = outage.trade

    assert trade.rows("SELECT channel, sku, expected, actual, cause FROM drift") == []
    assert trade.rows("SELECT channel, sku, reason FROM halt") == []


def test_everybody_shows_what_is_there_again_and_every_order_is_booked(outage: Outage) -> None:
    there = outage.trade.available()

    assert set(outage.caught_up) == set(outage.trade.vendors), outage.caught_up
    assert there == {
        "SKU-00": 10,
        "SKU-01": 40,
        "SKU-02": 0,
        "SKU-03": 10,
        "SKU-04": 37,
        "SKU-05": 37,
        "SKU-06": 36,
        "SKU-07": 38,
        "SKU-08": 60,
        "SKU-09": 40,
    }


def test_the_window_in_the_outage_is_marked_and_told_and_the_next_one_is_good(
    outage: Outage,
) -> None:
    trade = outage.trade
    ended = dict(
        trade.rows(
            "SELECT channel, array_agg(state ORDER BY window_at) FROM run"
            " WHERE job = 'reconcile' AND window_at < :back GROUP BY channel",
            back=outage.back_at,
        )
    )

    assert {name: ended[name] for name in WITH_API} == {
        name: ["done", "failed", "done"] for name in WITH_API
    }
    loud = {("missed_window", f"channel:{name}") for name in WITH_API}
    loud |= {("push.stuck", f"channel:{name}") for name in WITH_API}
    loud |= {("job.missed", f"run:orders/{name}") for name in WITH_API}
    assert loud <= outage.raised
    still_on = trade.rows(
        "SELECT rule FROM alarm WHERE resolved_at IS NULL AND rule <> 'stock.low'"
    )
    assert still_on == []


def test_what_sold_out_goes_first_then_drops_the_fast_seller_before_the_others_then_rises(
    outage: Outage,
) -> None:
    # Amazon takes one at a time, and its own log has their order.
    patched = [
        sku
        for call in outage.trade.vendors[AMAZON].calls()
        if call["operation"] == "patchListingsItem" and call["at"] >= outage.back_at.isoformat()
        for sku in call["skus"]
    ]

    assert [sku for sku in patched if sku in (FAST, GONE, FEWER, MORE)] == [GONE, FAST, FEWER, MORE]


def test_vendors_that_are_away_are_not_hammered(outage: Outage) -> None:
    assert max(outage.asked.values()) < 150, outage.asked


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        # Points of the plan, and points a second (shopify.dev, rate limits of the GraphQL Admin API).
        (SHOP, {"": (2000.0, 100.0)}),
        # Tokens and tokens a second of each operation (the models' usage plans).
        (
            AMAZON,
            {
                "patchListingsItem": (5.0, 5.0),
                "searchListingsItems": (5.0, 5.0),
                "getListingsItem": (5.0, 5.0),
                "searchOrders": (20.0, 1 / 178),
            },
        ),
    ],
)
def test_no_vendors_limit_was_passed(
    outage: Outage, name: str, allowed: dict[str, tuple[float, float]]
) -> None:
    calls = outage.trade.vendors[name].calls()

    assert [call for call in calls if refused(call)] == []
    for operation, (most, per_s) in allowed.items():
        mine = [call for call in calls if operation in ("", call["operation"])]
        assert least_left(mine, most, per_s) >= 0, operation


def test_the_tills_were_asked_less_than_the_house_allows_itself(outage: Outage) -> None:
    calls = outage.trade.vendors[TILL].calls()

    # Square states no number: a 429 is all it says.
    assert [call for call in calls if call["status"] == 429] == []
    assert outage.trade.rows("SELECT count(*) FROM edi_mailbox WHERE partner = :p", p=GROCER) == [
        (1,)
    ]


def refused(call: dict[str, Any]) -> bool:
    """Whether the vendor said that its limit was reached."""
    return call.get("outcome") == "throttled" or call.get("status") == 429


def least_left(calls: list[dict[str, Any]], most: float, per_s: float) -> float:
    """The least that the vendor's bucket held after one of these calls, by the vendor's own log."""
    held, at, least = most, None, most
    for call in calls:
        moment = datetime.fromisoformat(call["at"])
        if at is not None:
            held = min(most, held + (moment - at).total_seconds() * per_s)
        at = moment
        # A shop charges points, what it answers with an error none.
        held -= float(call.get("actual") or 0) if "requested" in call else 1.0
        least = min(least, held)
    return least
