"""Readings whose target moved since: as good as before, where the channel's own orders alone moved it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ledger.db import transaction
from reconcile import stood
from reconcile.types import Case, LastShown, Observation, Target
from tests.builders import a_fact, book
from tests.reconcile.cases import a_case, a_wait
from tests.reconcile.house import CHANNEL, furnish, rows
from tests.servers import Clock, Database

SKU = "TEA-1"


@pytest.fixture
def shop(database: Database, clock: Clock) -> Database:
    """TEA-1 with 30 to be shown since an hour, and 30 on the shelf."""
    furnish(database.engine, {SKU: 30}, clock=clock)
    long_ago = clock.now - timedelta(hours=2)
    book(
        database.engine,
        a_fact("opening", id="opening:1", sku=SKU, units=30, occurred_at=long_ago),
        now=long_ago,
    )
    told(database, clock, 30, number=2, s_ago=3600)
    return database


def told(shop: Database, clock: Clock, units: int, *, number: int, s_ago: float) -> None:
    """The target became this many so long before the clock."""
    rows(
        shop.engine,
        "INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)"
        " VALUES (:c, :s, 'OSLO', :n, :u, 1, :at, '{}') RETURNING 1",
        c=CHANNEL,
        s=SKU,
        n=number,
        u=units,
        at=clock.now - timedelta(seconds=s_ago),
    )


def ordered(shop: Database, clock: Clock, units: int, *, s_ago: float, n: int = 1) -> None:
    """An order of so long ago comes into the book now."""
    at = clock.now - timedelta(seconds=s_ago)
    fact = a_fact("order", id=f"o:{n}", order=str(n), sku=SKU, units=units, occurred_at=at)
    book(shop.engine, fact, now=clock.now)


def read(clock: Clock, units: int, target: int, *, s_ago: float = 20, **more: Any) -> Case:
    """Read some seconds ago; the target is of now, and the orders up to the reading are heard."""
    case = a_case(units, orders_mark=clock.now, **more)
    return replace(
        case,
        target=Target(target, 3, clock.now),
        reading=Observation(units, None, clock.now - timedelta(seconds=s_ago)),
        shown=LastShown(target, 2, clock.now - timedelta(hours=1)),
    )


def as_read(shop: Database, case: Case) -> Case:
    with transaction(shop.engine) as connection:
        (found,) = stood.as_read(connection, CHANNEL, [case])
    return found


def test_an_order_before_the_reading_lowers_what_it_should_show(
    shop: Database, clock: Clock
) -> None:
    ordered(shop, clock, 4, s_ago=60)

    found = as_read(shop, read(clock, 40, 26))

    assert (found.target.units, found.target.number) == (26, 2)
    assert found.target.set_at == clock.now - timedelta(hours=1)
    assert found.shown is not None
    assert found.shown.units == 26


def test_an_order_after_the_reading_does_not(shop: Database, clock: Clock) -> None:
    ordered(shop, clock, 4, s_ago=10)

    found = as_read(shop, read(clock, 40, 26))

    assert found.target.units == 30
    assert found.shown is not None
    assert found.shown.units == 30


def test_what_became_due_since_the_reading_makes_it_no_better(shop: Database, clock: Clock) -> None:
    ordered(shop, clock, 4, s_ago=60)
    since, before = a_wait(since_s_ago=0), a_wait(since_s_ago=0)
    since = replace(since, since=clock.now - timedelta(seconds=5))
    before = replace(before, since=clock.now - timedelta(seconds=25))
    case = read(clock, 40, 26)

    assert as_read(shop, replace(case, waiting=since)).waiting is None
    assert as_read(shop, replace(case, waiting=before)).waiting == before


def test_a_target_that_anything_else_moved_cannot_be_told(shop: Database, clock: Clock) -> None:
    ordered(shop, clock, 4, s_ago=60)
    case = read(clock, 40, 25)

    assert as_read(shop, case) is case


def test_an_order_in_the_second_of_the_reading_may_be_the_difference(
    shop: Database, clock: Clock
) -> None:
    ordered(shop, clock, 4, s_ago=21)
    near, far = read(clock, 30, 26), read(clock, 40, 26)

    assert as_read(shop, near) is near
    assert as_read(shop, far).target.units == 26


@pytest.mark.parametrize(
    "more",
    [
        {"orders_mark": None},
        {"halt_state": "set"},
        {"recompute_since": True},
        {"mirror": True},
    ],
    ids=["unheard", "halted", "to be computed", "held by others"],
)
def test_what_is_not_heard_to_the_end_stays_as_it_is(
    shop: Database, clock: Clock, more: dict[str, Any]
) -> None:
    ordered(shop, clock, 4, s_ago=60)
    if "recompute_since" in more:
        more = {"recompute_since": clock.now}
    case = replace(read(clock, 40, 26), **more)

    assert as_read(shop, case) is case
