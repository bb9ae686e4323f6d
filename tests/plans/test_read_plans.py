"""Early reads, second looks and late windows go by their indexes with thirty thousand SKUs and months of windows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine

from reconcile import early, lateness, runs, second_looks
from reconcile.cadence import Early
from reconcile.runs import Run
from reconcile.types import Counts
from tests.databases import Shelf
from tests.plans.large import filled, seed
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES
from workers.flows import waiting, windows

ROWS = 30_000
SEED = (
    "INSERT INTO channel (channel, kind, base_url, writes)"
    " SELECT 'c' || lpad(n::text, 2, '0'), 'memory', '', true FROM generate_series(1, 20) n",
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT 'shop', sku, 'WH', 'item-' || sku, 'gid://1' FROM sku",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shop', sku, 'WH', 5, 2, 1, :now FROM sku",
    "INSERT INTO push_due (channel, sku, location, priority, since, run_at)"
    " SELECT 'shop', sku, 'WH', 1, :now, CAST(:now AS timestamptz) + interval '1 hour' FROM sku",
    "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT sku, 'shop', 'WH', 1, 100, 100, 100, :now, CAST(:now AS timestamptz) - interval '90 days' FROM sku",
    # Two thousand at each of the channels; of the shop's, ten a second are due.
    "INSERT INTO early_read (channel, sku, runs_out_s, every_s, due_at)"
    " SELECT c.channel, 'S' || lpad(n::text, 6, '0'), n, 60,"
    "        CAST(:now AS timestamptz) + make_interval(secs => n / 10.0)"
    " FROM channel c CROSS JOIN generate_series(1, 2000) n",
    "INSERT INTO early_plan (channel, planned_at) SELECT channel, :now FROM channel",
    "INSERT INTO second_look (channel, sku, location, units, observed_at, due_at, until_at)"
    " SELECT 'shop', sku, 'WH', 4, :now,"
    "        CAST(:now AS timestamptz) + make_interval(secs => row_number() OVER () / 500.0),"
    "        CAST(:now AS timestamptz) + interval '60 s' FROM sku",
    # Four channels with two months of windows each.
    "INSERT INTO run (job, channel, window_at, state, finished_at)"
    " SELECT 'reconcile', c.channel, CAST(:now AS timestamptz) - make_interval(mins => 15 * n),"
    "        CASE WHEN n < 4 THEN 'failed' ELSE 'done' END, :now"
    " FROM (SELECT channel FROM channel ORDER BY channel LIMIT 4) c CROSS JOIN generate_series(1, 6000) n",
    "INSERT INTO alarm (rule, object, since, last_at, resolved_at)"
    " SELECT 'missed_window', 'channel:c01', at, at, at FROM generate_series(1, 20000) n"
    " CROSS JOIN LATERAL (SELECT CAST(:now AS timestamptz) - make_interval(hours => n) AS at) AS s",
)
SMALL = {"channel", "early_plan", "location"}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in such a house."""

    with filled(shelf, lambda connection: seed(connection, ROWS, RULES, SEED)) as engine:
        yield engine


def scanned_whole(nodes: list[dict[str, object]]) -> set[object]:
    """Tables but the small ones that are read from end to end."""
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return scanned - SMALL


LATER = FIRST_NOW + timedelta(seconds=5)
SKUS = [f"S{number:06d}" for number in range(1, 251)]


def test_channels_with_early_reads_due_are_found_by_their_indexes(full: Connection) -> None:
    nodes = plan_of(full, lambda: early.channels(full, LATER))

    assert scanned_whole(nodes) == set()
    assert {"early_read_due"} <= indexes(nodes)


def test_early_reads_that_are_due_are_taken_and_given_back_by_their_indexes(
    full: Connection,
) -> None:
    def work() -> None:
        taken = early.take(full, "shop", LATER, 60, 250)
        assert len(taken) == 50
        skus = [one.sku for one in taken]
        assert len(early.listings(full, "shop", skus)) == 50
        early.done(full, "shop", dict.fromkeys(skus[:25], (60.0, False)), LATER)
        early.give_back(full, "shop", skus[25:])

    nodes = plan_of(full, work)

    assert scanned_whole(nodes) == set()


def test_a_plan_reads_each_large_table_once_and_writes_by_key(full: Connection) -> None:
    # Which SKUs sell out soon is a question about all of them: once a minute, one pass, whatever their number.
    # So is whether one of them may be sold once more before its orders are heard.
    for asks in (
        lambda: early.outlooks(full, "shop", LATER, 900),
        lambda: early.wants_orders(full, "shop", sells_out=False, before=LATER),
    ):
        nodes = plan_of(full, asks)
        scanned = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
        assert len(scanned) == len(set(scanned))

    def keep() -> None:
        early.begin_plan(full, "shop", LATER + early.PLAN_EVERY)
        early.standing(full, "shop")
        early.keep_plan(full, "shop", [Early(sku, 30, 60, False, 0) for sku in SKUS], LATER)

    assert scanned_whole(plan_of(full, keep)) == set()


def test_second_looks_are_found_taken_and_dropped_by_their_indexes(full: Connection) -> None:
    def work() -> None:
        assert second_looks.channels(full, LATER) == ["shop"]
        looks = second_looks.take(full, "shop", LATER, LATER + timedelta(seconds=3))
        assert len(looks) == 1000
        places = {(one.reading.binding.sku, one.reading.binding.location) for one in looks}
        second_looks.drop(full, "shop", places)

    nodes = plan_of(full, work)

    assert scanned_whole(nodes) == set()
    assert {"second_look_due", "second_look_pkey"} <= indexes(nodes)


def test_looking_back_reads_the_last_window_of_each_channel_not_its_months(
    full: Connection,
) -> None:
    channels = ["c01", "c02", "c03", "c04"]

    def work() -> None:
        late = lateness.look_back(full, "reconcile", channels, FIRST_NOW, LATER)
        assert [(one.channel, one.detail["missed"]) for one in late] == [(c, 3) for c in channels]

    nodes = plan_of(full, work)

    assert scanned_whole(nodes) == set()
    assert "Unique" not in {node["Node Type"] for node in nodes}
    assert "Backward" in {node.get("Scan Direction") for node in nodes}


def test_opening_claiming_and_finishing_a_window_goes_by_its_key(full: Connection) -> None:
    channels = ["c01", "c02", "c03", "c04"]

    def work() -> None:
        runs.open_windows(full, "reconcile", channels, FIRST_NOW, 900)
        assert runs.open_runs(full, LATER)
        run = runs.claim_run(full, "reconcile", "c01", FIRST_NOW, LATER, 60)
        assert run == Run("reconcile", "c01", FIRST_NOW, 1)
        runs.note_progress(full, run, "S000001", Counts())
        runs.finish_run(full, run, Counts(), LATER)
        lateness.finished(full, run, 900, LATER)

    nodes = plan_of(full, work)

    assert scanned_whole(nodes) == set()


def test_all_that_waits_and_every_window_that_is_lacking_is_found_by_keys(full: Connection) -> None:
    def work() -> None:
        assert waiting.found(full, LATER).keys() == {"due"}
        assert windows.lacks(full, now=LATER, window_s=900, truth_hour=2)

    nodes = plan_of(full, work)

    # The others are empty here.
    large = {"alarm", "binding", "push_due", "run", "target"}
    assert scanned_whole(nodes) & large == set()
    assert {"run_pkey", "alarm_open"} <= indexes(nodes)
