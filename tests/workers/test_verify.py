"""Reading back: a confirmed number that is there, one that is not, and one that was overtaken."""

from __future__ import annotations

import pytest

from allocation import backlog
from channels.base import Throttled, Unavailable
from tests.servers import Clock, Database
from tests.waits import channels_of
from tests.workers.shelf import HIDING, House, a_house
from workers.flows.push import push
from workers.flows.verify import VerifyReport, verify

DRIFTS = "SELECT sku, expected, actual, cause, action, resolved_at IS NULL FROM drift"
SHOWN = "SELECT units, read_units, read_at, verify_at FROM shown WHERE sku = 'A'"


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    house = a_house(database.engine, clock, "A", "B")
    house.set(A=10, B=10)
    push(house.lane)
    clock.advance(2)
    verify(house.lane)
    house.shelf.reads.clear()
    house.shelf.calls.clear()
    return house


def test_a_number_that_is_shown_as_confirmed_is_verified_once(house: House) -> None:
    house.set(A=7)
    push(house.lane)
    assert verify(house.lane) == VerifyReport()

    house.clock.advance(2)

    assert verify(house.lane) == VerifyReport(read=1)
    assert house.rows(SHOWN) == [(7, 7, house.clock.now, None)]
    assert verify(house.lane) == VerifyReport()
    assert house.shelf.reads == [["A"]]


def test_a_swallowed_decrease_is_a_drift_and_goes_out_again(house: House) -> None:
    house.shelf.swallow.add("A")
    house.set(A=3)
    push(house.lane)
    house.clock.advance(2)

    report = verify(house.lane)

    assert report == VerifyReport(read=1, wrong=1, too_much=1)
    assert house.queue() == {"A": (2, False, 1)}
    assert house.rows(DRIFTS) == [("A", 3, 10, "swallowed_update", "re-push", True)]
    house.shelf.swallow.clear()
    push(house.lane)
    assert house.shelf.calls[-1] == {"A": (3, 10)}
    house.clock.advance(2)
    assert verify(house.lane) == VerifyReport(read=1)
    assert house.rows("SELECT resolved_at IS NULL FROM drift") == [(False,)]


def test_a_number_that_is_confirmed_again_and_again_and_never_shown_is_parked(
    house: House,
) -> None:
    house.shelf.swallow.add("A")
    house.set(A=9)
    for _ in range(14):
        push(house.lane)
        house.clock.advance(2)
        verify(house.lane)
        house.clock.advance(1000)

    assert house.queue() == {"A": (2, True, 12)}
    with house.engine.connect() as connection:
        (row,) = backlog.parked(connection)
    assert row.error.startswith("confirmed 12 times, and still 10 is shown instead of 9")
    assert len(house.shelf.calls) == 12


def test_less_than_confirmed_may_be_a_sale_and_waits_like_an_increase(house: House) -> None:
    house.set(A=7)
    push(house.lane)
    house.shelf.numbers["A"] = 6
    house.clock.advance(2)

    assert verify(house.lane) == VerifyReport(read=1, wrong=1)

    assert house.rows(DRIFTS) == []
    assert house.queue() == {"A": (3, False, 1)}
    house.set(A=6)
    assert house.queue() == {}


def test_a_number_that_is_not_known_is_never_taken_for_zero(house: House) -> None:
    house.set(A=7)
    push(house.lane)
    del house.shelf.numbers["A"]
    house.clock.advance(2)

    assert verify(house.lane) == VerifyReport(read=1)

    assert house.rows(SHOWN) == [(7, None, None, None)]
    assert house.rows(DRIFTS) == []
    assert house.queue() == {}


def test_a_newer_push_on_its_way_is_not_disturbed(house: House) -> None:
    house.set(A=7)
    push(house.lane)
    house.set(A=5)
    house.run("UPDATE push_due SET push_key = 'flying', leased_until = :at", at=house.later(60))
    house.clock.advance(2)

    assert verify(house.lane) == VerifyReport()
    assert house.shelf.reads == []


def test_a_reading_that_a_newer_push_overtook_does_not_count(house: House) -> None:
    house.set(A=7)
    push(house.lane)
    house.clock.advance(2)
    snapshot = house.shelf.snapshot

    def overtaken(*arguments: object) -> object:
        readings = list(snapshot(*arguments))  # type: ignore[arg-type]  # passed on as they came
        house.set(A=4)
        push(house.lane)
        return iter(readings)

    house.shelf.snapshot = overtaken  # type: ignore[method-assign, assignment]  # a sale during the read

    assert verify(house.lane) == VerifyReport()
    assert house.queue() == {}
    assert house.rows(SHOWN)[0][:2] == (4, None)


def test_a_read_back_that_is_throttled_comes_again_when_the_channel_may_be_called(
    house: House,
) -> None:
    house.set(A=7)
    push(house.lane)
    house.clock.advance(2)
    house.shelf.failures = [Throttled("slow down", retry_after_s=5.0)]

    assert verify(house.lane) == VerifyReport(stopped="throttled: slow down")
    assert verify(house.lane) == VerifyReport()

    house.clock.advance(5)
    with house.engine.connect() as connection:
        assert channels_of(connection, "pushes", house.clock.now) == ["shop"]
    assert verify(house.lane) == VerifyReport(read=1)


def test_a_read_back_without_an_answer_comes_again_after_its_lease(house: House) -> None:
    house.set(A=7)
    push(house.lane)
    house.clock.advance(2)
    house.shelf.failures = [Unavailable("timeout")]

    assert verify(house.lane).read == 0
    house.clock.advance(60)
    assert verify(house.lane) == VerifyReport()

    house.clock.advance(60)
    assert verify(house.lane) == VerifyReport(read=1)


def test_a_listing_whose_hiding_was_cut_short_goes_off_sale_with_the_read_back(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", rules=HIDING, shown=5)
    house.set(A=0)
    house.shelf.sale_failures = [Throttled("slow down", retry_after_s=1.0)]
    push(house.lane)
    assert house.shelf.off_sale == {}

    clock.advance(2)
    verify(house.lane)

    assert set(house.shelf.off_sale) == {"A"}


def looked_at_again(house: House) -> list[tuple[object, ...]]:
    """Somebody told that the channel shows something else: it is read back once more."""
    house.clock.advance(60)
    house.run("UPDATE shown SET verify_at = :now WHERE sku = 'A'", now=house.clock.now)
    verify(house.lane)
    return house.rows("SELECT cause FROM drift ORDER BY id")


def proven(house: House, *numbers: int) -> None:
    """These numbers were shown one after the other, and read back each time."""
    for units in numbers:
        house.set(A=units)
        house.clock.advance(2)
        push(house.lane)
        house.clock.advance(2)
        verify(house.lane)


def test_an_older_number_over_one_that_was_proven_is_a_stale_overwrite(house: House) -> None:
    proven(house, 9, 4)
    house.shelf.numbers["A"] = 9

    assert looked_at_again(house) == [("stale_overwrite",)]


def test_a_strange_number_over_one_that_was_proven_is_not_called_swallowed(house: House) -> None:
    proven(house, 9, 4)
    house.shelf.numbers["A"] = 7

    assert looked_at_again(house) == [("unknown",)]


def test_listings_that_are_gone_keep_nobody_from_being_read_back(
    database: Database, clock: Clock
) -> None:
    skus = [f"S{number}" for number in range(5)]
    house = a_house(database.engine, clock, *skus)
    house.shelf.direct_rows = 2
    house.set(**dict.fromkeys(skus, 5))
    push(house.lane)
    house.run("DELETE FROM binding WHERE sku < 'S4'")
    clock.advance(5)

    report = verify(house.lane)

    assert report.read == 1
    with house.engine.connect() as connection:
        assert channels_of(connection, "pushes", house.clock.now) == []
