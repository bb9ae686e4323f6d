"""Promises that are looked up in the book."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import text

from channels.simulators.clock import Clock as SimulatedClock
from console.chaos.casts import BEGINS, CASTS
from console.chaos.checks import no_confirmed_number_goes_back, unprovoked
from console.chaos.deeds import Deeds
from console.chaos.house import House
from console.chaos.mortal import mortal_engine
from console.chaos.stage import Stage
from console.chaos.vendors import Refusals
from tests.reconcile.house import CHANNEL, OSLO, furnish
from tests.servers import Clock, Database

_PUSHED = text("""
    INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)
    VALUES ('k' || :number, :channel, 'TEA', :location, 1, :number, :at, :at + :after * interval '1 second', :outcome)
""")


@pytest.fixture
def house(database: Database, clock: Clock) -> Iterator[House]:
    furnish(database.engine, {"TEA": 30}, clock=clock)
    stage = Stage()
    engine = mortal_engine(database.app_url, stage)
    made = House(engine, SimulatedClock.held(BEGINS), stage, Random(1), CASTS["two shops"])
    yield made
    engine.dispose()


def pushed(house: House, number: int, after: int, outcome: str = "confirmed") -> None:
    """A number of TEA, answered so many seconds after the beginning."""
    with house.engine.begin() as connection:
        connection.execute(
            _PUSHED,
            {
                "number": number,
                "channel": CHANNEL,
                "location": OSLO,
                "at": BEGINS,
                "after": after,
                "outcome": outcome,
            },
        )


def test_numbers_that_are_confirmed_in_their_order_are_well(house: House) -> None:
    pushed(house, 5, 1)
    pushed(house, 6, 2)

    assert list(no_confirmed_number_goes_back(house, Deeds(house))) == []


def test_a_number_that_is_confirmed_after_a_younger_one_is_told(house: House) -> None:
    pushed(house, 6, 1)
    pushed(house, 5, 2)

    (said,) = no_confirmed_number_goes_back(house, Deeds(house))

    assert "number 5 was confirmed after 6" in said


def test_a_call_whose_fate_is_unknown_explains_it(house: House) -> None:
    pushed(house, 6, 1)
    pushed(house, 5, 2)
    pushed(house, 7, 3, outcome="unknown")

    assert list(no_confirmed_number_goes_back(house, Deeds(house))) == []


def refusals(after_s: tuple[float, ...], doubled_s: tuple[float, ...] = ()) -> Refusals:
    """Of a till's limit, which is full again after two seconds."""
    at = [tuple(BEGINS + timedelta(seconds=each) for each in of) for of in (after_s, doubled_s)]
    return Refusals(at[0], at[1], fills_s=2.0)


@pytest.mark.parametrize(
    ("after_s", "count"),
    [((), 0), ((1.0,), 1), ((1.0, 1.1, 1.4), 1), ((1.0, 3.0), 2), ((1.0, 1.5, 2.0), 2), ((1.0, 1.1, 3.0, 3.2), 2)],
)  # fmt: skip
def test_a_call_that_was_on_its_way_when_another_was_refused_is_no_call_too_many(
    after_s: tuple[float, ...], count: int
) -> None:
    assert unprovoked(refusals(after_s)) == count


@pytest.mark.parametrize(
    ("after_s", "doubled_s", "count"),
    [
        ((5.0,), (5.0,), 0),  # it was refused when it came again
        ((6.9,), (5.0,), 0),  # the vendor had counted two
        ((7.1,), (5.0,), 1),  # its bucket was full again
        ((4.9,), (5.0,), 1),  # nothing had come twice yet
        ((5.0, 6.5), (5.0,), 1),  # one call for each that came twice
        ((5.0, 6.5), (5.0, 6.0), 0),
    ],
)
def test_a_call_that_came_twice_explains_one_refusal_until_the_vendors_bucket_is_full(
    after_s: tuple[float, ...], doubled_s: tuple[float, ...], count: int
) -> None:
    assert unprovoked(refusals(after_s, doubled_s)) == count
