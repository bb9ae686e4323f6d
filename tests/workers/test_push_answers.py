"""What becomes of a push the channel refuses, puts off, or does not answer."""

from __future__ import annotations

from collections import Counter

import pytest

from allocation import backlog, pushes
from channels.base import Refused, Throttled, Unauthorised, Unavailable, Unreadable
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.waits import channels_of
from tests.workers.shelf import LOG, House, a_house, settled
from workers.flows.push import PushReport, push


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
        assert channels_of(connection, "pushes", house.clock.now) == []
        assert backlog.resume(connection, "shop")
        assert not backlog.resume(connection, "shop")
        assert channels_of(connection, "pushes", house.clock.now) == ["shop"]
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


def test_a_vendor_that_says_at_once_is_not_asked_as_fast_as_the_wire_carries(house: House) -> None:
    house.set(A=5)
    house.shelf.failures = [Throttled("429", retry_after_s=0.0)]

    report = push(house.lane)

    assert report.retry_after_s == 0.1
    assert push(house.lane) == PushReport()
    house.clock.advance(0.1)
    assert push(house.lane).confirmed == 1


def test_a_row_for_which_the_vendor_refuses_every_read_back_holds_nobody_up(house: House) -> None:
    settled(house).set(A=5, B=5)
    house.shelf.failures = [Unavailable("timeout")]
    push(house.lane)
    house.shelf.untellable.add("A")
    house.clock.advance(10)
    house.set(C=5)

    push(house.lane)

    # B was in doubt with A and is told; C never was.
    assert house.shelf.numbers == {"A": 10, "B": 5, "C": 5}
    assert list(house.queue()) == ["A"]
    for _ in range(14):
        house.clock.advance(1000)
        push(house.lane)
    with house.engine.connect() as connection:
        (row,) = backlog.parked(connection)
    assert (row.sku, row.error) == ("A", "refused INVALID: no such item")
