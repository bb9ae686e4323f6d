"""What the house suggests and nobody did: listed with its age, dismissed with a reason, told in the review."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from channels.amazon import standing_store
from console.review import report, suggestions
from ledger.db import transaction
from tests.builders import stock_the_house
from tests.console.command import lockstep, surroundings
from tests.servers import Database
from tests.workers.shelf import RULES, apply

NOW = datetime(2026, 4, 2, tzinfo=UTC)
SINCE, UNTIL = date(2026, 1, 1), date(2026, 4, 2)
BEFORE, WITHIN = datetime(2025, 12, 20, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)

_STANDS = (
    """INSERT INTO forecast_run (until_day, stage, of_skus, skus, places, learned, began_at, moved_at, ended_at)
       VALUES (:at, 'done', 2, 2, 2, '{"series": 0, "parts": {}, "spreads": {}}', :at, :at, :at)""",
    """INSERT INTO reorder_level (sku, location, run_id, pack, minimum, service, review_days, lead_days, lead_sd_days,
                                  lead_receipts, per_day, wanted_units, wanted_sd, shape, kind, model, folds,
                                  reorder_point, order_up_to, lot_units, tier, look_at, low_since)
       SELECT sku, 'WH', run.id, 1, 0, 0.95, 7, 14, 0, 0, 2, 28, 6, 'normal', 'smooth', 'sma', 6, 5, 40, 0, 'C', :at,
              CASE sku WHEN 'MUG' THEN CAST(:before AS timestamptz) WHEN 'TEE' THEN CAST(:at AS timestamptz) END
       FROM sku CROSS JOIN forecast_run AS run""",
    """INSERT INTO alarm (rule, object, since, last_at) VALUES ('alloc.fit', 'channel:shop', :at, :at)""",
    """INSERT INTO push_due (channel, sku, location, priority, since, run_at, parked, error)
       VALUES ('shop', 'MUG', 'WH', 1, :at, :at, true, 'no such item')""",
)


@pytest.fixture
def house(database: Database) -> Database:
    """MUG has been low since December, TEE since March and CAP is not; a weight is left and a push parked."""
    stock_the_house(database.engine, skus=("MUG", "TEE", "CAP"), locations=("WH",))
    with database.superuser.begin() as connection:
        apply(connection, RULES, BEFORE)
        connection.execute(text("SET session_replication_role = replica"))
        for statement in _STANDS:
            connection.execute(text(statement), {"at": WITHIN, "before": BEFORE})
    return database


def standing(database: Database, **said: Any) -> list[tuple[str, str]]:
    with transaction(database.engine) as connection:
        return [
            (row["kind"], row["object"]) for row in suggestions.standing(connection, NOW, **said)
        ]


def made(database: Database, until: date = UNTIL) -> dict[str, Any]:
    return report.make(database.engine, SINCE, until, by="ann", now=lambda: NOW)


def test_what_stands_is_listed_oldest_first_with_its_age(house: Database) -> None:
    with transaction(house.engine) as connection:
        found = suggestions.standing(connection, NOW)

    assert [(row["kind"], row["object"]) for row in found] == [
        ("reorder", "MUG@WH"),
        ("reorder", "TEE@WH"),
        ("unpark", "MUG@WH on shop"),
        ("weight", "shop"),
    ]
    assert (found[0]["age_days"], found[1]["age_days"]) == (103, 30)
    assert found[0]["detail"] == "reorder point 5, order up to 40"
    assert standing(house, kind="weight") == [("weight", "shop")]
    assert standing(house, most=1) == [("reorder", "MUG@WH")]


def test_what_is_dismissed_counts_no_more_until_it_has_gone_and_comes_anew(house: Database) -> None:
    said = lockstep(
        "review", "dismiss", "reorder", "TEE@WH", "--reason", "it is discontinued",
        environment=surroundings(house),
    )  # fmt: skip
    dismissed = standing(house, kind="reorder")
    every = standing(house, kind="reorder", every=True)
    (row,) = (row for row in made(house)["suggestions"] if row["kind"] == "reorder")
    with house.superuser.begin() as connection:
        connection.execute(
            text("UPDATE reorder_level SET low_since = now() + interval '1 day' WHERE sku = 'TEE'")
        )
    with transaction(house.engine) as connection:
        later = suggestions.standing(connection, datetime.now(UTC) + timedelta(days=2))

    assert said.code == 0
    assert dismissed == [("reorder", "MUG@WH")]
    assert every == [("reorder", "MUG@WH"), ("reorder", "TEE@WH")]
    assert (row["ignored"], row["from_before"], row["dismissed"]) == (1, 1, 1)
    assert ("reorder", "TEE@WH") in [(each["kind"], each["object"]) for each in later]


def test_what_is_not_suggested_cannot_be_dismissed(house: Database) -> None:
    said = lockstep(
        "review", "dismiss", "reorder", "CAP@WH", "--reason", "x", environment=surroundings(house)
    )

    assert said.code == 1
    assert "no reorder of 'CAP@WH' is suggested: see lockstep review suggestions" in said.err


def test_the_review_tells_what_was_left_in_its_days_and_what_began_before(house: Database) -> None:
    found = made(house)
    counted = {row["kind"]: row for row in found["suggestions"]}

    assert (counted["reorder"]["ignored"], counted["reorder"]["from_before"]) == (2, 1)
    assert (counted["unpark"]["ignored"], counted["weight"]["ignored"]) == (1, 1)
    assert (counted["take-out"]["ignored"], counted["take-out"]["oldest_at"]) == (0, None)
    assert [row["object"] for row in found["ignored"]][:2] == ["MUG@WH", "TEE@WH"]
    assert (
        "4 suggestions were neither followed nor dismissed, the oldest since 2025-12-20."
        in found["sentences"]
    )
    early = made(house, date(2026, 2, 1))
    assert [row["object"] for row in early["ignored"]] == ["MUG@WH"]


def test_a_weight_that_is_over_was_followed_where_rules_were_applied_meanwhile(
    house: Database,
) -> None:
    with house.superuser.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO alarm (rule, object, since, last_at, resolved_at)
                VALUES ('alloc.fit', 'channel:a', '2026-01-05', '2026-01-20', '2026-01-20'),
                       ('alloc.fit', 'channel:b', '2026-02-05', '2026-02-20', '2026-02-20'),
                       ('alloc.fit', 'channel:c', '2025-10-05', '2025-10-20', '2025-10-20')
            """)
        )
        apply(connection, RULES + "hide_at_zero = true\n", datetime(2026, 2, 10, tzinfo=UTC))

    (row,) = (row for row in made(house)["suggestions"] if row["kind"] == "weight")

    assert (row["ignored"], row["over"], row["followed"]) == (1, 2, 1)


def test_a_review_that_was_kept_before_there_were_suggestions_is_still_shown(
    house: Database,
) -> None:
    old = made(house)
    del old["suggestions"], old["ignored"]

    html = report.page(old, "test")

    assert "What keeps drifting" in html
    assert "Suggestions that nobody followed" not in html
    assert "Suggestions that nobody followed" in report.page(made(house), "test")


def test_since_when_amazon_proposals_stand_is_kept_until_they_go(house: Database) -> None:
    row: dict[str, Any] = {
        "seller_sku": "A-1", "sku": "MUG", "location": "FBA", "on_hand": 9, "available": 9, "inbound": 0,
        "per_day": 0.1, "days_of_supply": 90, "excess_units": 0, "sell_through": None, "stranded_units": 0,
        "oldest_days": 200, "aged_units": 9, "surcharge": None, "saved": None, "fee": None, "net": "4.50", "why": "",
        "held_back": "", "send_cartons": 0, "send_from": {}, "short_units": 0, "short_why": "",
    }  # fmt: skip

    def look(day: int, out: int, sent: int, held_back: str = "") -> list[tuple[str, float]]:
        at = WITHIN + timedelta(days=day)
        more = {"removal_units": out, "send_units": sent, "held_back": held_back}
        with transaction(house.engine) as connection:
            standing_store.keep(connection, "shop", [row | more], at)
            found = suggestions.standing(connection, at + timedelta(seconds=1))
            return [
                (each["kind"], each["age_days"]) for each in found if each["object"] == "A-1@shop"
            ]

    first, second, gone, again = look(0, 3, 0), look(2, 4, 0), look(3, 0, 5), look(5, 1, 5)
    hidden = look(6, 1, 5, "it is not in sync")

    assert first == [("take-out", 0)]
    assert second == [("take-out", 2)]
    assert gone == [("send-in", 0)]
    assert again == [("send-in", 2), ("take-out", 0)]
    assert hidden == []
