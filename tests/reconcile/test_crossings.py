"""A number that was written to the place of another SKU is found by the pushes, whoever is judged beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ledger.db import transaction
from reconcile import crossings
from reconcile.types import Case, Observation
from tests.reconcile.cases import a_case, a_push
from tests.reconcile.house import CHANNEL, furnish, pushed, rows
from tests.servers import Clock, Database

TEA, OTHER = "TEA-1", "TEA-2"


@pytest.fixture
def shop(database: Database, clock: Clock) -> Database:
    """TEA-1 should show 30 and TEA-2 should show 12."""
    furnish(database.engine, {TEA: 30, OTHER: 12}, clock=clock)
    return database


def a_place(
    clock: Clock, read: int, *, changed_s_ago: float, sku: str = TEA, units: int = 30
) -> Case:
    """Pushed an hour ago, and read now."""
    at = clock.now - timedelta(hours=1)
    push = replace(a_push(units, 2), sent_at=at, answered_at=at)
    changed = clock.now - timedelta(seconds=changed_s_ago)
    case = a_case(read, target=units, pushes=(push,))
    return replace(case, sku=sku, reading=Observation(read, changed, clock.now))


def found(shop: Database, *cases: Case) -> Sequence[Case]:
    with transaction(shop.engine) as connection:
        return crossings.collect(connection, CHANNEL, cases)


def written_for(shop: Database, *cases: Case) -> list[str | None]:
    return [case.clues.written_for for case in found(shop, *cases)]


def shows(shop: Database, sku: str, units: int, at: datetime) -> None:
    """What a place showed when it was read last."""
    rows(
        shop.engine,
        "UPDATE shown SET read_units = :u, read_at = :at WHERE sku = :s RETURNING 1",
        u=units,
        at=at,
        s=sku,
    )


def test_a_number_that_another_sku_pushed_in_that_second_was_written_here(
    shop: Database, clock: Clock
) -> None:
    at = clock.now - timedelta(seconds=300)
    pushed(shop.engine, OTHER, 12, number=2, at=at)

    assert written_for(shop, a_place(clock, 12, changed_s_ago=300)) == [OTHER]
    assert written_for(shop, a_place(clock, 12, changed_s_ago=290)) == [None]
    assert written_for(shop, a_place(clock, 13, changed_s_ago=300)) == [None]


def test_what_landed_at_its_own_place_wrote_nothing_here(shop: Database, clock: Clock) -> None:
    at = clock.now - timedelta(seconds=300)
    pushed(shop.engine, OTHER, 12, number=2, at=at)
    place = a_place(clock, 12, changed_s_ago=300)

    shows(shop, OTHER, 12, at + timedelta(seconds=3))
    assert written_for(shop, place) == [None]

    shows(shop, OTHER, 30, at + timedelta(seconds=3))
    assert written_for(shop, place) == [OTHER]

    rows(shop.engine, "UPDATE push SET seen_at = sent_at RETURNING 1")
    assert written_for(shop, place) == [None]


def test_in_a_call_that_pushed_both_the_other_must_show_our_number(
    shop: Database, clock: Clock
) -> None:
    at = clock.now - timedelta(hours=1)
    pushed(shop.engine, TEA, 30, number=2, at=at)
    pushed(shop.engine, OTHER, 12, number=2, at=at)
    place = a_place(clock, 12, changed_s_ago=3600)

    assert written_for(shop, place) == [None]

    shows(shop, OTHER, 30, at + timedelta(seconds=3))
    assert written_for(shop, place) == [OTHER]


def test_numbers_are_exchanged_only_where_nobody_else_wrote_them(
    shop: Database, clock: Clock
) -> None:
    other = a_place(clock, 30, sku=OTHER, units=12, changed_s_ago=3600)

    mine = a_place(clock, 12, changed_s_ago=3600)
    assert [case.clues.crossed for case in found(shop, mine, other)] == [OTHER, TEA]

    # By accident: what nothing changed since our push was swallowed, what changed later was another's hand.
    for changed_s_ago in (4000, 600):
        edited = a_place(clock, 12, changed_s_ago=changed_s_ago)
        assert [case.clues.crossed for case in found(shop, edited, other)] == [None, None]


def stops(shop: Database, clock: Clock, sku: str, *, state: str = "setting") -> None:
    """A halt of 400 s ago whose zeros were sent."""
    rows(
        shop.engine,
        "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, state, undo)"
        """ VALUES (:c, :s, 'x', 'ann', :at, :at, :state, '{"OSLO": {}}') RETURNING 1""",
        c=CHANNEL,
        s=sku,
        at=clock.now - timedelta(seconds=400),
        state=state,
    )


def test_a_zero_of_a_stop_that_another_sku_took_in_its_place_was_written_here(
    shop: Database, clock: Clock
) -> None:
    place = a_place(clock, 0, changed_s_ago=300)
    stops(shop, clock, OTHER)

    shows(shop, OTHER, 12, clock.now - timedelta(seconds=350))
    assert written_for(shop, place) == [None]

    shows(shop, OTHER, 12, clock.now)
    assert written_for(shop, place) == [OTHER]
    assert written_for(shop, a_place(clock, 7, changed_s_ago=300)) == [None]
    assert written_for(shop, a_place(clock, 0, changed_s_ago=500)) == [None]


def test_a_stop_that_came_through_wrote_nothing_elsewhere(shop: Database, clock: Clock) -> None:
    stops(shop, clock, OTHER, state="set")
    shows(shop, OTHER, 0, clock.now)

    assert written_for(shop, a_place(clock, 0, changed_s_ago=300)) == [None]
