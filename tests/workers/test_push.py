"""From targets to the channel: order of work, compare-and-set, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from channels.base import Level
from tests.workers.shelf import HALT, LOG, SHOWN, House, settled
from workers.flows.push import PushReport, push

DELIVERY = "INSERT INTO inbox (source, delivery_id, topic, body, received_at) VALUES ('x', '1', 't', '', :at)"


def test_a_target_is_shown_confirmed_and_logged(house: House) -> None:
    house.set(A=5)

    report = push(house.lane)

    assert (report.confirmed, report.stopped) == (1, "")
    assert house.shelf.numbers["A"] == 5
    assert house.queue() == {}
    assert house.rows(LOG) == [("A", 5, None, "confirmed")]
    assert house.rows("SELECT units, number, confirmed_at, verify_at FROM shown") == [
        (5, 1, house.clock.now, house.later(2.0))
    ]


def test_pushing_again_sends_nothing(house: House) -> None:
    settled(house)

    assert push(house.lane) == PushReport()
    assert house.shelf.calls == []


def test_what_the_channel_is_known_to_show_goes_along_for_compare_and_set(house: House) -> None:
    settled(house).set(A=7)

    push(house.lane)

    assert house.shelf.calls == [{"A": (7, 10)}]


def test_many_changes_fold_into_the_newest_number(house: House) -> None:
    settled(house)
    for units in (9, 8, 7):
        house.set(A=units)

    push(house.lane)

    assert house.shelf.calls == [{"A": (7, 10)}]


def test_stock_outs_and_decreases_go_first_and_increases_wait(house: House) -> None:
    settled(house)
    house.shelf.push_rows = 1
    house.set(A=20, B=4, C=0)

    push(house.lane)
    assert house.shelf.calls == [{"C": (0, 10)}, {"B": (4, 10)}]

    house.clock.advance(1)
    push(house.lane)
    assert house.shelf.calls[2:] == [{"A": (20, 10)}]


def test_an_increase_waits_for_deliveries_that_came_in_before_it(house: House) -> None:
    settled(house).set(A=20)
    house.run(DELIVERY, at=house.clock.now)
    house.clock.advance(5)
    push(house.lane)
    assert house.shelf.calls == []

    house.run("UPDATE inbox SET state = 'applied'")
    push(house.lane)
    assert house.shelf.calls == [{"A": (20, 10)}]


def test_an_increase_does_not_wait_for_deliveries_after_it(house: House) -> None:
    settled(house).set(A=20)
    house.clock.advance(5)
    house.run(DELIVERY, at=house.clock.now)

    push(house.lane)

    assert house.shelf.calls == [{"A": (20, 10)}]


def test_an_increase_waits_while_its_sku_is_due_again(house: House) -> None:
    settled(house).set(A=20)
    house.clock.advance(5)
    house.stock(A=3)
    push(house.lane)
    assert house.shelf.calls == []

    house.allocate()
    push(house.lane)
    assert house.shelf.calls == [{"A": (3, 10)}]


def test_a_decrease_waits_for_nothing(house: House) -> None:
    settled(house).set(A=3)
    house.run(DELIVERY, at=house.clock.now)

    push(house.lane)

    assert house.shelf.calls == [{"A": (3, 10)}]


def test_a_number_the_channel_sold_down_itself_is_found_shown_and_not_sent_again(
    house: House,
) -> None:
    settled(house).set(A=9)
    house.shelf.numbers["A"] = 9

    report = push(house.lane)

    assert (report.stale, report.arrived, report.confirmed) == (1, 1, 0)
    assert house.shelf.calls == [{"A": (9, 10)}]
    assert house.queue() == {}
    assert house.rows(SHOWN + " WHERE sku = 'A'") == [(9, 2, 9)]


def test_a_stale_decrease_is_read_back_and_sent_with_what_was_read(house: House) -> None:
    settled(house).set(A=4)
    house.shelf.numbers["A"] = 8

    report = push(house.lane)

    assert (report.stale, report.confirmed) == (1, 1)
    assert house.shelf.calls == [{"A": (4, 10)}, {"A": (4, 8)}]
    assert house.shelf.numbers["A"] == 4
    assert house.rows(LOG)[-2:] == [("A", 4, 10, "stale"), ("A", 4, 8, "confirmed")]


def test_less_than_expected_may_be_a_sale_so_it_waits_like_an_increase(house: House) -> None:
    settled(house).set(A=7)
    house.shelf.numbers["A"] = 2

    push(house.lane)
    assert house.shelf.calls == [{"A": (7, 10)}]
    assert house.queue()["A"][0] == 3

    house.set(A=2)
    assert house.queue() == {}
    push(house.lane)
    assert house.shelf.numbers["A"] == 2


def test_a_channel_that_never_shows_what_it_is_expected_to_is_asked_ever_more_slowly(
    house: House,
) -> None:
    settled(house).set(A=4)

    def sell(levels: Sequence[Level]) -> None:
        house.shelf.numbers["A"] -= 1

    house.shelf.numbers["A"] = 1000
    house.shelf.during = sell

    push(house.lane)

    assert len(house.shelf.calls) == 3
    assert house.queue() == {"A": (1, False, 3)}
    assert house.rows("SELECT run_at FROM push_due") == [(house.later(1.0),)]


def test_a_halted_sku_is_not_pushed(house: House) -> None:
    house.set(A=5, B=5)
    house.run(HALT, at=house.clock.now)

    push(house.lane)
    assert house.shelf.calls == [{"B": (5, None)}]

    house.run("UPDATE halt SET state = 'lifted'")
    assert push(house.lane).confirmed == 1
