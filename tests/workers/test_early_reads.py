"""Reads before their window: what sells out soon is read first, within the account's limit, and after the pushes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from allocation.pace import rates
from allocation.pace_store import sums_of
from channels.base import Binding, Reading, Throttled, Unavailable
from ledger.db import transaction
from reconcile import early
from reconcile.cadence import EPS, EPS_OF_BEST, sold_by
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows, sells
from tests.servers import Clock, Database
from tests.workers.rounds import run_once
from workers.flows import early_reads
from workers.flows.early_reads import EarlyReport
from workers.flows.reconcile import Terms


def go(
    database: Database, client: MemoryChannel, clock: Clock, terms: Terms | None = None
) -> EarlyReport:
    return early_reads.go(
        database.engine,
        client,
        channel=CHANNEL,
        now=lambda: clock.now,
        terms=terms or Terms(),
        hear=lambda: None,
    )


def plan(database: Database) -> dict[object, object]:
    found = rows(
        database.engine, "SELECT sku, round(every_s::numeric / 60, 2)::float FROM early_read"
    )
    return {row[0]: row[1] for row in found}


@pytest.fixture
def shop(database: Database, clock: Clock) -> MemoryChannel:
    """Four SKUs: one is sold out in minutes, one within the window, one spikes, one hardly sells."""
    units: dict[str | tuple[str, str], int] = {"HOT": 10, "WARM": 200, "SPIKE": 5000, "SLOW": 5}
    furnish(database.engine, units, clock=clock)
    sells(database, clock, "HOT", 17.142857)
    sells(database, clock, "WARM", 17.142857)
    sells(database, clock, "SPIKE", 0.2, fast=2.0)
    sells(database, clock, "SLOW", 0.01)
    return MemoryChannel(clock, {(str(sku), OSLO): shown for sku, shown in units.items()})


def test_what_could_sell_out_before_its_window_is_planned(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    go(database, shop, clock)

    assert plan(database) == {"HOT": 1.0, "WARM": 7.5, "SPIKE": 7.5}
    assert shop.calls == []


def test_a_sku_is_read_when_its_time_has_come(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    go(database, shop, clock)
    clock.advance(60)
    assert early_reads.waiting(database.engine, now=clock.now) == [CHANNEL]
    shop.shows["HOT", OSLO] = 14

    report = go(database, shop, clock)

    assert (report.read, report.drifted, shop.calls) == (1, 1, ["snapshot 1"])
    assert rows(database.engine, "SELECT sku, expected, actual, window_at FROM drift") == [
        ("HOT", 10, 14, None)
    ]
    assert rows(database.engine, "SELECT sku FROM halt") == [("HOT",)]
    assert rows(database.engine, "SELECT reads, drifts FROM early_read WHERE sku = 'HOT'") == [
        (1, 1)
    ]


@pytest.mark.parametrize(("scarce", "due"), [("{OSLO}", True), ("{}", False)])
def test_what_a_reading_of_a_scarce_sku_changes_is_computed_at_once(
    database: Database, clock: Clock, shop: MemoryChannel, scarce: str, due: bool
) -> None:
    go(database, shop, clock)
    with database.engine.begin() as connection:
        insert = (
            "INSERT INTO exposure (sku, scarce, held, since) VALUES ('HOT', :scarce, false, :now)"
        )
        connection.execute(text(insert), {"scarce": scarce, "now": clock.now})
        connection.execute(text("DELETE FROM due"))
    clock.advance(60)

    report = go(database, shop, clock)

    assert report.due is due
    assert rows(database.engine, "SELECT sku FROM due") == [("HOT",)] * due


def test_after_two_calm_windows_the_windows_read_it_again(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    go(database, shop, clock)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM pace WHERE sku <> 'WARM'"))
    planned = []
    for _ in range(3):
        clock.advance(900)
        go(database, shop, clock)
        planned.append(sorted(map(str, plan(database))))

    assert planned == [["HOT", "SPIKE", "WARM"], ["WARM"], ["WARM"]]


class Short(MemoryChannel):
    """Its limit lets one reading out a call."""

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        for place, reading in enumerate(super().snapshot(bindings)):
            if place == 1:
                raise Throttled("429", retry_after_s=30)
            yield reading


def test_a_scant_limit_is_given_to_the_shortest_time(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    go(database, shop, clock)
    clock.advance(600)
    short = Short(clock, shop.shows)

    report = go(database, short, clock)

    assert (report.read, "429" in report.stopped) == (1, True)
    assert rows(database.engine, "SELECT sku FROM early_read WHERE reads > 0") == [("HOT",)]
    clock.advance(29)
    assert early_reads.waiting(database.engine, now=clock.now) == []
    clock.advance(1)
    assert early_reads.waiting(database.engine, now=clock.now) == [CHANNEL]


def test_after_an_outage_reads_come_in_the_order_of_risk(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    go(database, shop, clock)
    asked: list[str] = []

    class Coming(MemoryChannel):
        def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
            asked.extend(binding.sku for binding in bindings)
            yield from super().snapshot(bindings)

    back = Coming(clock, shop.shows, faults=[Unavailable("503")] * 3)
    for _ in range(20):
        clock.advance(60)
        if early_reads.waiting(database.engine, now=clock.now):
            go(database, back, clock)

    assert rows(database.engine, "SELECT count(*) FROM drift") == [(0,)]
    assert sorted(set(asked), key=asked.index) == ["HOT", "WARM", "SPIKE"]
    assert rows(database.engine, "SELECT failures, not_before FROM early_plan") == [(0, None)]


def test_numbers_that_wait_to_be_pushed_go_first_but_not_for_ever(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    go(database, shop, clock)
    clock.advance(59)
    go(database, shop, clock)
    clock.advance(1)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO push_due (channel, sku, location, priority, since, run_at)"
                " VALUES ('shopify', 'SLOW', 'OSLO', 1, :now, :now)"
            ),
            {"now": clock.now},
        )
        connection.execute(text("UPDATE early_plan SET planned_at = :now"), {"now": clock.now})

    assert early_reads.waiting(database.engine, now=clock.now) == []
    with database.engine.begin() as connection:
        later = clock.now + timedelta(seconds=59)
        connection.execute(text("UPDATE early_plan SET planned_at = :now"), {"now": later})
    assert early_reads.waiting(database.engine, now=clock.now + timedelta(seconds=60)) == [CHANNEL]


def test_a_worker_that_dies_leaves_its_reads_to_another(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    class Dying(MemoryChannel):
        def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
            raise Killed

    go(database, shop, clock)
    clock.advance(60)
    with pytest.raises(Killed):
        go(database, Dying(clock, shop.shows), clock)

    assert go(database, shop, clock).read == 0
    clock.advance(60)
    assert go(database, shop, clock).read == 1


def in_tier(database: Database, clock: Clock, **tiers: str) -> None:
    """What the last forecast sorted SKUs into."""
    with database.engine.begin() as connection:
        for sku, tier in tiers.items():
            connection.execute(
                text(
                    "INSERT INTO velocity_tier (sku, tier, since, per_day) VALUES (:sku, :tier, :at, 1)"
                ),
                {"sku": sku, "tier": tier, "at": clock.now},
            )


def test_of_two_that_sell_as_fast_the_best_seller_is_read_sooner_and_first(
    database: Database, clock: Clock
) -> None:
    units: dict[str | tuple[str, str], int] = {"A": 40, "Z": 40}
    furnish(database.engine, units, clock=clock)
    for sku in ("A", "Z"):
        sells(database, clock, sku, 8)
    in_tier(database, clock, A="B", Z="A")
    shop = MemoryChannel(clock, {(str(sku), OSLO): shown for sku, shown in units.items()})
    go(database, shop, clock)
    clock.advance(900)

    with transaction(database.engine) as connection:
        first = early.take(connection, CHANNEL, clock.now, 60, 1)

    # chi2^-1(0.01; 80) / 16 and chi2^-1(0.001; 80) / 16, in minutes, by tables.
    assert plan(database) == {"A": 3.35, "Z": 2.91}
    assert [taken.sku for taken in first] == ["Z"]


@pytest.mark.parametrize("units", [1, 5, 10, 11])
def test_a_best_seller_is_read_early_where_others_wait_for_their_window(
    database: Database, clock: Clock, units: int
) -> None:
    # Between the two quantiles, in lines a window, and with more than three windows of cover.
    lines_in_window = (sold_by(units, EPS_OF_BEST) + min(sold_by(units, EPS), units / 3)) / 2
    furnish(database.engine, {"A": units, "B": units}, clock=clock)
    for sku in ("A", "B"):
        sells(database, clock, sku, lines_in_window / 15)
    in_tier(database, clock, A="A", B="B")

    go(database, MemoryChannel(clock, {}), clock)

    assert list(plan(database)) == ["A"]


@pytest.mark.parametrize(("per_minute", "fast"), [(1.0, 0.0), (0.2, 2.0), (0.001, 0.0)])
def test_the_rate_is_the_one_that_buffers_are_computed_with(
    database: Database, clock: Clock, per_minute: float, fast: float
) -> None:
    furnish(database.engine, {"A": 3}, clock=clock)
    sells(database, clock, "A", per_minute, fast=fast, each=2)
    clock.advance(333)

    with transaction(database.engine) as connection:
        seen = early.outlooks(connection, CHANNEL, clock.now, 900 * 40)["A"]
        (sums,) = sums_of(connection, ["A"])["A"]
    known = rates(sums, clock.now)

    assert known is not None
    per_s = known.in_use.lines_per_s * known.in_use.units_per_line
    assert seen.cover_s == pytest.approx(3 / per_s)
    assert seen.spike == known.spike


class TestASecondLook:
    """A place that differs while orders up to its reading are not heard."""

    @pytest.fixture
    def ahead(self, database: Database, clock: Clock) -> MemoryChannel:
        furnish(database.engine, {"TEA": 30}, clock=clock)
        with database.engine.begin() as connection:
            connection.execute(
                text("UPDATE channel SET orders_mark = :m"),
                {"m": clock.now - timedelta(seconds=5)},
            )
        return MemoryChannel(clock, {("TEA", OSLO): 34})

    def read(self, database: Database, client: MemoryChannel, clock: Clock) -> None:
        terms = Terms()
        hears = replace(terms, limits=replace(terms.limits, hears_first=True))
        report = run_once(database, client, clock, terms=hears)
        assert (report.counts.drifted, report.counts.in_flight) == (0, 1)

    def heard(self, database: Database, clock: Clock) -> None:
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE channel SET orders_mark = :m"), {"m": clock.now})

    def test_it_is_judged_when_they_are_heard(
        self, database: Database, clock: Clock, ahead: MemoryChannel
    ) -> None:
        self.read(database, ahead, clock)
        assert early_reads.waiting(database.engine, now=clock.now + timedelta(seconds=5)) == [
            CHANNEL
        ]
        clock.advance(6)
        ahead.shows.clear()
        report = early_reads.go(
            database.engine,
            ahead,
            channel=CHANNEL,
            now=lambda: clock.now,
            terms=Terms(),
            hear=lambda: self.heard(database, clock),
        )

        assert (report.looked, report.drifted, report.halted) == (1, 1, 1)
        assert rows(database.engine, "SELECT drifted, halted, in_flight FROM run") == [(1, 1, 0)]
        assert rows(database.engine, "SELECT sku FROM second_look") == []

    def test_what_moved_meanwhile_makes_it_useless(
        self, database: Database, clock: Clock, ahead: MemoryChannel
    ) -> None:
        self.read(database, ahead, clock)
        clock.advance(6)
        with database.engine.begin() as connection:
            connection.execute(
                text("UPDATE target SET units = 34, set_at = :now"), {"now": clock.now}
            )
            connection.execute(text("UPDATE shown SET units = 34"))

        report = go(database, ahead, clock)

        assert (report.looked, report.drifted) == (1, 0)
        assert rows(database.engine, "SELECT sku FROM second_look") == []

    @pytest.mark.parametrize(("before_s", "drifted"), [(3, 0), (9.9, 0), (10.1, 1)])
    def test_a_call_that_another_clock_dates_a_little_before_it_may_have_come_after_it(
        self,
        database: Database,
        clock: Clock,
        ahead: MemoryChannel,
        before_s: float,
        drifted: int,
    ) -> None:
        self.read(database, ahead, clock)
        with database.engine.begin() as connection:
            called = text("""
                INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)
                SELECT 'k', channel, sku, location, 40, number, :at, :at, 'confirmed' FROM target
            """)
            connection.execute(called, {"at": clock.now - timedelta(seconds=before_s)})
            connection.execute(text("UPDATE target SET units = 40"))
            connection.execute(text("UPDATE shown SET units = 40"))
        clock.advance(6)
        self.heard(database, clock)

        assert go(database, ahead, clock).drifted == drifted

    def test_orders_that_stay_unheard_do_not_excuse_it_for_ever(
        self, database: Database, clock: Clock, ahead: MemoryChannel
    ) -> None:
        self.read(database, ahead, clock)
        clock.advance(6)
        assert go(database, ahead, clock).looked == 0
        clock.advance(60)

        report = go(database, ahead, clock)

        assert (report.looked, report.drifted) == (1, 1)

    def test_it_is_judged_after_the_workers_were_away_for_long(
        self, database: Database, clock: Clock, ahead: MemoryChannel
    ) -> None:
        self.read(database, ahead, clock)
        clock.advance(600)

        report = go(database, ahead, clock)

        assert (report.looked, report.drifted) == (1, 1)

    def test_it_is_forgotten_where_the_place_is_no_longer_listed(
        self, database: Database, clock: Clock, ahead: MemoryChannel
    ) -> None:
        self.read(database, ahead, clock)
        with database.engine.begin() as connection:
            connection.execute(text("DELETE FROM binding WHERE sku = 'TEA'"))
        clock.advance(600)

        report = go(database, ahead, clock)

        assert report.looked == 0
        assert rows(database.engine, "SELECT sku FROM second_look") == []
