"""A snapshot is compared in ranges: every place once, however many differ, and never more of them than are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from reconcile import halting
from reconcile.snapshots import DIFFERING_AT_MOST, RANGE_PLACES, Range, Told
from tests.reconcile.house import CHANNEL, OSLO, furnish
from tests.servers import Clock, Database

_MORE = (
    "INSERT INTO location (location, kind) SELECT 'L' || n, 'store' FROM generate_series(1, :locations) n"
    " ON CONFLICT DO NOTHING",
    "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 5, '0') FROM generate_series(1, :skus) n",
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT 'shopify', sku, location, 'item-' || sku, 'at-' || location FROM sku CROSS JOIN location"
    " WHERE sku LIKE 'S%' AND location LIKE 'L%'",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shopify', sku, location, 5, 2, 1, :now FROM binding WHERE sku LIKE 'S%'",
    "INSERT INTO snapshot (channel, job, sku, location, units, changed_at)"
    " SELECT 'shopify', 'truth', sku, location, 6, :now FROM target WHERE sku LIKE 'S%'",
)


def fill(database: Database, clock: Clock, *, skus: int, locations: int) -> Told:
    """So many SKUs, each at so many locations, of which every one shows 6 instead of 5."""
    furnish(database.engine, {"A": 5}, clock=clock)
    with database.engine.begin() as connection:
        for statement in _MORE:
            given = {"skus": skus, "locations": locations, "now": clock.now}
            named = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), named)
        connection.execute(
            text(
                "INSERT INTO snapshot (channel, job, sku, location, units, changed_at)"
                " VALUES ('shopify', 'truth', 'A', :place, 5, :now)"
            ),
            {"place": OSLO, "now": clock.now},
        )
    return Told(CHANNEL, "truth", clock.now)


def ranges(database: Database, told: Told) -> Iterator[Range]:
    """All of them, as a run goes through them."""
    after, places = "", RANGE_PLACES
    with database.engine.connect() as connection:
        while (found := told.compare(connection, after, places)) is not None:
            yield found
            after, places = found.through, found.next_places


@pytest.mark.parametrize(("skus", "locations"), [(5000, 1), (1700, 3), (2, 2500)])
def test_of_a_channel_that_shows_nothing_right_every_place_is_read_once(
    database: Database, clock: Clock, skus: int, locations: int
) -> None:
    found = list(ranges(database, fill(database, clock, skus=skus, locations=locations)))

    seen = Counter((b.sku, b.location) for one in found for b in one.differing)
    assert set(seen.values()) == {1}
    assert len(seen) == skus * locations
    assert sum(one.cleared for one in found) == 1
    assert all(len(one.differing) <= max(DIFFERING_AT_MOST, locations) for one in found)
    assert all(one.next_places < 3 * max(DIFFERING_AT_MOST, locations) for one in found[:-1])


def test_a_place_that_is_as_it_should_be_is_read_while_it_is_halted_or_its_drift_is_open(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"A": 5, "B": 5, "C": 5, "D": 5}, clock=clock)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO snapshot (channel, job, sku, location, units, changed_at)"
                " SELECT channel, 'truth', sku, location, units, :now FROM target"
            ),
            {"now": clock.now},
        )
        connection.execute(
            text(
                "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)"
                " VALUES ('shopify', 'C', :place, 5, 9, 'unknown', 'repush', :now, :now)"
            ),
            {"place": OSLO, "now": clock.now},
        )
        wishes = [halting.Wish("B", "shows too much", None)]
        halting.set_by_rule(connection, CHANNEL, wishes, clock.now, call_at=clock.now)

    (found,) = ranges(database, Told(CHANNEL, "truth", clock.now))

    assert [binding.sku for binding in found.differing] == ["B", "C"]
    assert found.cleared == 2
