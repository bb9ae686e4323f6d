"""Scarce stock over the real flows: what two shops show together is never more than what is there."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allocation import backlog, missing, outlook_store, pushes
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.two_shops import SHOPS, TwoShops
from workers.flows.sweep import sweep

_names = itertools.count(1)

shops = st.sampled_from(SHOPS)
moves = st.one_of(
    st.tuples(st.just("sell"), shops, st.integers(1, 4)),
    st.tuples(
        st.sampled_from(("hear", "push", "push", "lost", "cut", "verify")), shops, st.just(0)
    ),
    st.tuples(st.sampled_from(("calculate", "heard up to now")), shops, st.just(0)),
    # Demand turns to one shop, and with it the quotas.
    st.tuples(st.just("demand"), shops, st.integers(5, 90)),
)


@pytest.fixture
def two(database: Database, clock: Clock) -> TwoShops:
    return TwoShops(database, clock)


def play(two: TwoShops, sku: str, move: tuple[str, str, int]) -> None:
    what, shop, units = move
    match what:
        case "sell":
            two.sell(shop, sku, units)
        case "hear":
            two.hear(shop)
        case "push" | "lost" | "cut":
            two.push(shop, lost=what == "lost", cut=what == "cut")
        case "verify":
            two.verify(shop)
        case "demand":
            demand(two, sku, shop, units)
        case "heard up to now":
            while two.unheard[shop]:
                two.hear(shop)
            with transaction(two.database.engine) as connection:
                missing.all_heard(connection, shop, two.clock.now, two.clock.now)
        case _:
            two.calculate()


def demand(two: TwoShops, sku: str, shop: str, lines: int) -> None:
    """A shop has sold so many lines in the last minutes."""
    with two.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
            " VALUES (%(sku)s, %(shop)s, 'WH', %(n)s, %(n)s, %(n)s, %(n)s, %(now)s, %(now)s)"
            " ON CONFLICT (sku, channel, location) DO UPDATE SET fast_lines = excluded.fast_lines, at = excluded.at",
            {"sku": sku, "shop": shop, "n": lines * 20, "now": two.clock.now},
        )
        connection.exec_driver_sql(
            "INSERT INTO due (sku, since) VALUES (%(sku)s, %(now)s) ON CONFLICT (sku) DO NOTHING",
            {"sku": sku, "now": two.clock.now},
        )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(2, 20), st.lists(moves, min_size=8, max_size=40))
def test_no_order_of_sales_pushes_and_failures_shows_more_than_there_is(
    two: TwoShops, stock: int, played: list[tuple[str, str, int]]
) -> None:
    sku = f"S{next(_names)}"
    two.open(sku, stock)
    assert two.holds(sku)

    for move in played:
        play(two, sku, move)
        assert two.holds(sku), (move, two.shown(sku), two.stock[sku])


def test_deep_stock_is_shared_and_scarce_stock_is_divided(two: TwoShops) -> None:
    two.open("A", 100)
    deep = two.shown("A")

    two.take("A", 92)
    two.calculate()
    for shop in SHOPS:
        two.push(shop)

    assert deep["shop"] == deep["mall"] > 50
    assert two.shown("A") == {"shop": 4, "mall": 4}
    assert two.rows("SELECT sku, scarce, held FROM exposure WHERE scarce <> '{}'") == [
        ("A", ["WH"], False)
    ]


def test_a_number_rises_only_when_the_other_shop_has_let_go(two: TwoShops) -> None:
    two.open("A", 8)
    demand(two, "A", "shop", 90)
    demand(two, "A", "mall", 5)

    two.calculate()
    two.push("shop")
    held = two.shown("A"), two.rows("SELECT held FROM exposure WHERE sku = 'A'")
    two.push("mall")
    due = two.rows("SELECT sku FROM due")
    two.calculate()
    two.push("shop")

    assert held == ({"shop": 4, "mall": 4}, [(True,)])
    assert due == [("A",)]
    assert sum(two.shown("A").values()) == 8
    assert two.shown("A")["shop"] > 4


def test_what_a_reading_finds_gone_is_nobodys_until_its_order_is_heard(two: TwoShops) -> None:
    two.open("A", 8)
    two.sell("shop", "A", 3)
    two.verify("shop")
    missed = two.rows("SELECT channel, missing FROM shown WHERE missing > 0")

    demand(two, "A", "mall", 90)
    demand(two, "A", "shop", 5)
    for _ in range(3):
        two.calculate()
        for shop in SHOPS:
            two.push(shop)
    before = two.shown("A")
    two.hear("shop")
    for _ in range(3):
        two.calculate()
        for shop in SHOPS:
            two.push(shop)

    assert missed == [("shop", 3)]
    assert sum(before.values()) <= 5
    assert sum(two.shown("A").values()) == 5
    assert two.rows("SELECT missing FROM shown WHERE missing > 0") == []


def test_what_was_no_sale_is_found_again_when_all_orders_are_in(two: TwoShops) -> None:
    two.open("A", 8)
    two.shelves["shop"].numbers["A"] = 1  # somebody typed it in
    two.verify("shop")

    with transaction(two.database.engine) as connection:
        missing.all_heard(connection, "shop", two.clock.now, two.clock.now)
    early = two.rows("SELECT missing FROM shown WHERE missing > 0")
    two.clock.advance(1)
    with transaction(two.database.engine) as connection:
        missing.all_heard(connection, "shop", two.clock.now, two.clock.now)
    for _ in range(2):
        two.calculate()
        for shop in SHOPS:
            two.push(shop)

    assert early == [(3,)]
    assert sum(two.shown("A").values()) == 8


def test_what_is_held_is_looked_at_again_although_nothing_happens(two: TwoShops) -> None:
    two.open("A", 8)
    demand(two, "A", "shop", 90)
    two.calculate()
    assert two.rows("SELECT sku FROM due") == []

    two.clock.advance(outlook_store.HELD_FOR.total_seconds() + 1)
    sweep(two.database.engine, now=two.clock.now)

    assert two.rows("SELECT sku FROM due") == [("A",)]


def test_every_number_is_kept_with_terms_that_add_up(two: TwoShops) -> None:
    two.open("A", 8)

    kept = two.rows(
        "SELECT channel, number, units, terms FROM target_history ORDER BY channel, number"
    )
    told = two.rows("SELECT channel, number, units FROM target ORDER BY channel")

    assert [row[:3] for row in kept] == told
    for *_, units, terms in kept:
        assert terms["available"] - terms["others"] == terms["share"] == units
        assert terms["stock"] == [["A", "WH", 8, 1]]
        assert terms["zones"][0]["scarce"] is True


def test_what_is_raised_in_part_is_still_whole_packs(two: TwoShops) -> None:
    two.open("A", 24)
    with two.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE binding SET pack = 4 WHERE channel = 'shop'")
    # Demand asks for more than twelve on the shop, the mall has not let go yet, and half a pack comes in.
    demand(two, "A", "shop", 90)
    two.bring("A", 2)
    two.calculate()

    assert two.shown("A")["shop"] == 12
    assert two.rows("SELECT units FROM target WHERE channel = 'shop'") == [(12,)]
    assert two.rows("SELECT held FROM exposure WHERE sku = 'A'") == [(True,)]


def test_bundles_show_nothing_once_their_part_has_become_scarce(two: TwoShops) -> None:
    two.open("A", 100)
    two.open("SET", 0)
    with two.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO bundle (sku, component, units) VALUES ('SET', 'A', 1)"
        )
    two.bring("A", 1)
    two.settle()
    deep = two.shown("SET")

    two.take("A", 93)
    two.settle()

    assert deep["shop"] > 0
    assert two.shown("A") == {"shop": 4, "mall": 4}
    assert two.shown("SET") == {"shop": 0, "mall": 0}


def test_what_is_missing_before_quotas_begin_is_nobodys_in_them(two: TwoShops) -> None:
    two.open("A", 60)
    two.sell("shop", "A", 6)
    two.verify("shop")

    two.take("A", 46)
    two.settle()

    assert two.stock["A"] == 8
    assert two.holds("A"), two.shown("A")


def test_a_first_number_that_was_not_answered_may_have_sold(two: TwoShops) -> None:
    two.stock_up("A", 8)
    two.calculate()
    two.push("mall")
    two.push("shop", cut=True)
    two.sell("shop", "A", 3)
    two.settle(60)

    assert two.holds("A"), two.shown("A")


def test_a_drop_that_a_sale_has_made_a_rise_waits_to_be_computed_again(two: TwoShops) -> None:
    two.open("A", 15)
    two.clock.advance(1)
    # The mall has sold once and the shop never: the mall is to let go.
    two.sell("mall", "A", 4)
    two.hear("mall")
    two.calculate()
    drop = two.rows("SELECT units FROM target WHERE channel = 'mall'")
    two.sell("mall", "A", 3)
    two.hear("mall")

    two.push("mall")

    assert drop == [(1,)]
    assert two.shown("A") == {"shop": 8, "mall": 0}
    two.settle()
    assert sum(two.shown("A").values()) == two.stock["A"] == 8


def test_a_number_that_is_being_taken_to_be_sent_counts_before_anybody_sees_it(
    two: TwoShops,
) -> None:
    two.open("A", 8)
    demand(two, "A", "shop", 90)
    two.calculate()
    two.push("mall")
    two.calculate()
    two.clock.advance(3)
    place = ("shop", "WH")

    with two.database.engine.connect() as sender, two.database.engine.connect() as allocator:
        (taken,) = pushes.claim_pushes(sender, "shop", 10, two.clock.now, 60.0, "key")
        seen = outlook_store.holds(allocator, ["A"])["A"][place]

    assert taken.units > 4
    assert max(seen.shown or 0, seen.queued) == taken.units


def test_a_number_that_was_sent_and_not_answered_counts_when_a_lower_one_waits(
    two: TwoShops,
) -> None:
    two.open("A", 8)
    demand(two, "A", "shop", 90)
    two.calculate()
    two.push("mall")
    two.calculate()
    two.push("shop", cut=True)
    assert two.shown("A")["shop"] > 4
    # Demand turns, and it is computed twice before anybody reads back what the shop shows.
    for _ in range(2):
        demand(two, "A", "shop", 1)
        demand(two, "A", "mall", 90)
        two.calculate()

    two.push("mall")

    assert two.holds("A"), two.shown("A")


def test_a_channel_that_leaves_is_seen_at_zero_before_another_has_its_part(two: TwoShops) -> None:
    two.open("A", 8)
    two.apply('[[overrides]]\nsku = "A"\nchannel = "mall"\nexclude = true\nwhy = "not there"\n')
    two.calculate()
    two.push("shop")
    before = two.shown("A")
    two.settle()

    assert before == {"shop": 4, "mall": 4}
    assert two.shown("A") == {"shop": 8, "mall": 0}


def test_a_bundle_is_seen_at_zero_before_its_scarce_part_rises(two: TwoShops) -> None:
    two.open("A", 100)
    two.open("SET", 0)
    with two.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO bundle (sku, component, units) VALUES ('SET', 'A', 2)"
        )
    two.bring("A", 1)
    two.settle()
    two.take("A", 93)
    two.calculate()
    # The bundle's own drops are refused.
    for shelf in two.shelves.values():
        shelf.refuse.add("SET")
    for shop in SHOPS:
        two.push(shop)
    demand(two, "A", "shop", 90)
    demand(two, "A", "mall", 5)
    for _ in range(2):
        two.calculate()
        for shop in SHOPS:
            two.push(shop)
    before = two.shown("A")
    for shelf in two.shelves.values():
        shelf.refuse.clear()
    with transaction(two.database.engine) as connection:
        for shop in SHOPS:
            backlog.unpark(connection, shop, two.clock.now)
    two.settle(60)

    assert two.shown("SET") == {"shop": 0, "mall": 0}
    assert before == {"shop": 4, "mall": 0}
    assert sum(two.shown("A").values()) == 8
