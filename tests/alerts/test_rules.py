"""When each rule fires, when it stays on and when it is over: at its threshold, on both sides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.alerts.desk import Desk, drift, look_later, severity
from tests.workers.shelf import House
from workers.alerts.looks import LOOKS
from workers.alerts.rules import RULES, commands_of, filled, line_of
from workers.alerts.types import Limits

SOLD = (
    "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
    " VALUES (:sku, 'shop', 'WH', :fast, :lines, :units, :units, :at, CAST(:at AS timestamptz) - interval '400 days')"
)
SLOW_DAYS = 28


def sells(desk: Desk, sku: str, per_day: float, *, fast: float = 0.0) -> None:
    """A steady pace: its fading sum has reached so many days of it."""
    units = per_day * SLOW_DAYS
    desk.run(SOLD, sku=sku, fast=fast, lines=units, units=units, at=desk.now)


def test_every_rule_can_be_looked_at_in_an_empty_house(desk: Desk) -> None:
    done = desk.look()

    assert (done.raised, done.failed) == (0, {})
    assert set(LOOKS) <= set(RULES)


def test_every_limit_is_used_by_a_rule() -> None:
    asked = " ".join(LOOKS.values())

    assert not [name for name in Limits.__slots__ if f":{name}" not in asked]


# --- low stock --------------------------------------------------------------------------------------------------------


def test_stock_is_low_by_how_long_it_lasts_and_sooner_for_best_sellers(
    desk: Desk, house: House
) -> None:
    sells(desk, "A", 100)
    sells(desk, "B", 10)
    sells(desk, "C", 10)
    house.stock(A=390, B=21, C=19)
    desk.look()

    assert desk.on("stock.low") == ["sku:A", "sku:C"]
    lines = desk.rows("SELECT content -> 'lines' FROM incident WHERE rule = 'stock.low'")[0][0]
    assert lines == [
        "C  19 left · 10.0 a day · 1.9 days · other",
        "A  390 left · 100.0 a day · 3.9 days · best seller",
    ]


def test_a_best_seller_stays_one_for_as_long_as_the_forecast_keeps_its_tier(
    desk: Desk, house: House
) -> None:
    sells(desk, "A", 100)
    sells(desk, "B", 10)
    for sku, tier in (("A", "C"), ("B", "A")):
        desk.run(
            "INSERT INTO velocity_tier (sku, tier, since, per_day) VALUES (:sku, :tier, :at, 1)",
            sku=sku, tier=tier, at=desk.now,
        )  # fmt: skip
    house.stock(A=390, B=39)
    desk.look()

    assert desk.on("stock.low") == ["sku:B"]


def test_low_stock_is_told_once_a_crossing(desk: Desk, house: House) -> None:
    sells(desk, "A", 10)
    house.stock(A=39)
    desk.look()
    for left in (38, 45, 39, 59):
        house.stock(A=left)
        look_later(desk, 60)
    still = desk.rows("SELECT count(*), count(resolved_at) FROM alarm")
    house.stock(A=61)
    look_later(desk, 60)
    house.stock(A=45)
    look_later(desk, 60)
    over = desk.on("stock.low")
    house.stock(A=39)
    look_later(desk, 60)

    assert (still, over) == ([(1, 0)], [])
    assert desk.rows("SELECT count(*), count(resolved_at) FROM alarm") == [(2, 1)]


def test_a_rush_makes_stock_low_long_before_its_old_pace_would(desk: Desk, house: House) -> None:
    sells(desk, "A", 10)
    house.stock(A=300)
    desk.look()
    calm = desk.on("stock.low")
    desk.run("UPDATE pace SET fast_lines = 20")
    look_later(desk, 60)

    assert (calm, desk.on("stock.low")) == ([], ["sku:A"])


def test_what_hardly_sells_is_never_low(desk: Desk, house: House) -> None:
    sells(desk, "A", 0.1)
    house.stock(A=0)
    desk.look()

    assert desk.on("stock.low") == []


# --- drift and halts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "actual", "at_once"),
    [(30, 33, False), (29, 32, True), (10, 12, False), (1000, 1100, False), (30, 20, False)],
)
def test_a_drift_is_told_at_once_when_it_would_halt_and_else_when_it_stays(
    desk: Desk, house: House, expected: int, actual: int, at_once: bool
) -> None:
    drift(desk, expected=expected, actual=actual)
    desk.look()
    first = bool(desk.on("drift.open"))
    look_later(desk, 301)

    assert (first, bool(desk.on("drift.open"))) == (at_once, True)


def test_a_drift_calls_somebody_only_while_it_can_oversell(desk: Desk, house: House) -> None:
    drift(desk)
    desk.look()
    before = severity(desk, "drift.open")
    desk.run(
        "INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at)"
        " VALUES ('shop', 'A', 'set', 'drift', 'rule:reconcile', :at, :at)",
        at=desk.now,
    )
    look_later(desk, 15)

    assert (before, severity(desk, "drift.open")) == ("error", "warning")
    assert desk.on("halt.standing") == ["halt:shop/A"]


@pytest.mark.parametrize(("state", "severity_"), [("setting", ""), ("lifting", "warning")])
def test_a_halt_that_nobody_carries_out_is_told_after_a_minute(
    desk: Desk, house: House, state: str, severity_: str
) -> None:
    desk.run(
        "INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, lifted_at)"
        " VALUES ('shop', 'A', :state, 'drift', 'ann', :at, :at, CASE WHEN :state = 'lifting'"
        " THEN CAST(:at AS timestamptz) END)",
        state=state,
        at=desk.now,
    )
    desk.look()
    early = desk.on("halt.stuck")
    look_later(desk, 61)

    assert (early, desk.on("halt.stuck")) == ([], ["halt:shop/A"])
    assert severity(desk, "halt.stuck") == severity_


def test_a_halt_of_the_rule_that_outlives_its_time_calls_somebody(desk: Desk, house: House) -> None:
    desk.run(
        "INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, call_at)"
        " VALUES ('shop', 'A', 'set', 'drift', 'rule:reconcile', :at, :at,"
        "         CAST(:at AS timestamptz) + interval '4 hours')",
        at=desk.now,
    )
    desk.look()
    early = severity(desk, "halt.standing")
    look_later(desk, 4 * 3600)

    assert (early, severity(desk, "halt.standing")) == ("", "error")


def test_what_a_scope_halted_is_one_line_however_many_it_is(desk: Desk, house: House) -> None:
    desk.run(
        "INSERT INTO halt_scope (channel, reason, set_by, set_at) VALUES ('shop', 'flood', 'ann', :at)",
        at=desk.now,
    )
    desk.run(
        "INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, own)"
        " SELECT 'shop', sku, 'set', 'flood', 'ann', :at, :at, false FROM sku",
        at=desk.now,
    )
    desk.run(
        "INSERT INTO halt_hold (halt_id, scope_id) SELECT halt.id, s.id FROM halt, halt_scope AS s"
    )
    desk.look()

    (line,) = desk.on("halt.standing")
    assert line.startswith("halt_scope:")
    assert line.endswith("/shop")


# --- windows ----------------------------------------------------------------------------------------------------------


def window(desk: Desk, state: str, back: int, job: str = "orders") -> None:
    desk.run(
        "INSERT INTO run (job, channel, window_at, state) VALUES (:job, 'shop', :at, :state)",
        job=job,
        at=desk.now - timedelta(seconds=900 * back),
        state=state,
    )


@pytest.mark.parametrize(
    ("states", "on", "severity_"),
    [
        (["done", "done"], False, ""),
        (["done", "missed"], True, ""),
        (["missed", "failed"], True, "error"),
        (["failed", "done"], False, ""),
        (["done", "due"], False, ""),
    ],
)
def test_the_newest_window_that_is_over_decides(
    desk: Desk, house: House, states: list[str], on: bool, severity_: str
) -> None:
    for back, state in enumerate(reversed(states)):
        window(desk, state, back)
    desk.look()

    assert desk.on("job.missed") == (["run:orders/shop"] if on else [])
    assert not on or severity(desk, "job.missed") == severity_


def test_a_window_that_is_worked_beyond_its_end_is_told(desk: Desk, house: House) -> None:
    window(desk, "running", 0)
    desk.look()
    in_time = desk.on("job.missed")
    look_later(desk, 901)

    assert (in_time, desk.on("job.missed")) == ([], ["run:orders/shop"])
    assert "over its time" in str(desk.rows("SELECT detail FROM alarm"))


# --- words ------------------------------------------------------------------------------------------------------------


def test_an_alarm_of_somebody_else_is_told_with_its_own_words(desk: Desk, house: House) -> None:
    desk.run(
        "INSERT INTO alarm (rule, object, since, last_at, detail) VALUES ('alloc.fit', 'channel:shop', :at, :at,"
        ' \'{"off_by_points": [12], "next": "lockstep alloc fit"}\')',
        at=desk.now,
    )
    desk.look()

    (content,) = desk.rows("SELECT content FROM incident")[0]
    assert (content["channel"], content["severity"], content["kind"]) == ("shop", "info", "note")
    assert content["lines"] == ["shop  off_by_points [12]"]
    assert content["next_commands"][0] == "lockstep alloc fit"


def test_what_is_not_known_of_an_alarm_is_a_dash_and_no_command() -> None:
    rule = RULES["drift.open"]

    assert line_of(rule, "drift:x", {"sku": "A", "action": ""}).startswith("A at -  should -")
    assert commands_of(rule, {"sku": "A"}) == ["lockstep recon drift"]
    assert filled("{a} {b}", {"a": None, "b": 0}) == "- 0"
