"""When a schedule is judged: after sweeps, and after what they rang for, but not later than that."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

import pytest
from sqlalchemy import text

from channels.simulators.clock import Clock
from console.chaos.casts import CASTS
from console.chaos.direct import Director, house_of
from console.chaos.house import House, found, people, subscribe
from console.chaos.mortal import mortal_engine
from console.chaos.stage import Stage
from console.chaos.types import CALM, Plan
from ledger.db import transaction
from tests.servers import Database

CAST = CASTS["shop and till"]
#: Seconds from the end of the storm on: the last sweep of the rest is over by then, and the next comes after it.
LEFT_S = CAST.after_s + 40
_DUE = text("INSERT INTO due (sku, since) VALUES ('A', now()) ON CONFLICT (sku) DO NOTHING")


@pytest.fixture
def director(database: Database) -> Iterator[Director]:
    """A house that is open, with nothing left to do."""
    stage, clock = Stage(), Clock.held(CAST.begins)
    engine = mortal_engine(database.app_url, stage)
    plan = Plan(1, CALM, (), "shop and till", compared=False)
    made = Director(plan, house_of(plan, CAST, engine, clock, stage, Random(1)), stage)
    with people(made.house, {}, made.later):
        subscribe(made.house)
        found(made.house)
        made.until(120)
        yield made
    stage.close()
    engine.dispose()


@pytest.mark.parametrize(
    ("again", "windows", "breaches"),
    [(False, 0, []), (True, 3, ["nothing waits: SKUs to be computed: A"])],
    ids=["once", "again and again"],
)
def test_what_was_left_to_the_sweep_a_moment_ago_is_no_breach_and_what_never_ends_is(
    director: Director, again: bool, windows: int, breaches: list[str]
) -> None:
    def leave(house: House, task: str = "allocate") -> None:
        """Somebody makes a SKU due and rings for nobody."""
        if task == "allocate":
            with transaction(house.engine) as connection:
                connection.execute(_DUE)

    director.later(LEFT_S, "somebody leaves a SKU to the sweep", partial(leave, director.house))
    if again:
        director.house.afterwards = leave

    told = director.settle()

    assert director.windows == windows
    assert [f"{breach.invariant}: {breach.says}" for breach in told] == breaches
