"""Packs, bundles, stock that a channel holds itself, and what notifications say is shown."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from allocation import backlog, sightings
from allocation.sightings import Seen
from channels import bindings
from channels.base import Binding, Confirmed, Level
from channels.names import Part
from channels.packs import Packed
from tests.servers import Clock, Database
from tests.waits import channels_of
from tests.workers.shelf import SHOWN, House, a_house, settled
from workers.flows.push import push
from workers.flows.verify import verify

PACK_OF_SIX = "UPDATE binding SET pack = 6 WHERE sku = :sku"


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "A", "B", "C")


def targets(house: House) -> dict[str, int]:
    return dict(house.rows("SELECT sku, units FROM target ORDER BY sku"))


def test_a_pack_listing_shows_whole_packs_and_its_target_is_that_many_units(house: House) -> None:
    house.run(PACK_OF_SIX, sku="A")
    house.set(A=20, B=20)
    lane = replace(house.lane, client=Packed(house.shelf))

    push(lane)

    assert targets(house) == {"A": 18, "B": 20}
    assert (house.shelf.numbers["A"], house.shelf.numbers["B"]) == (3, 20)
    assert sorted(house.rows(SHOWN))[0][0] == 18


def test_what_a_pack_listing_shows_is_read_back_in_our_units(house: House) -> None:
    house.run(PACK_OF_SIX, sku="A")
    house.set(A=12)
    lane = replace(house.lane, client=Packed(house.shelf))
    push(lane)
    house.clock.advance(2)

    report = verify(lane)

    assert (report.read, report.wrong) == (1, 0)
    house.shelf.numbers["A"] = 7
    house.run("UPDATE shown SET verify_at = :now", now=house.clock.now)
    assert verify(lane).too_much == 1


def test_a_pack_compares_before_it_sets_in_the_vendors_units(clock: Clock) -> None:
    from tests.workers.shelf import Shelf

    shelf = Shelf(clock, {"A": 2})
    level = Level(Binding("shop", "A", "WH", "item-A", "gid://1", pack=6), 18, 1, expected=12)

    assert Packed(shelf).push([level], key="k") == [Confirmed(level)]
    assert shelf.calls == [{"A": (3, 2)}]


def test_a_bundle_shows_what_its_scarcest_component_allows(house: House) -> None:
    # One of each component stays back: what sells in C does not lower the numbers of A and B.
    house.run("INSERT INTO bundle VALUES ('C', 'A', 2), ('C', 'B', 1)")
    house.set(A=9, B=7)
    assert targets(house) == {"A": 8, "B": 6, "C": 4}

    house.set(B=3)

    assert targets(house) == {"A": 8, "B": 2, "C": 3}


def test_a_bundle_with_a_component_that_is_not_there_shows_nothing(house: House) -> None:
    house.run("INSERT INTO bundle VALUES ('C', 'A', 2), ('C', 'B', 1)")

    house.set(A=9)

    assert targets(house) == {"A": 8, "C": 0}


def names(house: House, variant: str) -> tuple[Part, ...]:
    with house.engine.connect() as connection:
        return bindings.names(connection, "shop", {variant}).parts(variant)


def test_one_of_a_listing_takes_its_parts(house: House) -> None:
    house.run("UPDATE binding SET variant_id = 'v-' || sku")
    house.run(PACK_OF_SIX, sku="A")
    house.run("INSERT INTO bundle VALUES ('C', 'A', 2), ('C', 'B', 1)")

    assert names(house, "v-A") == (Part("A", 6),)
    assert names(house, "v-B") == (Part("B", 1),)
    assert names(house, "v-C") == (Part("A", 2), Part("B", 1))
    assert names(house, "v-X") == ()


def test_stock_that_the_channel_holds_itself_is_told_and_never_pushed(house: House) -> None:
    house.run("UPDATE binding SET read_only = true WHERE sku = 'A'")
    house.set(A=7, B=5)

    push(house.lane)

    assert targets(house) == {"A": 7, "B": 5}
    assert house.shelf.calls == [{"B": (5, None)}]


def test_a_channel_without_its_certificate_is_sent_nothing_and_what_is_due_waits(
    house: House,
) -> None:
    with house.engine.begin() as connection:
        backlog.allow_writes(connection, "shop", allowed=False)
    house.set(A=7)

    push(house.lane)

    assert (house.shelf.calls, len(house.queue())) == ([], 1)
    with house.engine.begin() as connection:
        assert channels_of(connection, "pushes", house.clock.now) == []
        backlog.allow_writes(connection, "shop")
    push(house.lane)
    assert house.shelf.numbers["A"] == 7


def see(house: House, at_s: float, numbers: Mapping[str, int]) -> None:
    at = house.clock.now + timedelta(seconds=at_s)
    seen = [Seen("shop", f"item-{sku}", "gid://1", units, at) for sku, units in numbers.items()]
    with house.engine.begin() as connection:
        sightings.note(connection, seen, house.clock.now)


def verifying(house: House) -> dict[str, bool]:
    return dict(
        house.rows(
            "SELECT sku, verify_at <= :now FROM shown WHERE verify_at IS NOT NULL ORDER BY sku",
            now=house.clock.now,
        )
    )


def test_an_echo_of_our_own_push_proves_it_and_spares_the_read_back(house: House) -> None:
    settled(house)
    assert verifying(house) == dict.fromkeys("ABC", False)

    see(house, 0, {"A": 10})

    assert verifying(house) == {"B": False, "C": False}


def test_an_echo_from_before_the_push_proves_nothing(house: House) -> None:
    settled(house)

    see(house, -60, {"A": 10})

    assert "A" in verifying(house)


def test_more_than_should_be_shown_is_read_back_at_once_and_less_is_left_to_reconciliation(
    house: House,
) -> None:
    settled(house)
    house.run("UPDATE shown SET verify_at = NULL")

    see(house, 0, {"A": 11, "B": 9})

    assert verifying(house) == {"A": True}


def test_the_number_of_before_that_is_told_while_a_write_settles_calls_nobody_sooner(
    house: House,
) -> None:
    settled(house)

    see(house, 0, {"A": 11})

    assert verifying(house) == dict.fromkeys("ABC", False)
    house.clock.advance(60)
    assert verifying(house)["A"]


def test_a_number_on_its_way_excuses_what_is_seen_meanwhile(house: House) -> None:
    settled(house)
    house.set(A=4)

    see(house, 0, {"A": 12})

    assert verifying(house)["A"] is False


def test_the_newest_of_several_numbers_counts_in_whatever_order_they_come(house: House) -> None:
    settled(house)
    for order in itertools.permutations([(1.0, 12), (2.0, 10)]):
        with house.engine.begin() as connection:
            sightings.note(
                connection,
                [
                    Seen("shop", "item-A", "gid://1", units, house.later(at_s))
                    for at_s, units in order
                ],
                house.clock.now,
            )
        assert "A" not in verifying(house)


def test_an_echo_of_a_zero_leaves_the_read_back_that_takes_the_listing_off_sale(
    house: House,
) -> None:
    settled(house).set(A=0)
    push(house.lane)
    house.clock.advance(1)

    see(house, 0, {"A": 0})
    house.clock.advance(2)

    assert verifying(house)["A"]


def test_an_echo_older_than_what_was_read_since_proves_nothing(house: House) -> None:
    settled(house)
    house.clock.advance(1)
    read_at = house.later(5)
    house.run("UPDATE shown SET read_units = 12, read_at = :at WHERE sku = 'A'", at=read_at)
    house.clock.advance(9)

    see(house, -8, {"A": 10})

    assert house.rows("SELECT read_units FROM shown WHERE sku = 'A'") == [(12,)]
    assert "A" in verifying(house)


def test_a_vendors_clock_that_is_ahead_does_not_outshine_what_is_read_later(house: House) -> None:
    settled(house)

    see(house, 3600, {"A": 10})

    assert house.rows("SELECT read_at FROM shown WHERE sku = 'A'") == [(house.clock.now,)]
