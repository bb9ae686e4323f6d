"""Oversold lines become cases: each once, the last accepted first; they close by themselves when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.servers import Clock, Database
from tests.workers.case_house import (
    HOLDING,
    SHOPS,
    CaseHouse,
    a_case_house,
    choose,
    close,
    oversold,
)
from workers.flows import cases
from workers.flows.case_steps import AT_CHANNEL
from workers.flows.cases import NotPossible


@pytest.fixture
def house(database: Database, clock: Clock) -> CaseHouse:
    return a_case_house(database.engine, clock)


# --- found ------------------------------------------------------------------------------------------------------------


def test_what_is_there_opens_no_case(house: CaseHouse) -> None:
    house.order("1")

    assert house.look().opened == ()


def test_a_line_that_was_accepted_for_nothing_opens_a_case_once(house: CaseHouse) -> None:
    house.order("1")
    house.order("2", at_s=1)

    opened = [house.look(1).opened for _ in range(3)]

    assert [len(each) for each in opened] == [1, 0, 0]
    (case,) = house.cases()
    assert (case.order_id, case.units, case.state, case.found_by) == ("2", 1, "waiting", "order")
    assert house.alarms() == [f"case:{case.id}"]
    assert house.trail() == ["case.open"]


def test_who_was_accepted_last_goes_without_whoever_was_heard_of_first(house: CaseHouse) -> None:
    house.order("late", at_s=5)
    house.order("early", channel="till", at_s=1)
    house.look(1)

    assert house.states() == {"late": "waiting"}


def test_two_orders_for_the_last_unit_at_two_channels_at_once_are_one_case(
    house: CaseHouse,
) -> None:
    ready = threading.Barrier(2)
    failed: list[BaseException] = []

    def sell(channel: str, at_s: float) -> None:
        try:
            ready.wait()
            house.order(channel, channel=channel, at_s=at_s, id=f"order:{channel}")
            cases.look(house.engine, house.means, now=house.clock.now)
        except BaseException as error:
            failed.append(error)

    sellers = [threading.Thread(target=sell, args=each) for each in (("shop", 0.2), ("till", 0.1))]
    for seller in sellers:
        seller.start()
    for seller in sellers:
        seller.join()
    house.look(1)

    assert not failed
    assert house.states() == {"shop": "waiting"}
    assert house.trail() == ["case.open"]


def test_a_line_of_many_is_missing_only_what_is_not_there(house: CaseHouse) -> None:
    house.order("1", units=3)
    house.look()
    house.order("2", units=4, at_s=1)
    house.look(1)

    assert {case.order_id: case.units for case in house.cases()} == {"1": 2, "2": 4}


def test_what_a_count_finds_missing_is_missing_for_the_last_accepted(house: CaseHouse) -> None:
    house.stock(1)
    house.order("1")
    house.order("2", at_s=1)
    house.clock.advance(60)
    before = house.look().opened
    house.fact("count", counted=1)
    house.look(1)

    (case,) = house.cases()
    assert before == ()
    assert (case.order_id, case.found_by, case.cause) == ("2", "count", "shrink")


def test_imported_history_opens_nothing(house: CaseHouse) -> None:
    house.order("1", units=9, source="history:2011")

    assert house.look().opened == ()


# --- over by itself ---------------------------------------------------------------------------------------------------


@pytest.fixture
def short(database: Database, clock: Clock) -> CaseHouse:
    """Order 2 was accepted for nothing."""
    return oversold(database.engine, clock)


def result(house: CaseHouse) -> str:
    (case,) = house.cases()
    assert case.state == "closed"
    assert house.alarms() == []
    return case.result


def test_a_receipt_closes_a_case_nobody_acted_on(short: CaseHouse) -> None:
    short.stock(1)
    short.look(1)

    assert result(short) == "stock came before anything was done"


def test_another_lines_cancel_closes_a_case(short: CaseHouse) -> None:
    short.fact("order_cancel", channel="shop", order="1", units=1)
    short.look(1)

    assert result(short) == "stock came before anything was done"


def test_its_own_cancel_closes_a_case(short: CaseHouse) -> None:
    short.fact("order_cancel", channel="shop", order="2", units=1)
    short.look(1)

    assert result(short) == "the line was cancelled"


def test_a_line_that_left_all_the_same_took_another_ones_units(short: CaseHouse) -> None:
    short.fact("ship", channel="shop", order="2", line="1", units=1)
    short.look(1)

    first, second = short.cases()
    assert (first.state, first.result) == ("closed", "the line was shipped")
    assert (second.order_id, second.state, second.found_by) == ("1", "waiting", "moved")
    assert second.cause == "taken_away"


def test_what_is_missing_again_is_the_same_case_again(short: CaseHouse) -> None:
    short.stock(1)
    short.look(1)
    short.fact("write_off", units=1)
    short.look(1)

    (case,) = short.cases()
    assert (case.state, case.times, case.order_id) == ("waiting", 2, "2")


def test_what_came_before_anybody_looked_is_counted_and_closed(house: CaseHouse) -> None:
    house.order("1")
    house.order("2", at_s=1)
    house.stock(1)
    opened = [house.look(1).opened for _ in range(2)]

    assert [len(each) for each in opened] == [1, 0]
    assert result(house) == "stock came before anything was done"


# --- chosen -----------------------------------------------------------------------------------------------------------


def test_the_rules_choose_and_say_why(house: CaseHouse) -> None:
    house.rules(HOLDING)
    house.order("1")
    house.order("2", at_s=1)
    looked = house.look(2)

    (case,) = house.cases()
    assert looked.chosen == (case.id,)
    assert (case.state, case.response, case.chosen_by) == ("acting", "hold", "rule:playbook")
    assert (case.chosen_why, case.cost) == ("a receipt may be late", Decimal(12))
    assert house.steps() == {"hold": "due", "slack": "due"}


def test_a_rule_that_waits_lets_stock_come_first(house: CaseHouse) -> None:
    house.rules(HOLDING + "wait_minutes = 15\n")
    house.order("1")
    house.order("2", at_s=1)
    house.look(2)
    early = house.act()
    house.stock(1)
    house.look(1)

    assert (early.done, house.shop.calls) == (0, [])
    assert result(house) == "stock came before anything was done"


def test_a_line_of_much_worth_is_treated_otherwise(house: CaseHouse) -> None:
    dear = '[[playbook]]\nleast_value = 100\nresponse = "expedite"\ncost = 80\nwhy = "dear"\n'
    house.rules(SHOPS + dear + HOLDING.removeprefix(SHOPS))
    house.rows(
        "INSERT INTO sku_worth (sku, price, set_at, set_by) VALUES ('MUG-RED', 60, now(), 'ann')"
    )
    house.order("1")
    house.order("2", units=2, at_s=1)
    house.order("3", units=1, at_s=2)
    house.look(3)

    assert {c.order_id: (c.response, c.cost, c.worth) for c in house.cases()} == {
        "2": ("expedite", Decimal(80), Decimal(120)),
        "3": ("hold", Decimal(12), Decimal(60)),
    }


def test_a_person_chooses_where_no_rule_does(short: CaseHouse) -> None:
    choose(short, "refund")

    (case,) = short.cases()
    assert (case.response, case.chosen_by, case.cost) == ("refund", "ann", Decimal(12))
    assert short.steps() == {"hold": "due", "slack": "due", "email": "due", "hand": "by_hand"}
    assert short.trail() == ["case.open", "case.choose"]


def test_a_channel_that_cannot_hold_says_what_a_person_does(house: CaseHouse) -> None:
    house.order("1")
    house.order("2", channel="till", at_s=1)
    house.look(2)
    choose(house, "hold")

    (todo,) = house.rows("SELECT todo FROM case_step WHERE kind = 'hold'")
    assert "no API of till holds an order, do it by hand: set the order aside" in todo[0]


def test_what_was_chosen_once_is_not_chosen_again(short: CaseHouse) -> None:
    choose(short, "refund")

    with pytest.raises(NotPossible, match="refund was chosen for case 1 by ann already"):
        choose(short, "refund", by="bob")


def test_another_response_keeps_what_was_done_and_drops_what_nobody_began(
    short: CaseHouse,
) -> None:
    choose(short, "hold")
    short.act(kinds=AT_CHANNEL)
    choose(short, "refund")
    short.act()

    rows = short.rows("SELECT kind, response, state FROM case_step ORDER BY position")
    assert rows == [
        ("hold", "hold", "done"),
        ("slack", "hold", "dropped"),
        ("slack", "refund", "done"),
        ("email", "refund", "done"),
        ("hand", "refund", "by_hand"),
    ]
    assert len(short.shop.calls) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda house: choose(house, "hold"),
        close,
        lambda house: cases.again(house.engine, 1, by="ann", now=house.clock.now),
    ],
)
def test_a_case_nobody_knows_is_refused(
    house: CaseHouse, ask: Callable[[CaseHouse], object]
) -> None:
    with pytest.raises(NotPossible, match="there is no case 1"):
        ask(house)


# --- told -------------------------------------------------------------------------------------------------------------


def detail(house: CaseHouse) -> dict[str, object]:
    ((found,),) = house.rows("SELECT detail FROM alarm WHERE rule = 'oversold.line'")
    return dict(found)


def test_an_alarm_says_what_to_do_next(short: CaseHouse) -> None:
    waiting = detail(short)["todo"]
    choose(short, "refund")
    short.act()
    by_hand = detail(short)
    short.stock(1)
    short.look(1)
    covered = detail(short)

    assert waiting == "choose: lockstep case choose 1 RESPONSE --reason ..."
    assert by_hand["todo"] == "refund 1 of MUG-RED of order 2 at shop without restocking"
    assert (by_hand["response"], by_hand["impact_units"]) == ("refund", 1)
    assert covered["todo"] == "the units are there now: lockstep case close 1 --reason ..."
    assert covered["impact_units"] == 0
