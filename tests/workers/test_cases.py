"""Oversold lines become cases: each once, the last accepted first; they close by themselves when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from allocation.plays import Response
from ledger.db import transaction
from reconcile.oversold import rates, store, timeline
from tests.servers import Clock, Database
from tests.workers.case_house import HOLDING, SHOPS, CaseHouse, a_case_house
from workers.flows import cases
from workers.flows.case_steps import AT_CHANNEL
from workers.flows.cases import NotPossible


@pytest.fixture
def house(database: Database, clock: Clock) -> CaseHouse:
    return a_case_house(database.engine, clock)


def choose(house: CaseHouse, response: str, case_id: int = 1, by: str = "ann") -> None:
    cases.choose(
        house.engine, house.means, case_id, Response(response), by=by, reason="asked", now=house.clock.now
    )  # fmt: skip


def close(house: CaseHouse, *, keep_hold: bool = False) -> bool:
    return cases.close(
        house.engine, 1, by="ann", reason="settled by phone", keep_hold=keep_hold, now=house.clock.now
    )  # fmt: skip


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
def oversold(house: CaseHouse) -> CaseHouse:
    """Order 2 was accepted for nothing."""
    house.order("1")
    house.order("2", at_s=1)
    house.look(2)
    return house


def result(house: CaseHouse) -> str:
    (case,) = house.cases()
    assert case.state == "closed"
    assert house.alarms() == []
    return case.result


def test_a_receipt_closes_a_case_nobody_acted_on(oversold: CaseHouse) -> None:
    oversold.stock(1)
    oversold.look(1)

    assert result(oversold) == "stock came before anything was done"


def test_another_lines_cancel_closes_a_case(oversold: CaseHouse) -> None:
    oversold.fact("order_cancel", channel="shop", order="1", units=1)
    oversold.look(1)

    assert result(oversold) == "stock came before anything was done"


def test_its_own_cancel_closes_a_case(oversold: CaseHouse) -> None:
    oversold.fact("order_cancel", channel="shop", order="2", units=1)
    oversold.look(1)

    assert result(oversold) == "the line was cancelled"


def test_a_line_that_left_all_the_same_took_another_ones_units(oversold: CaseHouse) -> None:
    oversold.fact("ship", channel="shop", order="2", line="1", units=1)
    oversold.look(1)

    first, second = oversold.cases()
    assert (first.state, first.result) == ("closed", "the line was shipped")
    assert (second.order_id, second.state, second.found_by) == ("1", "waiting", "moved")
    assert second.cause == "taken_away"


def test_what_is_missing_again_is_the_same_case_again(oversold: CaseHouse) -> None:
    oversold.stock(1)
    oversold.look(1)
    oversold.fact("write_off", units=1)
    oversold.look(1)

    (case,) = oversold.cases()
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


def test_a_person_chooses_where_no_rule_does(oversold: CaseHouse) -> None:
    choose(oversold, "refund")

    (case,) = oversold.cases()
    assert (case.response, case.chosen_by, case.cost) == ("refund", "ann", Decimal(12))
    assert oversold.steps() == {"hold": "due", "slack": "due", "email": "due", "hand": "by_hand"}
    assert oversold.trail() == ["case.open", "case.choose"]


def test_a_channel_that_cannot_hold_says_what_a_person_does(house: CaseHouse) -> None:
    house.order("1")
    house.order("2", channel="till", at_s=1)
    house.look(2)
    choose(house, "hold")

    (todo,) = house.rows("SELECT todo FROM case_step WHERE kind = 'hold'")
    assert "no API of till holds an order, do it by hand: set the order aside" in todo[0]


def test_what_was_chosen_once_is_not_chosen_again(oversold: CaseHouse) -> None:
    choose(oversold, "refund")

    with pytest.raises(NotPossible, match="refund was chosen for case 1 by ann already"):
        choose(oversold, "refund", by="bob")


def test_another_response_keeps_what_was_done_and_drops_what_nobody_began(
    oversold: CaseHouse,
) -> None:
    choose(oversold, "hold")
    oversold.act(kinds=AT_CHANNEL)
    choose(oversold, "refund")
    oversold.act()

    rows = oversold.rows("SELECT kind, response, state FROM case_step ORDER BY position")
    assert rows == [
        ("hold", "hold", "done"),
        ("slack", "hold", "dropped"),
        ("slack", "refund", "done"),
        ("email", "refund", "done"),
        ("hand", "refund", "by_hand"),
    ]
    assert len(oversold.shop.calls) == 1


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


def test_an_alarm_says_what_to_do_next(oversold: CaseHouse) -> None:
    waiting = detail(oversold)["todo"]
    choose(oversold, "refund")
    oversold.act()
    by_hand = detail(oversold)
    oversold.stock(1)
    oversold.look(1)
    covered = detail(oversold)

    assert waiting == "choose: lockstep case choose 1 RESPONSE --reason ..."
    assert by_hand["todo"] == "refund 1 of MUG-RED of order 2 at shop without restocking"
    assert (by_hand["response"], by_hand["impact_units"]) == ("refund", 1)
    assert covered["todo"] == "the units are there now: lockstep case close 1 --reason ..."
    assert covered["impact_units"] == 0


# --- why --------------------------------------------------------------------------------------------------------------


def cause(house: CaseHouse) -> tuple[str, dict[str, object]]:
    (case,) = house.cases()
    return case.cause, dict(case.evidence)


def test_two_shops_that_sold_the_last_unit_within_seconds_sold_at_once(house: CaseHouse) -> None:
    house.clock.advance(10)
    house.order("2", channel="till", at_s=-2)
    house.order("1", at_s=-4)
    house.look()

    found, evidence = cause(house)
    assert (found, evidence["late_s"]) == ("sold_at_once", 4)


def test_a_sale_that_was_booked_minutes_late_is_the_cause(house: CaseHouse) -> None:
    house.clock.advance(600)
    house.order("1", channel="till", at_s=-400)
    house.order("2", at_s=-5)
    house.look()

    found, evidence = cause(house)
    assert (found, evidence["late_s"]) == ("late_event", 400)


def test_a_drift_of_that_channel_at_that_time_is_the_cause_also_when_it_is_found_later(
    oversold: CaseHouse,
) -> None:
    before = cause(oversold)[0]
    oversold.rows(
        "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)"
        " VALUES ('shop', 'MUG-RED', 'OSLO', 0, 5, 'swallowed_update', 're-push', :at, :at)",
        at=oversold.clock.now,
    )
    oversold.look(61)

    assert before == "unknown"
    assert cause(oversold) == ("swallowed_update", {"drift": 1})


def test_a_channel_that_had_said_it_shows_none_sold_below_it(house: CaseHouse) -> None:
    house.order("1")
    house.rows(
        "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)"
        " VALUES ('k', 'shop', 'MUG-RED', 'OSLO', 0, 2, :at, :at, 'confirmed')",
        at=house.clock.now,
    )
    house.order("2", at_s=1)
    house.look(2)

    assert cause(house) == ("sold_below_shown", {"push": 1, "units": 0})


def test_a_timeline_tells_everything_with_its_ids(oversold: CaseHouse) -> None:
    choose(oversold, "refund")
    oversold.act()
    oversold.rows(
        "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at)"
        " VALUES ('shop', 'MUG-RED', 'r', 'ann', :at, :at)",
        at=oversold.clock.now,
    )
    with transaction(oversold.engine) as connection:
        (case,) = store.read(connection, [1])
        told = timeline.timeline(connection, case, cases.RULE)

    assert [each.at for each in told] == sorted(each.at for each in told)
    whats = [each.what for each in told]
    assert {name: whats.count(name) for name in ("event", "halt", "step", "trail")} == {
        "event": 3,
        "halt": 1,
        "step": 4,
        "trail": 5,
    }
    (taken,) = [each.said for each in told if "(-1 left)" in each.said]
    assert taken.startswith("order 1 of MUG-RED shop 2 from OSLO available (-1 left) to committed")
    assert all(each.id for each in told)


# --- the rate ---------------------------------------------------------------------------------------------------------


def test_the_rate_counts_lines_at_their_acceptance_whatever_became_of_them(
    house: CaseHouse,
) -> None:
    house.stock(97)
    for number in range(98):
        house.order(f"ok-{number}")
    house.order("gone", at_s=1)
    house.look(2)
    choose(house, "refund")
    house.order("kept", channel="till", at_s=1)
    house.order("taken", channel="till")
    house.stock(2)
    house.look(2)
    house.fact("write_off", units=1)
    house.look(1)
    with transaction(house.engine) as connection:
        found, sum_ = rates.rates(connection, since=house.clock.now)

    assert [(each.channel, each.accepted, each.oversold, each.percent) for each in found] == [
        ("shop", 99, 1, 1.01),
        ("till", 2, 1, 50.0),
    ]
    assert (sum_.accepted, sum_.oversold, sum_.undecided) == (101, 2, 1)
    assert [sum_.cost, sum_.cost_low, sum_.cost_high] == [Decimal(12), Decimal(42), Decimal(92)]
