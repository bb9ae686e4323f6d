"""The review of a quarter: figures of the book in one page that needs nothing beside it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from console.access.types import Role
from console.review import plots, report
from tests.builders import a_fact, book, stock_the_house
from tests.console.api_door import an_api
from tests.console.command import lockstep, surroundings
from tests.console.pages.busy import a_busy_house
from tests.console.pages.test_pages import browser
from tests.servers import Clock, Database
from tests.workers.shelf import apply

SINCE, UNTIL = date(2026, 1, 1), date(2026, 4, 1)
_RULES = """\
[locations.WH]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
"""


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 2, day, hour, tzinfo=UTC)


@pytest.fixture
def house(database: Database) -> Database:
    """A shop that drifted twice in 400 read-backs, was pushed to ten times, and halted once for two days."""
    stock_the_house(database.engine, skus=("MUG",), locations=("WH",))
    with database.superuser.begin() as connection:
        apply(connection, _RULES, at(1))
        connection.execute(text("SET session_replication_role = replica"))
        for statement in _HAPPENED:
            connection.execute(text(statement), {"at": at(2)})
    lost = {"location": "WH", "sku": "MUG", "occurred_at": at(5)}
    book(database.engine, a_fact("receipt", id="r", units=50, **lost), now=at(5))
    book(database.engine, a_fact("write_off", id="w", units=3, **lost), now=at(5))
    return database


_HAPPENED = (
    """INSERT INTO run (job, channel, window_at, state, expected, read, unknown, drifted)
       SELECT 'reconcile', 'shop', CAST(:at AS timestamptz) + n * interval '15 minutes',
              CASE WHEN n = 3 THEN 'missed' ELSE 'done' END, 100, CASE WHEN n = 3 THEN 0 ELSE 100 END, 0, 0
       FROM generate_series(0, 4) AS n""",
    """INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at)
       SELECT 'shop', 'MUG', 'WH', 5, 8, cause, 're-push', CAST(:at AS timestamptz) + n * interval '1 hour', :at,
              CAST(:at AS timestamptz) + n * interval '1 hour' + interval '40 seconds'
       FROM unnest(ARRAY['swallowed_update', 'external_edit', 'pending_push']) WITH ORDINALITY AS c (cause, n)""",
    """INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome, due_since)
       SELECT 'k' || n, 'shop', 'MUG', 'WH', 5, n, :at, CAST(:at AS timestamptz) + n * interval '1 second',
              CASE WHEN n = 10 THEN 'rejected' ELSE 'confirmed' END, :at
       FROM generate_series(1, 10) AS n""",
    """INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, lifted_at)
       VALUES ('shop', 'MUG', 'lifted', 'too much', 'rule', :at, :at, CAST(:at AS timestamptz) + interval '2 days')""",
    "INSERT INTO sku_worth (sku, cost, price, set_at, set_by) VALUES ('MUG', 4, 10, :at, 'ann')",
)


def made(database: Database, now: datetime | None = None) -> dict[str, Any]:
    return report.make(
        database.engine, SINCE, UNTIL, by="ann", now=lambda: now or datetime(2026, 4, 2, tzinfo=UTC)
    )


def test_the_figures_are_those_of_the_span(house: Database) -> None:
    found = made(house)

    (shop,) = found["channels"]
    assert (shop["read"], shop["drifts"], shop["drift_rate"], shop["missed"]) == (400, 2, 0.005, 1)
    assert (shop["sync_p50_s"], shop["sync_p95_s"], shop["rejected"]) == (5, 9, 1)
    assert shop["repair_p50_s"] == 40
    (halted,) = found["halts"]
    assert (halted["halts"], halted["hours"], halted["by"]) == (1, 48, "rule")
    (shrunk,) = found["shrinkage"]
    assert (shrunk["location"], shrunk["lost"], float(shrunk["cost"])) == ("WH", 3, 12)
    assert sum(found["weeks"]["drift"]["shop"]) == 2
    assert "0.50 %" in found["sentences"][0]


def test_a_halt_costs_its_hours_in_the_span_at_the_pace_of_the_channel(house: Database) -> None:
    with house.superuser.begin() as connection:
        now: datetime = connection.execute(text("SELECT now()")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
                " VALUES ('MUG', 'shop', 'WH', 0, 28, 56, 112, now(), now() - interval '10 years')"
            )
        )

    (halted,) = made(house, now)["halts"]

    # Two units a day for two days, at 10 each.
    assert halted["lost_units"] == pytest.approx(4, rel=1e-3)
    assert halted["lost_money"] == pytest.approx(40, rel=1e-3)


def test_the_forecast_is_judged_by_the_mix_of_the_newest_run_that_is_done(house: Database) -> None:
    with house.superuser.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO forecast_run (until_day, stage, of_skus, began_at, moved_at)
                VALUES ('2026-03-01', 'done', 1, now(), now()), ('2026-03-08', 'done', 1, now(), now()),
                       ('2026-03-15', 'reading', 1, now(), now())
            """)
        )
        connection.execute(
            text("""
                INSERT INTO forecast (run_id, sku, location, until_day, kind, model, weights, scores, folds,
                                      horizon_days, per_day, sd_per_day, sd_per_week, units, quantiles)
                SELECT run, 'MUG', 'WH', '2026-03-08', 'smooth', 'ses', '{}', CAST(scores AS jsonb), 3, 21, 1, 1, 3,
                       21, '{}'
                FROM (VALUES (1, '{"mix": {"rmsse": 9, "bias": 9, "sum_error": 9}}'),
                             (2, '{"mix": {"rmsse": 0.7, "bias": -0.1, "sum_error": 0.5}, "ses": {"rmsse": 2}}'))
                     AS given (run, scores)
            """)
        )

    (row,) = made(house)["forecast"]

    assert row == {"kind": "smooth", "places": 1, "rmsse": 0.7, "bias": -0.1, "sum_error": 0.5}


def test_forecasts_that_were_made_before_are_held_against_what_came(house: Database) -> None:
    with house.superuser.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO forecast_run (until_day, stage, of_skus, began_at, moved_at)
                VALUES ('2025-12-28', 'done', 1, now(), now()), ('2026-02-01', 'done', 1, now(), now()),
                       ('2026-02-08', 'done', 1, now(), now()), ('2026-03-29', 'done', 1, now(), now())
            """)
        )
        # The last week of the first run lies before the quarter in part; the third is too near to the second.
        connection.execute(
            text("""
                INSERT INTO forecast (run_id, sku, location, until_day, kind, model, weights, scores, folds,
                                      horizon_days, per_day, sd_per_day, sd_per_week, units, quantiles)
                SELECT id, 'MUG', 'WH', until_day, 'smooth', 'ses', '{}', '{}', 3, 21, per_day, 1, 3, 21,
                       '{"0.95": 40}'
                FROM forecast_run JOIN (VALUES (1, 1), (2, 2), (3, 900), (4, 900)) AS said (run, per_day) ON run = id
            """)
        )
        connection.execute(
            text("""
                INSERT INTO demand_weeks (sku, location, run_id, until_day, weeks, per_day, sd_per_day, left_out)
                SELECT 'MUG', 'WH', 4, '2026-03-29',
                       array_agg(CASE WHEN week < 10 THEN 7 + week % 2 * 7 ELSE 14 END ORDER BY week), 2, 1, '{}'
                FROM generate_series(0, 22) AS week
            """)
        )

    found = made(house)["foreseen"]

    assert [run["until_day"] for run in found["runs"]] == ["2025-12-28", "2026-02-01", "2026-03-29"]
    total, smooth = found["rows"]
    assert (total["kind"], smooth["kind"]) == ("all", "smooth")
    assert {**smooth, "kind": "all"} == total
    # Two weeks of 14 against 7 a week, and three of 14 against 14: 70 came, 56 were said.
    assert (total["places"], total["forecasts"]) == (1, 2)
    assert total["units_off"] == pytest.approx(14 / 70)
    assert total["reached"] == 0
    assert total["rmsse"] == pytest.approx(0.5)


def test_what_lies_outside_the_span_is_not_in_it(house: Database) -> None:
    found = report.make(
        house.engine,
        date(2026, 2, 20),
        UNTIL,
        by="ann",
        now=lambda: datetime(2026, 4, 2, tzinfo=UTC),
    )

    (shop,) = found["channels"]
    assert (shop["read"], shop["drifts"], shop["pushes"], found["halts"]) == (0, 0, 0, [])
    assert found["sentences"][0] == "No channel was read back in these days."
    with pytest.raises(report.NoSpan, match="is no span"):
        report.make(house.engine, UNTIL, SINCE, by="ann", now=lambda: at(1))


def test_the_file_needs_nothing_beside_it(house: Database, tmp_path: Path) -> None:
    out = tmp_path / "review.html"

    said = lockstep(
        "review", "quarter", "--from", "2026-01-01", "--to", "2026-04-01", "--out", str(out),
        environment=surroundings(house),
    )  # fmt: skip

    html = out.read_text()
    assert said.code == 0
    assert "drift in more than 0.1 %" in said.out
    assert re.findall(r'(?:src|href)="', html) == []
    assert "<script" not in html
    assert html.count("<svg") == 6
    assert "swallowed_update" in html


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(house: Database) -> None:
    said = lockstep(
        "review", "quarter", "--out", "/nowhere/review.html", environment=surroundings(house)
    )

    assert said.code == 1
    assert "there is no folder /nowhere" in said.err
    assert "channels ..." not in said.err


def test_the_page_shows_what_was_kept(database: Database, clock: Clock, tmp_path: Path) -> None:
    with an_api(database, clock, tmp_path) as api:
        a_busy_house(api.database, clock)
        reader = browser(api, Role.VIEWER)
        before = reader.get(f"{api.url}/review", timeout=10)
        first = clock.now.date() - timedelta(days=90)
        report.make(
            database.engine,
            first,
            clock.now.date() + timedelta(days=1),
            by="ann",
            now=lambda: clock.now,
        )
        after = reader.get(f"{api.url}/review", timeout=10)
        strange = reader.get(f"{api.url}/review?since=2020-01-01&until=2020-02-01", timeout=10)

    assert "No review was made yet" in before.text
    assert "<code>lockstep review quarter</code>" in before.text
    assert after.status_code == 200
    assert "<svg" in after.text
    assert "external_edit" in after.text
    assert strange.status_code == 404


def test_a_plot_escapes_what_it_is_given_and_leaves_out_nothing() -> None:
    drawn = plots.bars("Drift <b>", [('<script>"x"', 2.0), ("other", -1.0)])
    line = plots.lines("Weeks", ["a", "b", "c"], {"shop": [1.0, None, 3.0]}, " s")

    assert "<script>" not in drawn
    assert "<figcaption>Drift &lt;b&gt;</figcaption>" in drawn
    assert drawn.count("<rect") == 2
    assert line.count("<circle") == 2
    assert line.count("M") == 2
    assert ">&lt; 0.001 %<" in plots.bars("Rates", [("shop", 0.00002), ("till", 0.5)], " %")
    assert plots.bars("Nothing", []) == plots.lines("Nothing", [], {}) == ""
