"""`lockstep alloc fit`: shares, what is suggested, and the exit code of a flag; nothing is written."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from allocation.fit import WEEK, week_of
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.fit_rig import Trade, a_trade
from workers.flows import fit

Run = Callable[..., Said]


@pytest.fixture
def run(database: Database) -> Run:
    def run(*more: str) -> Said:
        return lockstep("alloc", "fit", *more, environment=surroundings(database))

    return run


@pytest.fixture
def trade(database: Database, clock: Clock) -> Trade:
    """Three full weeks of trade behind today, by the real clock, of which commands go."""
    trade = a_trade(database.engine, clock, monday=week_of(datetime.now(UTC)) - 3 * WEEK)
    trade.receive(5000)
    return trade


def sells(trade: Trade, wholesale: int) -> None:
    for week in range(3):
        trade.at(week, hours=10)
        for channel, units in (("web", 42), ("market", 18), ("wholesale", wholesale)):
            trade.sell(channel, units)
    trade.at(3)


def test_a_channel_that_outgrew_its_weight_is_flagged_with_a_suggestion(
    run: Run, trade: Trade
) -> None:
    sells(trade, 40)
    said = run("--weeks", "3", "--json")

    assert said.code == 3, said.err
    found = said.read
    assert found["flagged"] == ["web", "wholesale"]
    wholesale = found["channels"][2]
    assert (wholesale["weight"], wholesale["suggested"], wholesale["demand_points"]) == (
        "15",
        "33",
        40,
    )
    assert [week["off_by_points"] for week in wholesale["weeks"]] == [25, 25, 25]
    assert tomllib.loads(found["snippet"])["channels"]["wholesale"] == {"percent": 33}
    assert wholesale["flagged_since"] is None

    fit.watch(trade.engine, now=trade.clock.now)
    table = run("--weeks", "3")

    assert table.code == 3
    row = next(line for line in table.out.splitlines() if line.startswith("wholesale "))
    assert row.split()[:8] == ["wholesale", "15", "40.0", "15.0", "100.0", "0", "0.0", "33"]
    assert row.endswith(f"{trade.clock.now:%Y-%m-%d %H:%M:%S}")
    assert tomllib.loads(table.out[table.out.index("[") :])["channels"]["web"] == {"percent": 47}
    assert "suggested, not applied" in table.err
    assert trade.rows("SELECT version FROM rule_set") == [(1,)]


def test_weights_that_fit_are_fine(run: Run, trade: Trade) -> None:
    sells(trade, 11)

    said = run()

    assert said.code == 0, said.err
    assert "suggested, not applied" not in run("--weeks", "1", "--floor", "wholesale=15").err
    assert run("--flag-weeks", "1", "--points", "0").code == 3


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--floor", "wholesale"), 2, "write it as in wholesale=20"),
        (("--floor", "wholesale=-1"), 2, "write it as in wholesale=20"),
        (("--floor", "ghost=5"), 2, "ghost: no channel with a percent or weight"),
        (("--floor", "web=60", "--floor", "market=41"), 1, "come to more than the 100 they have"),
        (("--weeks", "0"), 2, "--weeks"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Run, trade: Trade, more: tuple[str, ...], code: int, words: str
) -> None:
    sells(trade, 40)

    said = run(*more)

    assert (said.code, words in said.err) == (code, True), said.err


def test_without_rules_there_is_nothing_to_compare(run: Run) -> None:
    said = run()

    assert (said.code, "lockstep alloc apply" in said.err) == (1, True)
