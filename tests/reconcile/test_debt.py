"""What keeps drifting is ranked by what it cost; a quarter says which integrations are brittle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from ledger.db import transaction
from reconcile import debt
from tests.reconcile.house import furnish
from tests.servers import Clock, Database

DAY = timedelta(days=1)


def drifted(
    database: Database,
    clock: Clock,
    sku: str,
    *,
    cause: str = "swallowed_update",
    units: int = 5,
    days_ago: float = 1,
    lasted_s: float | None = 60,
    times: int = 1,
) -> None:
    """A drift of the shop, resolved after so long; None is still open."""
    seen_at = clock.now - days_ago * DAY
    resolved_at = None if lasted_s is None else seen_at + timedelta(seconds=lasted_s)
    with transaction(database.engine) as connection:
        connection.execute(
            text(
                "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, times, seen_at, last_at,"
                " resolved_at) VALUES ('shopify', :sku, 'OSLO', 30, 30 + :units, :cause, 're-push', :times, :at, :at,"
                " :over)"
            ),
            {
                "sku": sku,
                "units": units,
                "cause": cause,
                "times": times,
                "at": seen_at,
                "over": resolved_at,
            },
        )


def listed(database: Database, clock: Clock) -> list[debt.Debt]:
    with transaction(database.engine) as connection:
        return debt.debts(connection, now=clock.now, since=clock.now - 30 * DAY)


@pytest.fixture
def shop(database: Database, clock: Clock) -> Database:
    furnish(database.engine, dict.fromkeys(("TEA-1", "TEA-2", "TEA-3"), 30), clock=clock)
    return database


def test_debt_is_what_comes_back_or_stays(shop: Database, clock: Clock) -> None:
    drifted(shop, clock, "TEA-1", days_ago=3)
    drifted(shop, clock, "TEA-1", days_ago=2)
    drifted(shop, clock, "TEA-2", lasted_s=None, times=2)
    drifted(shop, clock, "TEA-3")

    found = {each.sku: (each.drifts, each.open, each.units) for each in listed(shop, clock)}

    assert found == {"TEA-1": (2, False, 5), "TEA-2": (1, True, 5)}


def test_what_costs_more_comes_first_and_says_in_money_where_it_can(
    shop: Database, clock: Clock
) -> None:
    for sku in ("TEA-1", "TEA-2"):
        drifted(shop, clock, sku, days_ago=3)
        drifted(shop, clock, sku, days_ago=2)
    with transaction(shop.engine) as connection:
        connection.execute(
            text(
                "INSERT INTO sku_worth (sku, cost, set_at, set_by) VALUES ('TEA-2', 12.5, :t, 'ann')"
            ),
            {"t": clock.now},
        )

    assert [(each.sku, each.money) for each in listed(shop, clock)] == [
        ("TEA-2", 62.5),
        ("TEA-1", None),
    ]


def test_the_closest_owner_is_named(shop: Database, clock: Clock) -> None:
    drifted(shop, clock, "TEA-1", lasted_s=None, times=3)
    drifted(shop, clock, "TEA-2", lasted_s=None, times=3, cause="external_edit")
    with transaction(shop.engine) as connection:
        debt.own(connection, "platform", "ann", clock.now)
        debt.own(
            connection, "shop team", "ann", clock.now, channel="shopify", cause="external_edit"
        )

    assert {each.sku: each.owner for each in listed(shop, clock)} == {
        "TEA-1": "platform",
        "TEA-2": "shop team",
    }


def test_a_quarter_counts_by_channel_and_cause(shop: Database, clock: Clock) -> None:
    drifted(shop, clock, "TEA-1", lasted_s=60)
    drifted(shop, clock, "TEA-2", lasted_s=600)
    drifted(shop, clock, "TEA-3", cause="unknown", lasted_s=None)
    begin, end = clock.now - 30 * DAY, clock.now + DAY

    with transaction(shop.engine) as connection:
        found = debt.report(connection, begin, end, clock.now)

    (channel,) = found["channels"]
    assert found["unknown_share"] == channel["unknown_share"] == pytest.approx(1 / 3, abs=1e-4)
    assert (channel["drifts"], channel["open"], channel["units"]) == (3, 1, 15)
    assert channel["worst_cause"] == "swallowed_update"
    assert channel["repaired_in_time"] == pytest.approx(1 / 3, abs=1e-4)
    assert [(row["cause"], row["drifts"]) for row in found["causes"]] == [
        ("swallowed_update", 2),
        ("unknown", 1),
    ]


@pytest.mark.parametrize(
    ("said", "begin", "end"),
    [("2026Q4", (2026, 10), (2027, 1)), ("2026-q1", (2026, 1), (2026, 4))],
)
def test_a_quarter_has_three_months(
    said: str, begin: tuple[int, int], end: tuple[int, int]
) -> None:
    found = debt.quarter(said)

    assert found == (datetime(*begin, 1, tzinfo=UTC), datetime(*end, 1, tzinfo=UTC))


@pytest.mark.parametrize("said", ["2026", "2026Q5", "Q4", "0000Q1", ""])
def test_what_is_no_quarter_is_refused(said: str) -> None:
    with pytest.raises(debt.NoQuarter, match=r"quarter|year"):
        debt.quarter(said)
