"""Calls that the vendor takes in and answers later, and limits that run dry in the middle of one."""

from __future__ import annotations

import pytest

from allocation import receipts
from channels.base import Confirmed, NotSent, Rejected, Unavailable
from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house
from workers.flows.push import push
from workers.flows.receipts import work_receipts

SENT = "SELECT sku, outcome FROM push ORDER BY id"


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    """Three SKUs to be shown by a channel that answers calls of more than two rows later."""
    house = a_house(database.engine, clock, "A", "B", "C")
    house.shelf.takes_in = True
    house.shelf.direct_rows = 2
    house.set(A=4, B=5, C=6)
    return house


def test_rows_of_a_call_that_was_taken_in_are_not_sent_again_while_it_waits(house: House) -> None:
    report = push(house.lane)
    house.clock.advance(600)

    again = push(house.lane)

    assert (report.accepted, report.confirmed) == (3, 0)
    assert (again.accepted, again.confirmed, len(house.shelf.calls)) == (0, 0, 1)


def test_the_answer_settles_each_row_by_its_own_outcome(house: House) -> None:
    push(house.lane)
    house.clock.advance(receipts.FIRST_LOOK_S)
    house.shelf.says["receipt-1"] = {"A": Confirmed, "B": Rejected, "C": Confirmed}

    report = work_receipts(house.lane)

    assert (report.asked, report.answered, report.stuck) == (1, 1, 0)
    assert house.shelf.numbers == {"A": 4, "B": 0, "C": 6}
    assert house.queue() == {"B": (2, True, 0)}
    assert house.rows(SENT) == [("A", "confirmed"), ("B", "rejected"), ("C", "confirmed")]


def test_an_answer_is_asked_for_ever_more_slowly_until_it_is_there(house: House) -> None:
    push(house.lane)
    looks = 0
    for _ in range(600):
        house.clock.advance(1)
        looks += work_receipts(house.lane).asked

    assert 8 <= looks <= 12
    assert house.rows("SELECT state FROM receipt") == [("waiting",)]


def test_a_number_that_changed_meanwhile_goes_out_after_the_answer(house: House) -> None:
    push(house.lane)
    house.set(A=1)
    push(house.lane)
    assert len(house.shelf.calls) == 1
    house.clock.advance(receipts.FIRST_LOOK_S)
    house.shelf.says["receipt-1"] = dict.fromkeys("ABC", Confirmed)
    work_receipts(house.lane)

    push(house.lane)

    assert house.shelf.numbers == {"A": 1, "B": 5, "C": 6}


def test_a_call_that_is_never_answered_is_read_back_and_goes_out_the_other_way(
    house: House,
) -> None:
    push(house.lane)
    house.shelf.numbers["C"] = 6
    house.clock.advance(receipts.DEADLINE_S)

    report = work_receipts(house.lane)
    push(house.lane)
    # What is shown too low is an increase now, and waits for orders on their way.
    house.clock.advance(2)
    push(house.lane)

    assert (report.stuck, report.ring_push) == (1, True)
    assert house.shelf.numbers == {"A": 4, "B": 5, "C": 6}
    assert [len(call) for call in house.shelf.calls] == [3, 2]
    assert house.queue() == {}


def test_after_a_stuck_call_larger_ones_are_left_alone_for_an_hour(house: House) -> None:
    push(house.lane)
    house.clock.advance(receipts.DEADLINE_S)
    work_receipts(house.lane)
    push(house.lane)
    house.set(A=7, B=7, C=7)
    house.clock.advance(2)

    push(house.lane)

    assert max(len(call) for call in house.shelf.calls[1:]) == 2
    house.clock.advance(3600)
    house.set(A=3, B=3, C=3)
    push(house.lane)
    assert len(house.shelf.calls[-1]) == 3


def test_a_call_that_the_vendor_gave_up_counts_as_stuck_at_once(house: House) -> None:
    push(house.lane)
    house.clock.advance(receipts.FIRST_LOOK_S)
    house.shelf.says["receipt-1"] = dict.fromkeys("ABC", NotSent)

    report = work_receipts(house.lane)
    push(house.lane)

    assert report.ring_push
    assert house.shelf.numbers == {"A": 4, "B": 5, "C": 6}
    assert all(attempts == 0 for _, _, attempts in house.queue().values())


def test_a_vendor_that_cannot_be_asked_is_asked_again(house: House) -> None:
    push(house.lane)
    house.clock.advance(receipts.FIRST_LOOK_S)
    house.shelf.failures.append(Unavailable("away"))
    stopped = work_receipts(house.lane)
    house.shelf.says["receipt-1"] = dict.fromkeys("ABC", Confirmed)
    house.clock.advance(60)

    healed = work_receipts(house.lane)

    assert (stopped.answered, healed.answered) == (0, 1)
    assert "away" in stopped.stopped


def test_a_worker_that_dies_with_an_answer_in_its_hands_leaves_rows_to_be_read_back(
    house: House,
) -> None:
    push(house.lane)
    house.shelf.numbers.update(A=4, B=5, C=6)
    house.clock.advance(receipts.FIRST_LOOK_S)
    now, lease_s = house.clock.now, house.lane.lease_s
    with house.engine.begin() as connection:
        waiting = receipts.claim(connection, "shop", now)
        assert waiting is not None
        assert receipts.answered(connection, "shop", waiting, now, lease_s)
    assert push(house.lane).arrived == 0
    house.clock.advance(lease_s)

    report = push(house.lane)

    assert (report.arrived, len(house.shelf.calls), house.queue()) == (3, 1, {})


def test_the_sweep_rings_for_a_receipt_whose_time_has_come(house: House) -> None:
    push(house.lane)
    with house.engine.begin() as connection:
        early = receipts.to_ask(connection, house.clock.now)
        later = receipts.to_ask(connection, house.later(receipts.FIRST_LOOK_S))

    assert (early, later) == ([], ["shop"])


def test_rows_for_which_the_limit_ran_out_cost_no_attempt_and_go_out_when_it_is_back(
    house: House,
) -> None:
    house.shelf.takes_in = False
    house.shelf.dry_after = 1

    report = push(house.lane)

    assert (report.confirmed, report.not_sent, report.retry_after_s) == (1, 2, 2.0)
    assert all(attempts == 0 for _, _, attempts in house.queue().values())
    assert push(house.lane).confirmed == 0
    house.shelf.dry_after = None
    house.clock.advance(2)
    assert push(house.lane).confirmed == 2
    assert house.shelf.numbers == {"A": 4, "B": 5, "C": 6}


def test_a_write_that_takes_its_time_is_read_back_when_it_can_be_there(house: House) -> None:
    house.shelf.takes_in = False
    house.shelf.settle_s = 30.0

    push(house.lane)

    due = house.rows("SELECT DISTINCT verify_at FROM shown")
    assert due == [(house.later(30.0),)]


def test_what_has_sold_out_goes_before_a_call_that_is_answered_later(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B", "C", "D", shown=9)
    house.shelf.takes_in, house.shelf.direct_rows = True, 2
    house.set(A=4, B=5, C=6, D=0)

    push(house.lane)

    assert [sorted(call) for call in house.shelf.calls] == [["D"], ["A", "B", "C"]]
    assert house.shelf.numbers["D"] == 0
