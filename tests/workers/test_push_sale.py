"""Listings at zero: off sale after the zero is shown, back exactly as they were."""

from __future__ import annotations

from allocation import backlog
from channels.base import Unavailable
from tests.servers import Clock, Database
from tests.waits import channels_of
from tests.workers.shelf import HALT, HIDING, House, a_house
from workers.flows.push import push
from workers.flows.verify import verify


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
        assert channels_of(connection, "pushes", clock.now) == ["shop"]
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


def test_a_channel_that_lost_its_certificate_is_not_put_on_sale_either(
    database: Database, clock: Clock
) -> None:
    house = at_zero(database, clock)
    house.set(A=2)
    clock.advance(1)
    house.shelf.sale_failures = [Unavailable("away")]
    push(house.lane)
    with house.engine.begin() as connection:
        backlog.allow_writes(connection, "shop", allowed=False)
    clock.advance(60)

    verify(house.lane)

    assert house.shelf.off_sale == {"A": "CONTINUE"}
    with house.engine.begin() as connection:
        assert channels_of(connection, "pushes", house.clock.now) == []
        backlog.allow_writes(connection, "shop")
    verify(house.lane)
    assert house.shelf.off_sale == {}
