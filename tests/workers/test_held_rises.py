"""A rise that is held by a place which cannot be lowered: somebody is told, and an explanation names the place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allocation import alarms, backlog, outlook_store, pushes
from allocation.outlook_store import HELD_AT_MOST, HELD_FOR, look_at_held
from ledger.db import transaction
from reconcile import pages
from tests.servers import FIRST_NOW, Clock, Database
from tests.waits import waits
from tests.workers.test_quotas import demand
from tests.workers.two_shops import SHOPS, TwoShops
from workers.flows import halts, held_watch
from workers.flows.explain import explain
from workers.flows.sweep import sweep

MINUTES = 60.0


@pytest.fixture
def two(database: Database, clock: Clock) -> TwoShops:
    """Demand is at the shop, and the mall is to let go."""
    two = TwoShops(database, clock)
    two.open("A", 8)
    demand(two, "A", "shop", 90)
    demand(two, "A", "mall", 5)
    return two


def hinder(two: TwoShops, how: str) -> None:
    """The mall cannot be lowered."""
    with transaction(two.database.engine) as connection:
        match how:
            case "paused":
                backlog.pause(connection, "mall", "ann", "a holiday")
            case "not certified":
                backlog.allow_writes(connection, "mall", allowed=False)
    if how == "parked":
        two.shelves["mall"].refuse.add("A")
    if how == "halted":
        halts.halt(
            two.database.engine, channel="mall", sku="A", reason="r", by="ann", now=two.clock.now
        )


def free(two: TwoShops) -> None:
    two.shelves["mall"].refuse.clear()
    with transaction(two.database.engine) as connection:
        backlog.resume(connection, "mall")
        backlog.allow_writes(connection, "mall")
        backlog.unpark(connection, "mall", two.clock.now)


def a_round(two: TwoShops, seconds: float) -> None:
    two.clock.advance(seconds)
    sweep(two.database.engine, now=two.clock.now)
    two.calculate()
    for shop in SHOPS:
        two.push(shop)


def on(two: TwoShops) -> list[alarms.Alarm]:
    with transaction(two.database.engine) as connection:
        return alarms.open_alarms(connection, held_watch.BLOCKED)


@pytest.mark.parametrize(
    ("how", "why", "command"),
    [
        ("paused", "is paused (a holiday)", "lockstep channel resume mall"),
        ("not certified", "is not certified", "lockstep channel certify mall"),
        ("parked", "is parked", "lockstep push parked --channel mall"),
        ("halted", "is halted (setting)", "lockstep halt list --channel mall"),
    ],
)
def test_a_place_that_cannot_be_lowered_is_told_after_a_quarter_of_an_hour_and_named(
    two: TwoShops, how: str, why: str, command: str
) -> None:
    hinder(two, how)
    a_round(two, 0)

    early = held_watch.watch(two.database.engine, now=two.clock.now)
    for _ in range(4):
        a_round(two, 4 * MINUTES)
    raised = held_watch.watch(two.database.engine, now=two.clock.now)
    again = held_watch.watch(two.database.engine, now=two.clock.now)
    found = explain(two.database.engine, "A", "shop")

    assert early == again == []
    assert [(alarm.rule, alarm.what) for alarm in raised] == [("rise.blocked", "sku:A@mall")]
    assert str(raised[0].detail["by"]).startswith(f"mall/WH, which may show 4 and {why}")
    assert raised[0].detail["next"] == command
    assert two.shown("A") == {"shop": 4, "mall": 4}
    assert found.held_by.startswith(f"held by mall/WH, which may show 4 and {why}")

    if how != "halted":
        free(two)
        two.settle(6 * MINUTES)
        held_watch.watch(two.database.engine, now=two.clock.now)

        assert on(two) == []
        assert two.shown("A") == {"shop": 8, "mall": 0}
        assert explain(two.database.engine, "A", "shop").held_by == ""


def test_the_sweep_rings_for_a_rise_that_is_held_for_long_and_again_until_it_is_over(
    two: TwoShops,
) -> None:
    hinder(two, "paused")
    a_round(two, 0)
    with transaction(two.database.engine) as connection:
        early = waits(connection, "rises", two.clock.now)
        late = waits(connection, "rises", two.clock.now + timedelta(minutes=15))
    two.clock.advance(16 * MINUTES)
    held_watch.watch(two.database.engine, now=two.clock.now)
    with transaction(two.database.engine) as connection:
        told = waits(connection, "rises", two.clock.now)
        due = waits(connection, "rises", two.clock.now + held_watch.LOOK_EVERY)

    assert (early, late, told, due) == (False, True, False, True)


def test_a_held_sku_that_goes_on_selling_is_still_held_since_it_began(two: TwoShops) -> None:
    hinder(two, "paused")
    a_round(two, 0)
    (began,) = two.rows("SELECT since FROM exposure WHERE sku = 'A' AND held")

    # Demand turns and the floor of a channel falls short: what is remembered changes, and it is held all the same.
    two.apply('[[overrides]]\nsku = "A"\nchannel = "mall"\nfloor = 20\nwhy = "a fair"\n')
    a_round(two, 60)

    assert two.rows("SELECT since, short <> '{}' FROM exposure WHERE sku = 'A' AND held") == [
        (*began, True)
    ]


def test_what_is_halted_and_read_back_as_zero_holds_nobody(two: TwoShops) -> None:
    """Nobody asks what became of the call that was on its way when it was halted."""
    engine, mall = two.database.engine, two.shelves["mall"]
    two.settle()
    two.bring("A", 12)
    two.calculate()
    two.clock.advance(3)
    with transaction(engine) as connection:
        (sent,) = pushes.claim_pushes(connection, "mall", 10, two.clock.now, 60.0, "key")
    halts.halt(engine, channel="mall", sku="A", reason="r", by="ann", now=two.clock.now)
    mall.numbers["A"] = 0

    def shown_after(seconds: float) -> int | None:
        two.clock.advance(seconds)
        with transaction(engine) as connection:
            pages.note_readings(connection, "mall", list(mall.snapshot(bindings)))
            return outlook_store.holds(connection, ["A"])["A"]["mall", "WH"].shown

    with transaction(engine) as connection:
        bindings = pages.bindings_of(connection, "mall", "A")
    halts.work_halts(engine, mall, channel="mall", now=lambda: two.clock.now)

    assert sent.units > 0
    assert two.rows("SELECT state FROM halt") == [("setting",)]
    assert shown_after(1) == sent.units  # it may still land
    two.clock.advance(60)
    halts.work_halts(engine, mall, channel="mall", now=lambda: two.clock.now)
    assert two.rows("SELECT state FROM halt") == [("set",)]
    assert shown_after(3700) == 0  # a reading that finds the same is kept once an hour


def test_the_longer_a_number_is_held_the_later_it_is_looked_at_again() -> None:
    now = FIRST_NOW

    assert look_at_held(None, now) == now + HELD_FOR
    assert look_at_held(now - timedelta(minutes=4), now) == now + timedelta(minutes=1)
    assert look_at_held(now - timedelta(days=4), now) == now + HELD_AT_MOST


def test_a_held_sku_is_not_computed_every_few_seconds_for_ever(two: TwoShops) -> None:
    hinder(two, "paused")
    a_round(two, 0)
    times = []
    for _ in range(60):
        two.clock.advance(10)
        sweep(two.database.engine, now=two.clock.now)
        if two.rows("SELECT sku FROM due"):
            times.append(two.clock.now)
            two.calculate()

    assert 5 <= len(times) <= 15
