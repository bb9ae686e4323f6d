"""A vendor that tells some of what it is asked and then stops: what it told is kept."""

from __future__ import annotations

from allocation import verifying
from channels.base import Unavailable
from tests.servers import Clock, Database
from tests.workers.shelf import a_house, settled
from workers.flows.push import push
from workers.flows.verify import verify


def test_numbers_are_read_back_in_as_many_goes_as_the_limit_takes(
    database: Database, clock: Clock
) -> None:
    house = settled(a_house(database.engine, clock, "A", "B", "C"))
    house.set(A=4, B=5, C=6)
    house.shelf.swallow = {"C"}
    push(house.lane)
    house.shelf.tells = 2
    clock.advance(3)

    first = verify(house.lane)
    clock.advance(2)
    second = verify(house.lane)

    assert (first.read, second.read, second.wrong) == (2, 1, 1)
    assert "429" in first.stopped
    assert set(house.queue()) == {"C"}


def test_a_number_pushed_anew_while_others_were_read_back_keeps_its_own_time(
    database: Database, clock: Clock
) -> None:
    house = settled(a_house(database.engine, clock, "A", "B", "C"))
    house.set(A=4, B=5, C=6)
    push(house.lane)
    clock.advance(3)
    with house.engine.begin() as connection:
        asked = verifying.claim_verify(connection, "shop", 10, clock.now, house.lane.lease_s)
    house.set(C=2)
    push(house.lane)
    clock.advance(1)

    with house.engine.begin() as connection:
        verifying.give_back_verify(connection, "shop", asked, clock.now)

    assert verify(house.lane).read == 2
    clock.advance(1)
    assert verify(house.lane).read == 1


def test_rows_in_doubt_of_which_some_were_told_are_out_of_doubt(
    database: Database, clock: Clock
) -> None:
    house = settled(a_house(database.engine, clock, "A", "B", "C"))
    house.set(A=4, B=5, C=6)
    house.shelf.after = [Unavailable("timeout")]
    push(house.lane)
    house.shelf.tells = 2
    clock.advance(60)

    told = push(house.lane)
    house.shelf.tells = None
    clock.advance(60)
    rest = push(house.lane)

    assert (told.arrived, told.retry_after_s) == (2, 2.0)
    assert rest.arrived == 1
    assert house.queue() == {}
    assert house.shelf.numbers == {"A": 4, "B": 5, "C": 6}
