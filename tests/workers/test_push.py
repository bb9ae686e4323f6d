"""From targets to the channel: order of work, answers, doubt, refusals, waits, sale, and two pushers at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import pytest

from allocation import backlog, pushes
from allocation.pushes import Answer
from channels.base import Level, Refused, Throttled, Unauthorised, Unavailable, Unreadable
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.shelf import HIDING, House, a_house
from workers.flows.push import PushReport, push
from workers.flows.verify import verify

SHOWN = "SELECT units, number, read_units FROM shown"
DELIVERY = "INSERT INTO inbox (source, delivery_id, topic, body, received_at) VALUES ('x', '1', 't', '', :at)"
HALT = "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at) VALUES ('shop', 'A', 'r', 'ann', :at, :at)"
LOG = "SELECT sku, units, expected, outcome FROM push ORDER BY id"


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "A", "B", "C")


def settled(house: House) -> House:
    """A, B and C are shown as they should be: 10 each."""
    house.set(A=10, B=10, C=10)
    push(house.lane)
    house.shelf.calls.clear()
    house.shelf.log.clear()
    house.clock.advance(1)
    return house


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


def test_a_place_that_shows_no_number_is_asked_ever_more_slowly_and_then_parked(
    house: House,
) -> None:
    settled(house).set(A=4)
    del house.shelf.numbers["A"]

    for _ in range(14):
        push(house.lane)
        house.set(B=9 - house.clock.now.second % 2)
        house.clock.advance(1000)

    assert house.queue()["A"][1]
    with house.engine.connect() as connection:
        (row,) = backlog.parked(connection)
    assert (row.sku, row.units) == ("A", 4)
    assert "shows no number" in row.error


def test_a_row_that_is_rejected_is_parked_and_the_others_go_through(house: House) -> None:
    house.shelf.refuse.add("B")
    house.set(A=1, B=2, C=3)

    report = push(house.lane)

    assert (report.confirmed, report.rejected) == (2, 1)
    assert house.queue() == {"B": (2, True, 0)}
    with house.engine.connect() as connection:
        (row,) = backlog.parked(connection, "shop")
    assert row.error == (
        "INVALID_INVENTORY_ITEM: The item could not be found.;"
        " put it right at the vendor or in the binding, then unpark it"
    )
    assert push(house.lane) == PushReport()


def test_an_unparked_row_goes_out_again(house: House) -> None:
    house.shelf.refuse.add("A")
    house.set(A=1)
    push(house.lane)
    house.shelf.refuse.clear()

    with transaction(house.engine) as connection:
        assert backlog.unpark(connection, "shop", house.clock.now, ["B"]) == 0
        assert backlog.unpark(connection, "shop", house.clock.now) == 1

    assert push(house.lane).confirmed == 1


def test_a_refused_call_is_halved_until_the_bad_row_stands_alone(
    database: Database, clock: Clock
) -> None:
    skus = [f"S{number:03}" for number in range(100)]
    house = a_house(database.engine, clock, *skus)
    house.shelf.poison["S037"] = Refused("no such thing", code="NOT_FOUND")
    house.set(**dict.fromkeys(skus, 5))

    report = push(house.lane)

    assert (report.confirmed, report.rejected) == (99, 1)
    assert house.queue() == {"S037": (2, True, 0)}
    assert len(house.shelf.calls) <= 16
    assert len(set(house.shelf.keys)) == len(house.shelf.keys)


def test_an_account_that_refuses_everything_costs_a_bounded_number_of_calls(
    database: Database, clock: Clock
) -> None:
    skus = [f"S{number:03}" for number in range(200)]
    house = a_house(database.engine, clock, *skus)
    house.shelf.poison = {sku: Refused("shop is frozen", code="FROZEN") for sku in skus}
    house.set(**dict.fromkeys(skus, 5))

    push(house.lane)

    assert len(house.shelf.calls) < 80
    attempts = Counter(attempts for _, parked, attempts in house.queue().values() if not parked)
    assert set(attempts) == {1}


def test_a_throttled_call_costs_no_attempt_and_comes_back_when_the_vendor_says(
    house: House,
) -> None:
    house.set(A=5)
    house.shelf.failures = [Throttled("bucket empty", retry_after_s=7.0)]

    report = push(house.lane)

    assert (report.retry_after_s, report.stopped) == (7.0, "throttled: bucket empty")
    assert house.queue() == {"A": (2, False, 0)}
    house.clock.advance(6.9)
    assert push(house.lane) == PushReport()
    house.clock.advance(0.1)
    assert push(house.lane).confirmed == 1
    assert house.shelf.reads == []
    assert [row[3] for row in house.rows(LOG)] == ["throttled", "confirmed"]


@pytest.mark.parametrize("error", [Unavailable("timeout"), Unreadable("HTML")])
def test_an_unknown_outcome_is_read_back_before_anything_is_sent_again(
    house: House, error: Exception
) -> None:
    settled(house).set(A=5)
    house.shelf.failures = [error]

    report = push(house.lane)

    assert report.stopped.endswith(str(error))
    assert house.queue() == {"A": (1, False, 1)}
    house.clock.advance(10)
    assert push(house.lane).confirmed == 1
    assert house.shelf.reads == [["A"]]
    assert house.shelf.calls == [{"A": (5, 10)}, {"A": (5, 10)}]
    assert len(set(house.shelf.keys)) == len(house.shelf.keys)


def test_a_call_that_took_effect_without_an_answer_is_not_repeated(house: House) -> None:
    settled(house).set(A=5)
    house.shelf.after = [Unavailable("timeout")]

    push(house.lane)
    house.clock.advance(10)
    report = push(house.lane)

    assert (report.arrived, report.confirmed) == (1, 0)
    assert house.shelf.calls == [{"A": (5, 10)}]
    assert house.queue() == {}


def test_a_worker_that_died_after_its_claim_leaves_a_row_that_is_read_back(house: House) -> None:
    settled(house).set(A=5)
    with transaction(house.engine) as connection:
        (lost,) = pushes.claim_pushes(connection, "shop", 10, house.clock.now, 120.0, "dead")
    assert push(house.lane) == PushReport()

    house.clock.advance(121)
    report = push(house.lane)

    assert (report.confirmed, house.shelf.reads) == (1, [["A"]])
    assert not lost.in_doubt
    assert house.rows(LOG)[-2:] == [("A", 5, 10, "unknown"), ("A", 5, 10, "confirmed")]


def test_a_read_back_that_is_throttled_leaves_the_doubt_as_it_was(house: House) -> None:
    settled(house).set(A=5)
    house.shelf.failures = [Unavailable("timeout"), Throttled("slow down", retry_after_s=3.0)]
    push(house.lane)
    house.clock.advance(10)

    report = push(house.lane)

    assert report.retry_after_s == 3.0
    assert house.queue() == {"A": (1, False, 1)}
    house.clock.advance(3)
    assert push(house.lane).confirmed == 1


def test_failures_back_off_and_nothing_is_parked_while_the_channel_is_away(house: House) -> None:
    house.set(A=5)
    waits = []
    for _ in range(20):
        house.shelf.failures = [Unavailable("down")]
        push(house.lane)
        (run_at,) = house.rows("SELECT run_at FROM push_due")[0]
        waits.append((run_at - house.clock.now).total_seconds())
        house.clock.advance(1000)

    assert waits[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert max(waits) == 450.0
    assert house.queue() == {"A": (2, False, 20)}
    house.shelf.failures = []
    push(house.lane)
    house.clock.advance(1)
    assert push(house.lane).confirmed == 1


def test_a_row_that_breaks_every_call_ends_up_alone_and_parked(
    database: Database, clock: Clock
) -> None:
    skus = [f"S{number:02}" for number in range(40)]
    house = a_house(database.engine, clock, *skus)
    house.shelf.poison["S07"] = Unavailable("HTTP 500")
    house.set(**dict.fromkeys(skus, 5))

    for _ in range(60):
        push(house.lane)
        house.clock.advance(1000)

    assert house.queue() == {"S07": (3, True, 12)}
    assert sum(house.shelf.numbers.values()) == 5 * 39


def test_a_channel_that_does_not_accept_us_is_stopped_until_a_person_resumes_it(
    house: House,
) -> None:
    house.set(A=5)
    house.shelf.failures = [Unauthorised("bad token")]

    report = push(house.lane)

    assert report.person_needed
    assert house.rows("SELECT paused, paused_by, paused_why FROM channel") == [
        (True, "push", "unauthorised: bad token")
    ]
    house.clock.advance(1000)
    assert push(house.lane) == PushReport()
    with transaction(house.engine) as connection:
        assert backlog.due_channels(connection, house.clock.now) == []
        assert backlog.resume(connection, "shop")
        assert not backlog.resume(connection, "shop")
        assert backlog.due_channels(connection, house.clock.now) == ["shop"]
    assert push(house.lane).confirmed == 1


def test_what_was_not_sent_when_the_vendor_stopped_us_costs_no_attempt(house: House) -> None:
    settled(house).set(A=5, B=5, C=5)
    house.run("UPDATE push_due SET attempts = 9 WHERE sku <> 'A'")
    house.shelf.failures = [Throttled("bucket empty", retry_after_s=1.0)]

    push(house.lane)

    assert house.queue() == {"A": (1, False, 0), "B": (1, False, 9), "C": (1, False, 9)}
    assert house.rows("SELECT count(*) FROM push_due WHERE push_key IS NOT NULL") == [(0,)]
    house.clock.advance(1)
    assert push(house.lane).confirmed == 3


def test_a_halted_sku_is_not_pushed(house: House) -> None:
    house.set(A=5, B=5)
    house.run(HALT, at=house.clock.now)

    push(house.lane)
    assert house.shelf.calls == [{"B": (5, None)}]

    house.run("UPDATE halt SET state = 'lifted'")
    assert push(house.lane).confirmed == 1


def test_a_target_that_moves_during_the_call_goes_out_again_at_once(house: House) -> None:
    settled(house).set(A=8)

    def sell(levels: Sequence[Level]) -> None:
        house.shelf.during = lambda levels: None
        house.set(A=6)

    house.shelf.during = sell

    report = push(house.lane)

    assert report.confirmed == 2
    assert house.shelf.calls == [{"A": (8, 10)}, {"A": (6, 8)}]
    assert house.rows(SHOWN + " WHERE sku = 'A'") == [(6, 3, None)]
    assert house.queue() == {}


def test_back_to_what_was_sent_before_is_still_sent_while_another_number_is_on_its_way(
    house: House,
) -> None:
    settled(house).set(A=8)

    def undo(levels: Sequence[Level]) -> None:
        house.shelf.during = lambda levels: None
        house.set(A=10)

    house.shelf.during = undo
    push(house.lane)
    house.clock.advance(1)
    push(house.lane)

    assert house.shelf.numbers["A"] == 10


def test_an_answer_that_comes_late_never_overwrites_a_newer_number(house: House) -> None:
    settled(house).set(A=8)
    with transaction(house.engine) as connection:
        (slow,) = pushes.claim_pushes(connection, "shop", 10, house.clock.now, 60.0, "slow")
    house.clock.advance(61)
    house.set(A=5)
    push(house.lane)
    house.set(A=4)
    with transaction(house.engine) as connection:
        pushes.claim_pushes(connection, "shop", 10, house.clock.now, 60.0, "other")

    with transaction(house.engine) as connection:
        answer = Answer(slow, "confirmed")
        pushes.settle_pushes(connection, [answer], house.clock.now, house.clock.now)

    assert house.rows(SHOWN + " WHERE sku = 'A'") == [(5, 3, None)]
    assert house.rows("SELECT push_key, leased_until IS NULL FROM push_due") == [("other", False)]


class Airspace:
    """Sees which SKUs are in a call at the same moment, and lets calls meet."""

    def __init__(self) -> None:
        self.flying: Counter[str] = Counter()
        self.collisions: list[str] = []
        self.lock = threading.Lock()
        self.meeting = threading.Barrier(3)

    def fly(self, levels: Sequence[Level]) -> None:
        skus = [level.binding.sku for level in levels]
        with self.lock:
            self.flying.update(skus)
            self.collisions += [sku for sku in skus if self.flying[sku] > 1]
        try:
            self.meeting.wait(0.05)
        except threading.BrokenBarrierError:
            self.meeting.reset()
        with self.lock:
            self.flying.subtract(skus)


def test_pushers_never_send_the_same_row_at_once(database: Database, clock: Clock) -> None:
    skus = [f"S{number:03}" for number in range(120)]
    house = a_house(database.engine, clock, *skus)
    house.shelf.push_rows = 7
    airspace = Airspace()
    house.shelf.during = airspace.fly
    house.set(**dict.fromkeys(skus, 5))
    stop = threading.Event()

    def change() -> None:
        for units in (4, 3, 2):
            house.set(**dict.fromkeys(skus, units))
        stop.set()

    def send() -> None:
        while not stop.is_set():
            push(house.lane)

    threads = [threading.Thread(target=work) for work in (change, send, send, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    push(house.lane)

    assert airspace.collisions == []
    assert set(house.shelf.numbers.values()) == {2}
    assert house.queue() == {}


def at_zero(database: Database, clock: Clock) -> House:
    house = a_house(database.engine, clock, "A", "B", rules=HIDING)
    house.set(A=3, B=3)
    push(house.lane)
    house.shelf.log.clear()
    house.set(A=0)
    push(house.lane)
    return house


def test_a_listing_at_zero_goes_off_sale_after_the_zero_is_shown(
    database: Database, clock: Clock
) -> None:
    house = at_zero(database, clock)

    assert house.shelf.log == ["show A 0", "stop A"]
    assert house.rows("SELECT sku, location, undo FROM hidden") == [
        ("A", "WH", {"policy": "CONTINUE"})
    ]
    push(house.lane)
    assert house.shelf.log == ["show A 0", "stop A"]


def test_a_listing_comes_back_after_its_new_number_is_shown_exactly_as_it_was(
    database: Database, clock: Clock
) -> None:
    house = at_zero(database, clock)
    house.set(A=2)
    clock.advance(1)

    push(house.lane)

    assert house.shelf.log[2:] == ["show A 2", "resume A CONTINUE"]
    assert house.rows("SELECT * FROM hidden") == []


def test_a_listing_stays_on_sale_where_the_rule_does_not_hide_it(house: House) -> None:
    house.set(A=0)

    push(house.lane)

    assert house.shelf.log == ["show A 0"]


def test_a_resume_that_fails_is_done_by_the_next_go(database: Database, clock: Clock) -> None:
    house = at_zero(database, clock)
    house.set(A=2)
    clock.advance(1)
    house.shelf.sale_failures = [Unavailable("gateway")]

    assert push(house.lane).stopped == "unavailable: gateway"

    clock.advance(5)
    with house.engine.connect() as connection:
        assert backlog.due_channels(connection, clock.now) == ["shop"]
    assert push(house.lane).resumed == 1


def test_a_stop_without_an_answer_is_repeated_and_still_undone_exactly(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", rules=HIDING, shown=3)
    house.set(A=0)
    house.shelf.sale_after = [Unavailable("timeout")]
    assert push(house.lane).stopped == "unavailable: timeout"

    clock.advance(5)
    verify(house.lane)

    assert house.rows("SELECT undo FROM hidden") == [({"policy": "CONTINUE"},)]
    house.set(A=1)
    clock.advance(5)
    push(house.lane)
    assert house.shelf.log[-1] == "resume A CONTINUE"


def test_a_halted_listing_is_neither_hidden_nor_put_back(database: Database, clock: Clock) -> None:
    house = at_zero(database, clock)
    house.set(A=2)
    clock.advance(1)
    house.run(HALT, at=clock.now)

    push(house.lane)

    assert house.shelf.log == ["show A 0", "stop A"]


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
