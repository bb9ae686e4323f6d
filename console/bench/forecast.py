"""How long a run of the forecast takes over a catalogue with two years of orders, and what it needs.

The house is filled by statements: order lines of each SKU in most weeks, cancels, posted as the book posts them, with a
level of demand of each SKU's own; balances are added up. The run is the product's, from the first page to the tiers.
"""

# ruff: noqa: S608 -- statements composed of constants

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import create_engine, text

from console.views.planning import reorder
from ledger.db import connect, transaction
from workers.flows import forecasting
from workers.settings import Settings
from workers.wiring import now

GOAL_S: Final = 600.0
GOAL_MB: Final = 2048.0
GOAL_LIST_S: Final = 1.0
_OF_SKUS: Final = 10_000
_OF_WEEKS: Final = 104

#: Rows that are right by how they are made; looking each up would take longer than what is measured.
_REFERENCES: Final = """
    SELECT conrelid::regclass::text AS relation, conname FROM pg_constraint
    WHERE contype = 'f' AND conrelid = ANY(ARRAY['balance', 'event', 'posting', 'sku_worth']::regclass[])
"""
# A level of its own, from a fortieth of a unit to some twenty a week, wanted in 3 to 10 of ten weeks.
_LEVEL = "exp((hashtext(sku) & 1023) / 1023.0 * 6.0 - 3.0)"
_FILL: Final = (
    "INSERT INTO location (location, kind) VALUES ('WH-1', 'warehouse') ON CONFLICT DO NOTHING",
    """INSERT INTO sku (sku, title, created_at)
       SELECT 'S' || lpad(n::text, 7, '0'), 'Item ' || n, :now FROM generate_series(1, :skus) AS n""",
    """INSERT INTO sku_worth (sku, cost, price, set_at, set_by)
       SELECT sku, 2 + (hashtext(sku) & 15), 9 + (hashtext(sku) & 63), :now, 'bench' FROM sku ORDER BY sku""",
    f"""CREATE TEMPORARY TABLE made AS
        SELECT row_number() OVER (ORDER BY week DESC, sku) AS n, uuidv7() AS id, sku, at, units
        FROM (SELECT sku, week, CAST(:now AS timestamptz) - interval '1 day'
                     - make_interval(days => 7 * week + (hashtext(sku || week) & 3)) AS at,
                     1 + floor({_LEVEL} * (1 + (hashtext(week || sku) & 255) / 128.0))::bigint AS units
              FROM sku CROSS JOIN generate_series(0, :weeks - 1) AS week
              WHERE (hashtext('w' || week || sku) & 1023) < 300 + (hashtext(sku || 'often') & 767)) AS wanted""",
    """INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id, payload)
       SELECT id, 'order', 'shop', 'fact:' || n, at, at + interval '2 seconds', 'shop', 'o' || n, '1', '{}'
       FROM made ORDER BY n""",
    """INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after,
                            from_version, to_location, to_state, to_before, to_after, to_version, occurred_at,
                            recorded_at)
       SELECT id, 1, sku, units, 'WH-1', 'available', -before, -before - units, version, 'WH-1', 'committed', before,
              before + units, version, at, at + interval '2 seconds'
       FROM (SELECT *, row_number() OVER place AS version,
                    sum(units) OVER place - units AS before
             FROM made WINDOW place AS (PARTITION BY sku ORDER BY n)) AS moved ORDER BY n""",
    """INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units, shipped_units)
       SELECT 'shop', 'o' || n, '1', sku, 'WH-1', at, units, 0 FROM made ORDER BY n""",
    """INSERT INTO balance (sku, location, state, units, version)
       SELECT sku, 'WH-1', state, sum(CASE state WHEN 'available' THEN -units ELSE units END), count(*)
       FROM made CROSS JOIN (VALUES ('available'), ('committed')) AS s (state) GROUP BY sku, state ORDER BY 1, 3""",
    "DROP TABLE made",
)  # fmt: skip


def measure(
    settings: Settings, *, skus: int, weeks: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fill an empty house and run the forecast over it.

    returns    skus, weeks, lines, places, read_s, forecast_s, seconds, cpu_s (without the database's), skus_per_s,
               peak_rss_mb, list_s, listed, the goals (of the time: its part for a smaller catalogue), and `passed`
    """
    lines = _fill(settings, skus, weeks)
    say(f"{skus} SKUs, {lines} order lines in {weeks} weeks")
    engine = connect(settings.database_url)
    try:
        began, began_cpu = time.perf_counter(), time.process_time()
        read_at = began
        told = [0]

        def show(ran: forecasting.Ran) -> None:
            nonlocal read_at
            if ran.stage == "reading":
                read_at = time.perf_counter()
            percent = 100 * ran.skus // ran.of_skus // 10 * 10
            if percent != told[0]:
                told[0] = percent
                say(f"{ran.stage}: {percent} %, {time.perf_counter() - began:.0f} s")

        ran = forecasting.run(engine, now, progress=show)
        ended = time.perf_counter()
        with transaction(engine) as connection:
            found = reorder(connection, now())
        list_s = time.perf_counter() - ended
    finally:
        engine.dispose()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    goal_s = GOAL_S * max(0.1, skus / _OF_SKUS * weeks / _OF_WEEKS)
    seconds = ended - began
    return {
        "skus": skus,
        "weeks": weeks,
        "lines": lines,
        "places": ran.places,
        "read_s": round(read_at - began, 1),
        "forecast_s": round(ended - read_at, 1),
        "seconds": round(seconds, 1),
        "cpu_s": round(time.process_time() - began_cpu, 1),
        "skus_per_s": round(skus / seconds, 1),
        "peak_rss_mb": round(peak_mb),
        "list_s": round(list_s, 3),
        "listed": len(found["lines"]),
        "goal_s": round(goal_s, 1),
        "goal_rss_mb": GOAL_MB,
        "goal_list_s": GOAL_LIST_S,
        "passed": ran.places == skus
        and seconds <= goal_s
        and peak_mb <= GOAL_MB
        and list_s <= GOAL_LIST_S,
    }


def _fill(settings: Settings, skus: int, weeks: int) -> int:
    owner = create_engine(settings.database_admin_url)
    given = {"skus": skus, "weeks": weeks, "now": now()}
    try:
        with owner.begin() as connection:
            connection.execute(text("SET statement_timeout = 0"))
            for relation, name in connection.execute(text(_REFERENCES)).all():
                connection.execute(text(f"ALTER TABLE {relation} DROP CONSTRAINT {name}"))
            for statement in _FILL:
                connection.execute(text(statement), given)
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        with owner.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM order_line")).scalar_one())
    finally:
        owner.dispose()


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """Print what was measured."""
    say(f"{result['lines']} order lines of {result['skus']} SKUs in {result['weeks']} weeks")
    say(f"read in {result['read_s']} s, forecast in {result['forecast_s']} s")
    say(
        f"{result['seconds']} s in all (goal {result['goal_s']} s), {result['cpu_s']} s of them computing:"
        f" {result['skus_per_s']} SKUs a second"
    )
    say(f"at most {result['peak_rss_mb']} MB (goal {result['goal_rss_mb']:.0f} MB)")
    say(
        f"reorder list of {result['listed']} lines in {result['list_s']} s"
        f" (goal {result['goal_list_s']} s)"
    )
