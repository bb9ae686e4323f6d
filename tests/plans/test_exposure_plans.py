"""What is known and remembered of exposure is found by its indexes with fifty thousand SKUs listed on two channels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine

from allocation import holder_store, missing, outlook_store
from allocation.document import read
from allocation.positions import positions
from tests.databases import Shelf
from tests.plans.large import filled, seed
from tests.plans.test_push_plans import indexes, plan_of, scanned_whole
from tests.servers import Clock
from tests.workers.two_shops import RULES

SKUS = [f"S{number:06}" for number in range(1, 501)]
QUOTAS = RULES + 'quota = { units = 9, since = 2026-01-01 }\nwhy = "a limited edition"\n'


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house where every hundredth SKU is scarce and every thousandth waits."""

    with filled(shelf, lambda connection: seed(connection, 50_000, QUOTAS, SEED)) as engine:
        yield engine


SEED = (
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT channel, sku, 'WH', 'item-' || sku, 'gid://1' FROM sku, channel",
    "INSERT INTO balance (sku, location, state, units) SELECT sku, 'WH', 'available', 5 FROM sku",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT channel, sku, location, 2, 2, 1, :now FROM binding",
    "INSERT INTO shown (channel, sku, location, units, number, confirmed_at, missing, missing_at)"
    " SELECT channel, sku, location, 3, 1, :now, CASE WHEN sku LIKE '%000' THEN 1 ELSE 0 END, :now FROM binding",
    "INSERT INTO push_due (channel, sku, location, priority, since, run_at)"
    " SELECT channel, sku, location, 1, :now, :now FROM binding",
    "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, outcome)"
    " SELECT 'key-' || sku, channel, sku, location, 2, 2, :now, 'confirmed' FROM binding",
    "INSERT INTO exposure (sku, scarce, held, since, look_at) SELECT sku,"
    " CASE WHEN sku LIKE '%00' THEN ARRAY['WH'] ELSE '{}' END, sku LIKE '%000', :now,"
    " CASE WHEN sku LIKE '%000' THEN CAST(:now AS timestamptz) END FROM sku",
    "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT sku, channel, location, 1, 1, 1, :now, :now FROM binding",
    "INSERT INTO event (kind, source, source_id, channel, occurred_at, recorded_at)"
    " SELECT 'order', 'shop', sku, 'shop', :now, :now FROM sku",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    " to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, source_id, 1, 'WH', 'available', 6, 5, 2, 'WH', 'committed', 0, 1, 1, occurred_at, recorded_at"
    " FROM event",
)
LARGE = {"exposure", "posting", "event", "pace", "push"}


def test_outlooks_are_read_by_sku(full: Connection, clock: Clock) -> None:
    found = positions(full, SKUS)
    rules = read(QUOTAS).rules()

    nodes = plan_of(full, lambda: outlook_store.outlooks(full, found, rules, {}, clock.now))

    assert scanned_whole(nodes, LARGE) == set()
    assert {"posting_sku", "exposure_pkey", "pace_pkey"} <= indexes(nodes)


def test_what_places_may_be_showing_is_read_by_sku(full: Connection) -> None:
    nodes = plan_of(full, lambda: outlook_store.holds(full, SKUS))

    assert scanned_whole(nodes, LARGE) == set()


def test_who_holds_a_rise_is_found_by_sku(full: Connection, clock: Clock) -> None:
    holders = plan_of(full, lambda: holder_store.holders(full, SKUS))
    long = plan_of(full, lambda: holder_store.held_since(full, clock.now, 100))

    assert scanned_whole([*holders, *long], LARGE) == set()


def test_what_time_changes_is_found_by_its_moment(full: Connection, clock: Clock) -> None:
    nodes = plan_of(full, lambda: outlook_store.look_again(full, clock.now + timedelta(seconds=1)))

    assert scanned_whole(nodes, LARGE) == set()
    assert "exposure_look" in indexes(nodes)


def test_who_waited_for_a_drop_is_found_by_sku(full: Connection, clock: Clock) -> None:
    let_go = plan_of(full, lambda: outlook_store.let_go(full, SKUS, clock.now))
    scarce = plan_of(full, lambda: outlook_store.due_where_scarce(full, SKUS, clock.now))

    assert scanned_whole([*let_go, *scarce], LARGE) == set()


@pytest.mark.parametrize("answered", [True, False])
def test_readings_are_compared_with_what_was_shown_by_their_keys(
    full: Connection, clock: Clock, answered: bool
) -> None:
    many = len(SKUS)
    read_at = [clock.now + timedelta(seconds=1)] * many

    nodes = plan_of(
        full,
        lambda: missing.fear(
            full, "shop", SKUS, ["WH"] * many, [1] * many, read_at, answered=answered
        ),
    )

    assert scanned_whole(nodes, LARGE) == set()


def test_what_is_missing_is_found_by_its_channel(full: Connection, clock: Clock) -> None:
    mark = clock.now + timedelta(seconds=1)

    nodes = plan_of(full, lambda: missing.all_heard(full, "shop", mark, clock.now))

    assert scanned_whole(nodes, LARGE) == set()
    assert "shown_missing" in indexes(nodes)
