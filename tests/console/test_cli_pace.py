"""`lockstep pace` and `lockstep lag`: what sizes a buffer, for people and for scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.builders import a_fact, book, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database
from tests.workers.shelf import RULES, apply
from workers.flows.measure import measure

Lockstep = Callable[..., Said]


@pytest.fixture
def run(database: Database) -> Lockstep:
    def run(*command: str) -> Said:
        return lockstep(*command, environment=surroundings(database))

    return run


def test_a_sku_that_just_sold_three_times_has_a_spike(run: Lockstep, database: Database) -> None:
    stock_the_house(database.engine)
    now = datetime.now(UTC)
    facts = [a_fact("order", id=str(n), order=str(n), units=2, occurred_at=now) for n in range(9)]
    book(database.engine, *facts, now=now)

    (row,) = run("pace", "MUG-RED", "--json").read

    assert (row["channel"], row["location"], row["spike"]) == ("shopify", "OSLO", True)
    assert row["in_use"] == row["fast"] > 3 * row["slow"] > 0
    assert row["units_per_line"] == 2
    assert "shopify  OSLO" in run("pace", "MUG-RED").out


def test_a_sku_that_never_sold_has_no_pace(run: Lockstep) -> None:
    said = run("pace", "GHOST")

    assert run("pace", "GHOST", "--json").read == []
    assert "(none)" in said.err


def test_lags_tell_what_was_measured_and_what_is_assumed(run: Lockstep, database: Database) -> None:
    now = datetime.now(UTC)
    with database.engine.begin() as connection:
        apply(connection, RULES, now)
        connection.execute(
            text("""
                INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)
                SELECT 'k', 'shop', 'A', 'WH', 1, n, :at, CAST(:at AS timestamptz) + interval '3 s', 'confirmed'
                FROM generate_series(1, 7) AS n
            """),
            {"at": now - timedelta(seconds=30)},
        )
    measure(database.engine, now=now)

    (row,) = run("lag", "--json").read

    assert row["push_s"] == 3
    assert row["assumed"] == ["detect", "queue", "visible"]
    assert row["samples"]["push"] == 7
    assert row["in_use_hear_s"] >= 15
    assert row["in_use_show_s"] >= 33
    table = run("lag").out.splitlines()
    assert table[1].split()[:6] == ["shop", "~", "~", "3.0", "~", "0.0"]
