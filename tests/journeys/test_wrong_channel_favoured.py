"""Weights favour the wrong channels: 60/25/15, while wholesale makes 40% of the demand.

A season's stock is bought once and sold down. Each week the web wants 42 units, the marketplace 18, wholesale 40 in one
order. A buyer takes what is shown and no more. The damage is the first week in which wholesale wants units that are
there and gets fewer, because they stand in the others' parts: 15% of what is left is less than its order. How many
weeks that takes is a matter of how deep the stock is; the number of weeks that are waited for is to be set to that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from allocation import alarms
from allocation.alarms import Alarm
from allocation.fit import FLAG_WEEKS
from ledger import verify
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.fit_rig import Trade, a_trade
from workers.flows import fit

SEASON = 900
WANTED = {"web": 42, "market": 18, "wholesale": 40}
#: What nobody but a person may change.
RULES = "SELECT version, source, author FROM rule_set ORDER BY version"


@dataclass
class Season:
    """Week after week of the same demand, and what came of it.

    unserved    by week: wholesale units that were there, and were not shown to it
    opened      by week: the channels whose alarm is new
    """

    trade: Trade
    unserved: dict[int, int] = field(default_factory=dict)
    opened: dict[int, list[str]] = field(default_factory=dict)
    left: int = SEASON
    flag_weeks: int = FLAG_WEEKS

    def play(self, week: int) -> None:
        """Seven days of buyers, wholesale on Wednesday, with the hourly look once a day."""
        for day in range(7):
            self.trade.at(week, hours=24 * day + 1)
            raised = fit.watch(self.trade.engine, now=self.trade.clock.now, weeks=self.flag_weeks)
            if raised:
                self.opened[week] = [each.what for each in raised]
            if day == 2:
                got = self.buys("wholesale", WANTED["wholesale"])
                lost = min(WANTED["wholesale"] - got, self.left)
                if lost:
                    self.unserved[week] = lost
            for channel in ("web", "market"):
                self.buys(channel, WANTED[channel] // 6 if day < 6 else 0)

    def buys(self, channel: str, units: int) -> int:
        """An order for what is wanted, or for what is shown where that is less."""
        taken = min(units, self.trade.shows()[channel])
        if taken:
            self.trade.sell(channel, taken)
            self.left -= taken
        return taken

    def on(self) -> list[Alarm]:
        with transaction(self.trade.engine) as connection:
            return alarms.open_alarms(connection, fit.FIT)

    def suggested(self) -> dict[str, Any]:
        """What `lockstep alloc fit` suggests."""
        found = fit.look(self.trade.engine, now=self.trade.clock.now)
        return {each.channel: each.suggested for each in found.fits}


def a_season(
    database: Database, clock: Clock, units: int = SEASON, flag_weeks: int = FLAG_WEEKS
) -> Season:
    """The house with a season's stock."""
    trade = a_trade(database.engine, clock)
    trade.receive(units)
    assert trade.shows()["wholesale"] == units * 15 // 100
    return Season(trade, left=units, flag_weeks=flag_weeks)


BOTH = ["channel:web", "channel:wholesale"]


def test_the_alarm_comes_weeks_before_wholesale_goes_short(
    database: Database, clock: Clock
) -> None:
    season = a_season(database, clock)
    rules = season.trade.rows(RULES)

    for week in range(9):
        season.play(week)

    # Three full weeks, then the first look of the Monday after; four more weeks until wholesale is turned away.
    assert season.opened == {3: BOTH}
    assert season.unserved == {7: 13, 8: 26}
    assert season.trade.rows(RULES) == rules
    assert [each.object for each in season.on()] == BOTH
    assert verify.verify(season.trade.engine).clean


def test_where_stock_is_thin_fewer_weeks_are_waited_for(database: Database, clock: Clock) -> None:
    season = a_season(database, clock, 400, flag_weeks=2)

    for week in range(3):
        season.play(week)

    # The Monday and the Wednesday of the same week.
    assert season.opened == {2: BOTH}
    assert season.unserved == {2: 13}


def test_a_person_applies_what_is_suggested_and_wholesale_is_served(
    database: Database, clock: Clock
) -> None:
    season = a_season(database, clock)
    trade = season.trade
    for week in range(3):
        season.play(week)
        assert season.on() == []
    trade.at(3, hours=1)
    fit.watch(trade.engine, now=trade.clock.now)
    assert [each.object for each in season.on()] == BOTH
    (wholesale,) = (each for each in season.on() if each.object == "channel:wholesale")
    assert wholesale.detail["off_by_points"] == [25, 25, 25]

    # From 15 towards 40, and no further than four weeks can tell; nobody but a person puts it in force.
    suggested = season.suggested()
    assert suggested == {"web": 46, "market": 20, "wholesale": 34}
    assert trade.shows()["wholesale"] == season.left * 15 // 100
    trade.apply(suggested)
    assert trade.shows()["wholesale"] == season.left * 34 // 100
    trade.clock.advance(3600)
    fit.watch(trade.engine, now=trade.clock.now)
    assert season.on() == []

    for week in range(3, 8):
        season.play(week)
    assert season.unserved == {}
    assert season.on() == []
    assert 34 < season.suggested()["wholesale"] <= 40
    assert [version for version, _, _ in trade.rows(RULES)] == [1, 2]
    assert verify.verify(trade.engine).clean
