"""How far the book can be believed, as counts say: inventory record accuracy, and shrinkage."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from console.metrics.exporter import Exporter
from tests.metrics.house import execute, told
from tests.servers import Database
from tests.workers.shelf import House

COUNTED = """
    INSERT INTO count_variance (event_id, sku, location, counted_at, counted, position, moves, sigma, tier, within,
                                recount, undone)
    VALUES (gen_random_uuid(), 'A', 'WH', :at, 1, 1, 1, 1, 'A', :within, :recount, false)
"""
SOLD = """
    INSERT INTO sold (since, location, units, sales, unpriced, added_up_at) VALUES (:since, 'WH', 40, 400, 0, :now)
"""
SHRUNK = """
    INSERT INTO shrunk (since, location, reason, lost, found, cost, uncosted, added_up_at)
    VALUES (:since, 'WH', 'damaged', 4, 1, 12.5, 0, :now), (:since, 'WH', 'theft', 2, 0, 7.5, 1, :now)
"""


def test_accuracy_of_counts_is_told_by_store_and_tier_without_recounts(
    exporter: Exporter, house: House, database: Database
) -> None:
    counted = [
        (True, False, 1),
        (True, False, 2),
        (False, False, 3),
        (False, True, 4),
        (False, False, 99),
    ]
    with database.superuser.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for within, recount, days in counted:
            connection.execute(
                text(COUNTED),
                {
                    "within": within,
                    "recount": recount,
                    "at": house.clock.now - timedelta(days=days),
                },
            )

    assert told(exporter)['lockstep_count_accuracy_ratio{location="WH",tier="A"}'] == pytest.approx(
        2 / 3
    )


def test_shrinkage_is_told_in_units_money_and_as_a_part_of_sales(
    exporter: Exporter, house: House
) -> None:
    began, before = (
        house.clock.now.replace(month=1, day=1, hour=0),
        house.clock.now.replace(year=2025),
    )
    for since in (began, before):
        given = {"since": since, "now": house.clock.now}
        execute(house, SOLD, **given)
        execute(house, SHRUNK, **given)

    found = told(exporter)

    names = [name for name in found if "shrinkage" in name]
    assert {name.removeprefix("lockstep_shrinkage_"): found[name] for name in names} == {
        'units{location="WH",reason="damaged"}': 3,
        'units{location="WH",reason="theft"}': 2,
        'cost{location="WH",reason="damaged"}': 12.5,
        'cost{location="WH",reason="theft"}': 7.5,
        'ratio{location="WH"}': 0.05,
    }
