"""A sheet goes into the book whole or not at all, as of its minute, once, whatever is sold meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import catalogue
from tests.builders import NOON, a_fact, balance, book, count
from tests.servers import Database
from tests.workers.count_rig import Store, a_store
from workers.flows.count_sheets import Refused

HOUR = timedelta(hours=1)


@pytest.fixture
def store(database: Database) -> Store:
    """100 of each mug, an hour ago."""
    store = a_store(database)
    store.now = NOON - HOUR
    store.receive(100, "MUG-RED", "MUG-BLUE")
    store.now = NOON
    return store


def faults(store: Store, *rows: tuple[object, ...], at: datetime | None = None) -> list[str]:
    with pytest.raises(Refused) as refused:
        store.submit(*rows, at=at)
    return [f"{fault.line}: {fault.what}" for fault in refused.value.faults]


def test_each_line_is_told_with_its_variance_and_what_it_means(store: Store) -> None:
    done = store.submit(("MUG-RED", "OSLO", 97, "damage"), ("MUG-BLUE", "OSLO", 100))

    assert [
        (line.sku, line.book, line.variance, line.percent, line.tier, line.verdict)
        for line in done.lines
    ] == [("MUG-RED", 100, -3, -3.0, "C", "within"), ("MUG-BLUE", 100, 0, 0.0, "C", "within")]
    assert balance(store.engine) == {"available": 97}
    assert store.rows(
        "SELECT source_id, actor, reference, payload FROM event WHERE kind = 'count' AND payload ? 'reason_code'"
    ) == [
        (
            f"{done.sheet}:2", "ann", done.sheet,
            {"counted": 97, "position": 100, "reason_code": "damage", "tier": "C"},
        )
    ]  # fmt: skip


def test_23_of_28_escalates_at_once_and_orders_a_recount(store: Store) -> None:
    store.say(("receipt", {"sku": "MUG-RED", "location": "BERGEN", "units": 28}))

    done = store.submit(("MUG-RED", "BERGEN", 23, "theft"), ("MUG-BLUE", "OSLO", 99))

    assert [line.verdict for line in done.lines] == ["escalated", "within"]
    assert [(a.rule, a.what) for a in done.raised] == [("count.variance", "place:MUG-RED@BERGEN")]
    assert store.alarms()["count.variance place:MUG-RED@BERGEN"].detail["percent"] == -17.857
    assert store.ordered() == [("count.variance", "MUG-RED")]
    assert [line.recount for line in done.lines] == [True, False]


def test_the_recount_ends_alarm_and_order(store: Store) -> None:
    store.submit(("MUG-RED", "OSLO", 80, "unexplained"))
    store.now += HOUR

    done = store.submit(("MUG-RED", "OSLO", 80))

    assert (done.lines[0].variance, store.alarms(), store.orders()) == (0, {}, [])


def test_a_count_is_as_of_its_minute_while_selling_goes_on(store: Store) -> None:
    store.sell(5)
    store.now += HOUR
    store.sell(7)

    done = store.submit(("MUG-RED", "OSLO", 94), at=NOON)

    assert [(line.book, line.variance) for line in done.lines] == [(95, -1)]
    assert balance(store.engine) == {"available": 87}


def test_lines_may_have_a_minute_of_their_own(store: Store) -> None:
    store.sell(5)
    store.now += HOUR
    early = (NOON - timedelta(minutes=30)).isoformat()

    columns = ("sku", "location", "counted", "counted_at")
    done = store.submit(
        ("MUG-RED", "OSLO", 100, early), ("MUG-BLUE", "OSLO", 100), columns=columns, at=NOON
    )

    assert [(line.at, line.variance) for line in done.lines] == [
        (datetime.fromisoformat(early), 0), (NOON, 0)
    ]  # fmt: skip


def test_a_sale_that_is_told_late_changes_what_the_count_came_to(store: Store) -> None:
    store.submit(("MUG-RED", "OSLO", 80, "lost"))
    assert store.ordered() == [("count.variance", "MUG-RED")]
    late = a_fact("ship", id="late", units=20, occurred_at=NOON - HOUR / 2, channel="till")

    book(store.engine, late, now=NOON + HOUR)
    store.now += HOUR
    store.look()

    assert store.rows("SELECT counted, position FROM count_variance") == [(80, 80)]
    assert (store.orders(), store.alarms(), balance(store.engine)["available"]) == ([], {}, 80)


def test_a_reversed_count_is_judged_no_longer(store: Store) -> None:
    done = store.submit(("MUG-RED", "OSLO", 23, "miscount"))
    assert store.ordered()

    store.now += HOUR
    store.say(
        (
            "reversal",
            {"reverses_source": "count", "reverses_id": f"{done.sheet}:2", "reason": "typo"},
        )
    )
    assert store.waits()
    store.look()

    assert (store.orders(), store.alarms(), balance(store.engine)["available"]) == ([], {}, 100)
    assert store.rows("SELECT undone FROM count_variance") == [(True,)]
    assert not store.waits()


def test_a_recount_that_is_reversed_opens_its_order_again(store: Store) -> None:
    store.submit(("MUG-RED", "OSLO", 80, "lost"))
    store.now += HOUR
    recount = store.submit(("MUG-RED", "OSLO", 80))
    assert store.orders() == []

    store.now += HOUR
    store.say(
        (
            "reversal",
            {
                "reverses_source": "count",
                "reverses_id": f"{recount.sheet}:2",
                "reason": "not counted",
            },
        )
    )
    store.look()

    assert store.ordered() == [("count.variance", "MUG-RED")]
    assert list(store.alarms()) == ["count.variance place:MUG-RED@OSLO"]


def test_the_same_file_twice_is_one_count(store: Store) -> None:
    sheet = ("MUG-RED", "OSLO", 80, "lost"), ("MUG-BLUE", "OSLO", 100)
    first = store.submit(*sheet, at=NOON)
    store.now += HOUR
    store.sell(10)

    again = store.submit(*sheet, at=NOON)

    assert (first.repeated, again.repeated, again.lines) == (False, True, first.lines)
    assert balance(store.engine) == {"available": 70}
    assert store.rows("SELECT count(*) FROM event WHERE kind = 'count'") == [(2,)]


def test_nothing_is_booked_unless_all_can_be(store: Store) -> None:
    store.say(("receipt", {"sku": "MUG-RED", "location": "BERGEN", "units": 28}))

    said = faults(
        store,
        ("MUG-GREEN", "OSLO", 1),
        ("MUG-RED", "PARIS", 1),
        ("MUG-RED", "IN-TRANSIT", 0),
        ("MUG-RED", "BERGEN", 23),
        ("MUG-BLUE", "OSLO", 100),
    )

    assert [line.split(":")[0] for line in said] == ["2", "3", "4", "5"]
    assert (
        said[0]
        == "2: unknown SKU 'MUG-GREEN': correct it, or add it (lockstep catalogue add-sku MUG-GREEN)"
    )
    assert "unknown location 'PARIS'" in said[1]
    assert "IN-TRANSIT is a virtual location" in said[2]
    assert said[3].startswith(
        "5: MUG-RED at BERGEN: counted 23, the book had 28 (-17.9 %, tier C): give a reason (damage, theft,"
    )
    with store.engine.connect() as connection:
        assert (count(connection, "inbox"), count(connection, "count_mark")) == (3, 0)


def test_a_reason_for_all_is_taken_where_none_is_given_and_one_is_needed(store: Store) -> None:
    store.submit(
        ("MUG-RED", "OSLO", 80), ("MUG-BLUE", "OSLO", 99), ("MUG-RED", "BERGEN", 2, "found"),
        reason="unexplained",
    )  # fmt: skip

    assert store.rows("SELECT sku, location, reason FROM count_variance ORDER BY sku, location") == [
        ("MUG-BLUE", "OSLO", ""), ("MUG-RED", "BERGEN", "found"), ("MUG-RED", "OSLO", "unexplained")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (NOON + HOUR, "which is to come: correct the time"),
        (NOON - 400 * 24 * HOUR, "too long ago to correct the book: count again"),
    ],
)
def test_a_time_that_cannot_be_is_refused(store: Store, at: datetime, why: str) -> None:
    assert why in faults(store, ("MUG-RED", "OSLO", 0, "lost"), at=at)[0]


def test_a_bundle_is_counted_by_its_parts(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO bundle (sku, component, units) VALUES ('MUG-BLUE', 'MUG-RED', 6)"
        )

    assert (
        "MUG-BLUE is a bundle and has no stock of its own: count its parts"
        in faults(store, ("MUG-BLUE", "OSLO", 100))[0]
    )


_SALE = st.tuples(st.integers(-240, 240), st.integers(1, 9), st.booleans())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sales=st.lists(_SALE, max_size=8), counted=st.integers(0, 120), data=st.data())
def test_whatever_is_sold_meanwhile_and_however_it_arrives_the_shelf_ends_the_same(
    store: Store, sales: list[tuple[int, int, bool]], counted: int, data: st.DataObject
) -> None:
    """Sales (minutes before or after the count, units, a return instead) before and after the sheet, in any order."""
    store.number += 1
    sku, run = f"MUG-{store.number}", store.number
    with store.engine.begin() as connection:
        catalogue.add_skus(connection, {sku: ""})
    facts = [
        a_fact(
            "return" if back else "ship", id=f"{run}:{number}", sku=sku, units=units,
            occurred_at=NOON + timedelta(minutes=at), **({} if back else {"channel": "till"}),
        )
        for number, (at, units, back) in enumerate(sales)
    ]  # fmt: skip
    arrive = data.draw(st.permutations(facts))
    before = data.draw(st.integers(0, len(facts)))
    later = NOON + timedelta(hours=5)
    opening = a_fact(
        "opening", id=f"{run}:open", sku=sku, units=100, occurred_at=NOON - timedelta(hours=9)
    )

    book(store.engine, opening, *arrive[:before], now=later)
    store.now = later
    store.submit((sku, "OSLO", counted, "unexplained"), at=NOON)
    book(store.engine, *arrive[before:], now=later)
    store.look()

    after = sum(units if back else -units for at, units, back in sales if at > 0)
    on_hand = balance(store.engine, sku).get("available", 0)
    assert on_hand == counted + after
    upto = 100 + sum(units if back else -units for at, units, back in sales if at <= 0)
    assert store.rows("SELECT position FROM count_variance WHERE sku = :sku", sku=sku) == [(upto,)]
