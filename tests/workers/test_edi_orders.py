"""850 and 860: what a partner is promised is what the book commits, in one transaction with the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from channels.edi.documents import ChangeAnswer, OrderAnswer
from channels.edi.segments import Segment, segment
from tests.builders import balance
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, change, changed, line, po
from workers.flows.edi_fill import fill
from workers.flows.edi_work import NotToRetry, retry
from workers.flows.ingest import drain


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


def answers(found: Sequence[object]) -> list[tuple[str, list[list[tuple[str, int]]]]]:
    """(BAK02, [[(ACK01, ACK02)] of each line]) of every 855 and 865."""
    return [
        (
            each.kind,
            [
                [(a.status, int(a.quantity or 0)) for a in answered.answers]
                for answered in each.lines
            ],
        )
        for each in found
        if isinstance(each, OrderAnswer | ChangeAnswer)
    ]


def held(grocer: Grocer, sku: str = "MUG") -> dict[str, int]:
    return balance(grocer.engine, sku, "WH")


def test_an_order_that_can_be_served_is_accepted_and_committed_at_once(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4), line(2, 3)))

    found = grocer.run()

    assert answers(found) == [("AD", [[("IA", 4)], [("IA", 3)]])]
    assert held(grocer) == {"available": 3, "committed": 7}
    assert grocer.documents() == [("850", "applied", "none")]
    assert sorted(grocer.documents("out")) == [
        ("855", "posted", "waiting"),
        ("997", "posted", "none"),
    ]


def test_what_is_not_there_is_backordered_with_the_day_it_is_promised_for(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 12)))

    found = grocer.run()

    assert answers(found) == [("AC", [[("IA", 10), ("IB", 2)]])]
    answer = next(each for each in found if isinstance(each, OrderAnswer))
    later = answer.lines[0].answers[1]
    assert (later.date_qualifier, str(later.day)) == ("068", "2026-03-12")
    assert held(grocer) == {"committed": 10}
    assert grocer.lines() == [("1", 12, 10, 2, 0)]


@pytest.mark.parametrize(
    ("options", "answered", "committed"),
    [
        ({"backorder": "no"}, [("IA", 10), ("IR", 2)], 10),
        ({"partial": "no"}, [("IB", 12)], 0),
        ({"partial": "no", "backorder": "no"}, [("IR", 12)], 0),
    ],
)
def test_a_partners_terms_decide_what_becomes_of_the_rest(
    database: Database,
    clock: Clock,
    tmp_path: Path,
    options: dict[str, str],
    answered: list[tuple[str, int]],
    committed: int,
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, **options)
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 12)))

    assert answers(grocer.run())[0][1] == [answered]
    assert held(grocer).get("committed", 0) == committed


def test_two_lines_of_one_item_share_what_is_there(grocer: Grocer) -> None:
    grocer.stock(MUG=5)
    grocer.send(po(line(1, 3), line(2, 3)))

    assert answers(grocer.run()) == [("AC", [[("IA", 3)], [("IA", 2), ("IB", 1)]])]
    assert held(grocer) == {"committed": 5}


def test_by_default_a_partner_is_promised_no_more_than_it_is_shown(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, promise="share")
    grocer.stock(MUG=10)
    with grocer.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)
                VALUES ('grocer', 'MUG', 'WH', 4, 1, 1, :now)
            """),
            {"now": clock.now},
        )
    grocer.send(po(line(1, 3), line(2, 3)))

    assert answers(grocer.run()) == [("AC", [[("IA", 3)], [("IA", 1), ("IB", 2)]])]
    assert held(grocer) == {"available": 6, "committed": 4}


def test_an_item_that_nobody_mapped_is_rejected_and_told(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4), line(2, 3, item="99")))

    assert answers(grocer.run()) == [("AC", [[("IA", 4)], [("IR", 3)]])]
    assert grocer.rows("SELECT error FROM edi_document WHERE set_id = '850'") == [
        ("line 2: item SK 99 is not mapped",)
    ]


def test_an_unmapped_item_can_hold_the_order_until_somebody_maps_it(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, unknown_items="hold")
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4, item="99")))

    assert answers(grocer.run()) == []
    assert grocer.documents() == [("850", "parked", "none")]
    with grocer.engine.begin() as connection:
        connection.execute(text("UPDATE binding SET variant_id = '99' WHERE sku = 'MUG'"))
    (document,) = grocer.rows("SELECT id FROM edi_document WHERE set_id = '850'")
    assert retry(grocer.house, document[0], now=clock.now) == "applied"
    assert answers(grocer.run()) == [("AD", [[("IA", 4)]])]
    with pytest.raises(NotToRetry):
        retry(grocer.house, document[0], now=clock.now)


def test_a_case_takes_as_many_units_as_the_partner_says(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, measures="CA:12")
    grocer.stock(MUG=30)
    grocer.send(po(line(1, 3, measure="CA"), line(2, 1, measure="BX"), line(3, "2.5")))

    assert answers(grocer.run())[0][1] == [[("IA", 2), ("IB", 1)], [("IR", 1)], [("IR", 2)]]
    assert held(grocer) == {"available": 6, "committed": 24}


def test_a_bundle_takes_each_of_its_parts(grocer: Grocer) -> None:
    grocer.stock(MUG=10, TEE=3)
    with grocer.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('SET')"))
        connection.execute(text("INSERT INTO bundle VALUES ('SET', 'MUG', 2), ('SET', 'TEE', 1)"))
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)
                VALUES ('grocer', 'SET', 'WH', '33', 'DC1', '33')
            """)
        )
    grocer.send(po(line(1, 5, item="33")))

    assert answers(grocer.run()) == [("AC", [[("IA", 3), ("IB", 2)]])]
    assert held(grocer) == {"available": 4, "committed": 6}
    assert held(grocer, "TEE") == {"committed": 3}


def test_a_line_split_among_stores_is_promised_store_by_store(grocer: Grocer) -> None:
    grocer.stock(MUG=7)
    split = segment("SDQ", "EA", "92", "S1", "5", "S2", "4")
    grocer.send(po(line(1, 9), split))

    assert answers(grocer.run()) == [("AC", [[("IA", 7), ("IB", 2)]])]
    assert grocer.rows("SELECT store, accepted, backordered FROM edi_line ORDER BY store") == [
        ("S1", 5, 0),
        ("S2", 2, 2),
    ]
    assert grocer.rows("SELECT line_id, ordered_units FROM order_line ORDER BY 1") == [
        ("1@S1", 5),
        ("1@S2", 2),
    ]


def test_the_same_order_again_is_told_and_posts_nothing(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.send(po(line(1, 4)))

    found = grocer.run()

    assert answers(found) == []
    assert [type(each).__name__ for each in found] == ["FunctionalAck"]
    assert [state for _, state, _ in grocer.documents()] == ["applied", "duplicate"]
    assert held(grocer) == {"available": 6, "committed": 4}


def test_the_same_number_with_another_content_waits_for_a_person(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.send(po(line(1, 5)))

    assert answers(grocer.run()) == []
    assert [state for _, state, _ in grocer.documents()] == ["applied", "parked"]
    assert held(grocer) == {"available": 6, "committed": 4}


def test_a_replacement_changes_lines_and_drops_those_it_does_not_name(grocer: Grocer) -> None:
    grocer.stock(MUG=10, TEE=5)
    grocer.send(po(line(1, 4), line(2, 5, item="22")))
    grocer.run()
    grocer.send(po(line(1, 6), line(3, 1), purpose="05"))

    assert answers(grocer.run()) == [("AD", [[("IA", 6)], [("IA", 1)]])]
    assert held(grocer) == {"available": 3, "committed": 7}
    assert held(grocer, "TEE") == {"available": 5}


def test_a_cancellation_gives_everything_back_but_what_has_gone(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 6)))
    grocer.run()
    grocer.ship("PO1", "1", 2)
    grocer.send(po(line(1, 6), purpose="01"))

    assert answers(grocer.run()) == [("AC", [[("IA", 2), ("ID", 4)]])]
    assert held(grocer) == {"available": 8}
    assert grocer.rows("SELECT state FROM edi_order") == [("cancelled",)]


def test_changes_are_made_in_their_order_whenever_they_come(grocer: Grocer) -> None:
    grocer.stock(MUG=20)
    grocer.send(change(changed(1, "QI", 9), sequence="2"))
    grocer.send(change(changed(1, "QD", 3), sequence="1"))
    assert answers(grocer.run()) == []
    assert grocer.documents() == [("860", "held", "none"), ("860", "held", "none")]

    grocer.send(po(line(1, 5)))

    found = grocer.run()
    assert answers(found) == [("AD", [[("IA", 5)]]), ("AD", [[("IA", 3)]]), ("AD", [[("IA", 9)]])]
    assert [e.sequence for e in found if isinstance(e, ChangeAnswer)] == ["1", "2"]
    assert {state for _, state, _ in grocer.documents()} == {"applied"}
    assert held(grocer) == {"available": 11, "committed": 9}


def test_a_change_that_comes_twice_is_made_once(grocer: Grocer) -> None:
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 5)))
    grocer.send(change(changed(1, "QI", 9)))
    grocer.send(change(changed(1, "QI", 9)))
    grocer.send(change(changed(1, "QI", 12)))

    assert len(answers(grocer.run())) == 2
    assert [state for _, state, _ in grocer.documents()] == [
        "applied",
        "applied",
        "duplicate",
        "parked",
    ]
    assert held(grocer) == {"available": 11, "committed": 9}


def test_a_partner_without_numbers_of_changes_is_followed_by_arrival(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, change_sequence="arrival", poc="delta")
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 5)))
    grocer.send(change(changed(1, "QI", 4)))
    grocer.send(change(changed(1, "QI", 4)))
    grocer.send(change(changed(1, "QD", 2)))

    grocer.run()

    assert [state for _, state, _ in grocer.documents()] == [
        "applied",
        "applied",
        "duplicate",
        "applied",
    ]
    assert held(grocer) == {"available": 13, "committed": 7}


@pytest.mark.parametrize(
    ("poc", "said", "after"),
    [
        ("new", changed(1, "QD", 3), 3),
        ("delta", changed(1, "QD", 3), 2),
        ("delta", changed(1, "QI", 3), 8),
        ("left", changed(1, "CA", 99, left="4"), 4),
        ("new", changed(1, "DI", 0), 0),
    ],
)
def test_which_quantity_a_change_means_the_partner_says(
    database: Database, clock: Clock, tmp_path: Path, poc: str, said: Segment, after: int
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, poc=poc)
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 5)))
    grocer.send(change(said))

    grocer.run()

    assert held(grocer).get("committed", 0) == after


def test_a_change_takes_back_no_more_than_has_not_gone_and_refuses_what_it_cannot(
    grocer: Grocer,
) -> None:
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 5)))
    grocer.run()
    grocer.ship("PO1", "1", 4)
    grocer.send(change(changed(1, "QD", 1), changed(7, "QI", 3), changed(2, "AI", 6)))

    assert answers(grocer.run()) == [("AC", [[("IQ", 4)], [("IR", 3)], [("IA", 6)]])]
    assert held(grocer) == {"available": 10, "committed": 6}


def test_an_order_can_be_cancelled_by_a_change(grocer: Grocer) -> None:
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 5)))
    grocer.send(change(changed(1, "DI", 5), purpose="01"))
    grocer.send(change(changed(1, "QI", 9), sequence="2"))

    assert answers(grocer.run())[1] == ("AC", [[("ID", 0)]])
    assert held(grocer) == {"available": 20}
    assert [state for _, state, _ in grocer.documents()] == ["applied", "applied", "parked"]


def test_an_order_wakes_a_shipment_that_came_before_it(grocer: Grocer) -> None:
    grocer.stock(MUG=20)
    grocer.ship("PO1", "1", 4)
    grocer.send(po(line(1, 5)))
    grocer.run()
    drain(grocer.house, now=grocer.clock.now)

    assert held(grocer) == {"available": 15, "committed": 1}


def test_a_blanket_order_commits_nothing(grocer: Grocer) -> None:
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 5), kind="BK"))
    grocer.send(po(line(1, 2), kind="RL", release="R1"))

    assert answers(grocer.run()) == [("AD", [[("IA", 2)]])]
    assert [state for _, state, _ in grocer.documents()] == ["parked", "applied"]
    assert grocer.rows("SELECT order_id FROM order_line") == [("PO1/R1",)]


def test_a_backorder_is_filled_when_stock_comes_oldest_order_first_and_told(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4), number="PO1"))
    grocer.run()
    grocer.clock.advance(60)
    grocer.send(po(line(1, 4), number="PO2"))
    grocer.run()
    assert fill(grocer.house, now=grocer.clock.now) == []

    grocer.clock.advance(60)
    grocer.stock(MUG=6)
    filled = fill(grocer.house, now=grocer.clock.now)

    assert [(each.number, each.units) for each in filled] == [("PO1", 4), ("PO2", 2)]
    assert held(grocer) == {"committed": 6}
    found = grocer.run()
    assert answers(found) == [("AD", [[("IA", 4)]]), ("AC", [[("IA", 2), ("IB", 2)]])]
    assert [each.purpose for each in found if isinstance(each, OrderAnswer)] == ["05", "05"]
    assert fill(grocer.house, now=grocer.clock.now) == []
