"""What Amazon says may be old, absent or missing a change; what it tells twice is one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.channels.amazon_rig import CHANNEL
from tests.fba.house import FBA, FbaHouse, told
from workers.flows.mirror import Terms

STOCK = {"FBA_INVENTORY_AVAILABILITY_CHANGES": "", "ORDER_CHANGE": ""}


def test_a_stale_reading_is_compared_with_the_book_of_its_own_time(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("fault", kind="stale_reading", seconds=6 * 3600, sku="A-1")
    with told(fba, {"ORDER_CHANGE": ""}) as box:
        fba.pass_time(60)
        order = fba.rig.do("order", lines=[{"sku": "A-1", "units": 4}])["orderId"]
        fba.rig.do("ship_order", order=order)
        box.wait_for(2)
        fba.deliver(box)
    offs = [fba.go().off for _ in range(4)]

    assert fba.held("A-1") == (16, 0, 0)
    assert offs == [0, 0, 0, 0]
    assert fba.rows("SELECT fulfillable FROM fba_reading ORDER BY id") == [(20,)]
    assert fba.drifts() == []


def test_a_sku_that_is_left_out_is_unknown_and_keeps_its_last_reading(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("fault", kind="absent_row", sku="A-1")
    reports = [fba.go() for _ in range(3)]

    assert [(r.readings, r.off) for r in reports] == [(0, 0)] * 3
    assert fba.held("A-1") == (20, 0, 0)


def test_a_sku_that_was_never_told_of_is_not_opened_at_zero(fba: FbaHouse) -> None:
    fba.rig.do("fault", kind="absent_row", sku="A-1")
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()

    assert fba.rows("SELECT count(*) FROM event") == [(0,)]
    assert fba.rows("SELECT count(*) FROM fba_reading") == [(0,)]


def test_a_change_that_the_filter_misses_is_found_when_everything_is_read(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("fault", kind="missed_change", sku="A-1")
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=-5)
    missed = fba.go().readings
    found = fba.go(after_s=86_400).readings

    assert (missed, found) == (0, 1)
    assert fba.rows("SELECT fulfillable FROM fba_reading ORDER BY id") == [(20,), (15,)]


def test_pages_are_walked_and_a_throttled_walk_goes_on_in_the_same_window(fba: FbaHouse) -> None:
    for number in range(120):
        fba.at_amazon(f"MANY-{number:03d}", fulfillable=number)
    fba.pass_time(900)

    states = []
    for _ in range(12):
        report = fba.again()
        states.append(report.state)
        if report.state == "done":
            break
        assert "Throttled" in report.problems[0]
        # The next token lives for 30 seconds; a walk by name needs none.
        fba.pass_time(2)
    fba.drain()

    assert states[0] == "later"
    assert states[-1] == "done"
    assert fba.rows("SELECT count(*) FROM fba_mirror WHERE opened_at IS NOT NULL") == [(120,)]
    assert fba.held("MANY-119") == (119, 0, 0)


def test_notifications_are_readings_in_the_order_of_their_own_time(fba: FbaHouse) -> None:
    with told(fba, STOCK) as box:
        fba.at_amazon("A-1", fulfillable=20)
        fba.pass_time(60)
        fba.rig.do("adjust", sku="A-1", units=1, kind="lost")
        fba.pass_time(60)
        fba.rig.do("adjust", sku="A-1", units=2, kind="lost")
        box.wait_for(3)
        fba.rig.do("fault", kind="absent_row", sku="A-1")
        box.received[:] = [box.received[n] for n in (2, 0, 1, 2)]
        fba.deliver(box)
    report = fba.go()

    assert report.readings == 1
    assert fba.rows("SELECT source, fulfillable FROM fba_reading") == [("notification", 17)]
    assert fba.held("A-1") == (17, 0, 0)


def test_an_older_reading_never_overwrites_a_newer_one(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.pass_time(3600)
    fba.rig.do("adjust", sku="A-1", units=5, kind="lost")
    fba.go()
    fba.rig.do("fault", kind="stale_reading", seconds=4000, sku="A-1")
    fba.go()

    assert fba.rows("SELECT fulfillable FROM fba_reading ORDER BY id") == [(15,)]


def test_inbound_units_are_seen_though_they_move_no_clock(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    for step in ("planned", "shipped", "arrived"):
        fba.rig.do("inbound", sku="A-1", units=6, step=step)
        fba.go(after_s=86_400)
    fba.rig.do("inbound", sku="A-1", units=6, step="received")
    fba.reported()

    assert fba.rows(
        "SELECT inbound_working, inbound_shipped, inbound_receiving, fulfillable FROM fba_reading ORDER BY id"
    ) == [(0, 0, 0, 20), (6, 0, 0, 20), (0, 6, 0, 20), (0, 0, 6, 20), (0, 0, 0, 26)]
    assert fba.change("A-1") == {"inbound": 6}
    assert fba.held("A-1") == (26, 0, 0)
    assert fba.drifts() == []


def test_a_report_that_comes_again_and_overlaps_books_each_row_once(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("adjust", sku="A-1", units=2, kind="lost")
    fba.rig.do("adjust", sku="A-1", units=1, kind="found")
    fba.rig.do("fba_return", sku="A-1", units=1, part="defective")
    fba.reported()
    fba.reported()

    ledger = "FROM amazon_report WHERE kind LIKE '%LEDGER%' AND state = 'done'"
    assert fba.rows(f"SELECT count(*) > 2, sum(rows) > 8, sum(fresh) {ledger}") == [(True, True, 4)]
    assert fba.rows("SELECT event, units, state FROM fba_row ORDER BY at, units") == [
        ("Receipts", 20, "kept"),
        ("Adjustments", -2, "booked"),
        ("Adjustments", 1, "booked"),
        ("CustomerReturns", 1, "kept"),
    ]
    assert fba.held("A-1") == (19, 0, 0)


def test_orders_from_before_the_first_reading_change_nothing_that_was_there(fba: FbaHouse) -> None:
    with told(fba, {"ORDER_CHANGE": ""}) as box:
        fba.at_amazon("A-1", fulfillable=20)
        shipped = fba.rig.do("order", lines=[{"sku": "A-1", "units": 3}])["orderId"]
        fba.rig.do("ship_order", order=shipped)
        fba.rig.do("order", lines=[{"sku": "A-1", "units": 2}])
        fba.pass_time(60)
        fba.go()
        opened = fba.held("A-1")
        box.wait_for(3)
        fba.deliver(box)
    fba.go()

    assert opened == (15, 0, 2)
    assert fba.held("A-1") == (15, 2, 0)
    assert fba.drifts() == []


def test_a_shipment_whose_order_never_comes_is_booked_and_undone_when_it_does(
    fba: FbaHouse,
) -> None:
    fba.terms = replace(Terms(), patience=timedelta(hours=2))
    with told(fba, {"ORDER_CHANGE": ""}) as box:
        fba.at_amazon("A-1", fulfillable=20)
        fba.go()
        order = fba.rig.do("order", lines=[{"sku": "A-1", "units": 3}])["orderId"]
        fba.rig.do("ship_order", order=order)
        box.wait_for(2)
        fba.reported()
        waiting = fba.rows("SELECT state FROM fba_row WHERE event = 'Shipments'"), fba.held("A-1")
        fba.go(after_s=7200)
        booked = fba.rows("SELECT state FROM fba_row WHERE event = 'Shipments'"), fba.held("A-1")
        fba.deliver(box)
    fba.go()
    undone = fba.rows("SELECT state FROM fba_row WHERE event = 'Shipments'"), fba.held("A-1")

    assert waiting == ([("new",)], (20, 0, 0))
    assert booked == ([("booked",)], (17, 0, 0))
    assert undone == ([("undone",)], (17, 0, 0))
    assert fba.drifts() == []


def test_a_sku_without_a_name_is_read_and_opened_once_it_has_one(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", bound=False, fulfillable=20)
    fba.go()
    fba.rig.do("adjust", sku="A-1", units=2, kind="lost")
    unbound = fba.reported()
    before = fba.rows("SELECT count(*) FROM event")
    fba.bind("A-1", pack=6, ours="TEA-6")
    fba.go()

    assert (unbound.followed, before) == (0, [(0,)])
    assert fba.held("TEA-6") == (108, 0, 0)
    fba.rig.do("adjust", sku="A-1", units=1, kind="lost")
    fba.reported()
    assert fba.held("TEA-6") == (102, 0, 0)
    assert fba.change("A-1") == {"adjustment": -1}


def test_a_difference_that_goes_away_resolves_its_drift(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=-3)
    for _ in range(3):
        fba.go()
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=3)
    fba.go()

    assert fba.drifts() == [("A-1", FBA, 20, 17, "unknown", False)]
    assert fba.rows("SELECT off_units, off_cycles FROM fba_mirror") == [(0, 0)]


def test_a_window_that_is_worked_twice_counts_a_difference_once(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=-3)
    fba.go()
    again = fba.again()
    fba.rows("UPDATE run SET state = 'due' WHERE job = 'mirror' RETURNING 1")
    fba.again()

    assert again.state == "skipped"
    assert fba.rows("SELECT off_units, off_cycles FROM fba_mirror") == [(-3, 1)]


def test_a_sick_report_leaves_the_rest_of_the_go_alone(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.rig.do("fault", kind="server_error", operation="createReport")

    report = fba.go()

    assert report.state == "later"
    assert any("createReport" in problem or "reports" in problem for problem in report.problems)
    assert fba.held("A-1") == (20, 0, 0)
    assert fba.rows("SELECT state FROM run WHERE channel = :c", c=CHANNEL) == [("due",)]
