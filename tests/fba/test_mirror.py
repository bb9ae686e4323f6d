"""The mirror of Amazon's stock against the simulated account: readings, opening, ledger rows, drift."""

from __future__ import annotations

from dataclasses import replace

from tests.fba.house import FBA, FbaHouse


def test_the_first_reading_opens_the_book_with_what_can_be_sold(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20, reserved_transfer=3, researching=2, inbound_shipped=5)

    report = fba.go()

    assert report.problems == []
    assert fba.held("A-1") == (20, 0, 5)
    assert fba.rows("SELECT kind, source_id FROM event ORDER BY seq") == [
        ("opening", "fba-opening:A-1"),
        ("reservation", "fba-held:A-1:1"),
        ("count", "fba-first:A-1"),
    ]
    assert fba.drifts() == []


def test_a_lost_unit_leaves_the_book_when_amazons_ledger_tells(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.pass_time(60)
    fba.rig.do("adjust", sku="A-1", units=2, kind="lost")

    fba.go()
    before = fba.change("A-1")
    fba.reported()

    assert before == {"rest": -2}
    assert fba.change("A-1") == {"adjustment": -2}
    assert fba.held("A-1") == (18, 0, 0)
    assert fba.rows("SELECT reason FROM event WHERE kind = 'adjustment'") == [
        ("Amazon Adjustments M (misplaced)",)
    ]


def test_what_amazon_cannot_sell_now_is_kept_apart_and_comes_back(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("adjust", sku="A-1", units=4, kind="transfer_out")
    fba.go()
    apart = fba.held("A-1")
    fba.rig.do("adjust", sku="A-1", units=4, kind="transfer_in")
    fba.reported()

    assert apart == (16, 0, 4)
    assert fba.held("A-1") == (20, 0, 0)
    assert fba.change("A-1") == {"transfer": 4}
    assert fba.rows("SELECT DISTINCT state FROM fba_row WHERE event = 'WhseTransfers'") == [
        ("kept",)
    ]
    assert fba.drifts() == []


def test_a_difference_is_a_drift_in_its_third_window_and_halts_nothing(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=-3)

    seen = [(fba.go().off, fba.drifts()) for _ in range(3)]

    assert [off for off, _ in seen] == [1, 1, 1]
    assert [bool(drifts) for _, drifts in seen] == [False, False, True]
    assert fba.drifts() == [("A-1", FBA, 20, 17, "unknown", True)]
    assert fba.rows("SELECT count(*) FROM halt") == [(0,)]


def test_a_sale_that_no_order_told_is_named_as_the_cause(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=20)
    fba.go()
    order = fba.rig.do("order", lines=[{"sku": "A-1", "units": 2}])["orderId"]
    fba.rig.do("ship_order", order=order)
    # Amazon's ledger often names no order.
    fba.rig.running.simulator.account.ledger[-1] = replace(
        fba.rig.running.simulator.account.ledger[-1], reference=""
    )
    fba.reported()
    for _ in range(2):
        fba.go()

    assert fba.drifts() == [("A-1", FBA, 20, 18, "unledgered_sale", True)]
    assert fba.rows("SELECT evidence ->> 'shipped_beyond_the_book' FROM drift") == [("2",)]
