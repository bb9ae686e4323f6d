"""A house full of what has happened, for the measurement of pages: its catalogue, its book, and what follows from it.

Everything is written at once by statements that know nothing of each other's rows but their rule: the n-th event is of
one kind, SKU, location and channel by its number alone. Every 51st is of the hot SKU. Balances and the running numbers
in postings are added up from the events, so that the book is as right as one that was written line by line.
"""

# ruff: noqa: S608 -- statements composed of constants

from __future__ import annotations

from typing import Final

HOT: Final = "S0000001"
LOCATIONS: Final = ("WH-1", "WH-2", "ST-1", "ST-2", "ST-3")
CHANNELS: Final = ("shop", "market", "grocer", "till")

_SKU = "'S' || lpad((CASE WHEN n % 51 = 0 THEN 1 ELSE 1 + CAST(n AS bigint) * 7919 % :skus END)::text, 7, '0')"
_AT = "CAST(:now AS timestamptz) - make_interval(secs => (:events - n) * CAST(:span_s AS float8) / :events)"
_LOCATION = "(CAST(:locations AS text[]))[1 + n / 7 % 5]"
_CHANNEL = "(CAST(:channels AS text[]))[1 + n / 3 % 4]"

#: References that would be looked up a million times, for rows that are right by how they are made.
REFERENCES: Final = """
    SELECT conrelid::regclass::text AS relation, conname FROM pg_constraint
    WHERE contype = 'f' AND conrelid = ANY(ARRAY['balance', 'binding', 'deed_end', 'event', 'posting', 'push_due',
                                                 'shown', 'target', 'sku_worth', 'fba_mirror',
                                                 'fba_reading']::regclass[])
"""

_CATALOGUE: Final = (
    """INSERT INTO sku (sku, title, created_at)
       SELECT 'S' || lpad(n::text, 7, '0'),
              (ARRAY['Mug', 'Tee', 'Lamp', 'Chair', 'Bowl', 'Scarf'])[1 + n % 6] || ' '
              || (ARRAY['red', 'blue', 'green', 'grey', 'black'])[1 + n / 6 % 5] || ', lot ' || n,
              CAST(:now AS timestamptz) - interval '90 days'
       FROM generate_series(1, :skus) AS n""",
    "INSERT INTO location (location, kind) VALUES ('FBA', 'mirror') ON CONFLICT DO NOTHING",
    """INSERT INTO sku_worth (sku, cost, price, set_at, set_by)
       SELECT sku, 1 + (hashtext(sku) & 15), 20 + (hashtext(sku) & 63), :now, 'bench' FROM sku ORDER BY sku""",
    """INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id, read_only)
       SELECT place.channel, sku, place.location, 'i' || substr(sku, 2), place.location, 'v' || substr(sku, 2),
              place.location = 'FBA'
       FROM sku CROSS JOIN (VALUES ('shop', 'WH-1'), ('market', 'WH-1'), ('grocer', 'WH-1'), ('till', 'ST-1'),
                                   ('till', 'ST-2'), ('till', 'ST-3'), ('market', 'FBA')) AS place (channel, location)
       WHERE place.location <> 'FBA' OR hashtext(sku) % 5 = 0
       ORDER BY place.channel, sku, place.location""",
)

_EVENTS: Final = (
    f"""CREATE TEMPORARY TABLE made AS
        SELECT n, uuidv7() AS id, {_SKU} AS sku, {_AT} AS at, {_LOCATION} AS location, {_CHANNEL} AS channel,
               CASE WHEN n % 100 < 50 THEN 'order' WHEN n % 100 < 88 THEN 'ship' WHEN n % 100 < 93 THEN 'receipt'
                    WHEN n % 100 < 98 THEN 'return' WHEN n % 100 = 98 THEN 'count' ELSE 'write_off' END AS kind,
               CASE WHEN n % 100 BETWEEN 88 AND 92 THEN 15 ELSE 1 + n % 2 END::bigint AS units
        FROM generate_series(1, :events) AS n""",
    """CREATE TEMPORARY TABLE moved AS
       SELECT n, id, sku, at, units,
              CASE WHEN from_state = ANY(ARRAY['supplier', 'customer', 'found']) THEN 'OUTSIDE' ELSE location END
                  AS from_location, from_state,
              CASE WHEN to_state = ANY(ARRAY['customer', 'loss']) THEN 'OUTSIDE' ELSE location END AS to_location,
              to_state
       FROM (SELECT n, id, sku, at, location, units,
                    CASE kind WHEN 'order' THEN 'available' WHEN 'ship' THEN 'committed' WHEN 'receipt' THEN 'supplier'
                              WHEN 'return' THEN 'customer' WHEN 'write_off' THEN 'available'
                              ELSE CASE WHEN n % 200 = 98 THEN 'available' ELSE 'found' END END AS from_state,
                    CASE kind WHEN 'order' THEN 'committed' WHEN 'ship' THEN 'customer' WHEN 'receipt' THEN 'available'
                              WHEN 'return' THEN 'available' WHEN 'write_off' THEN 'loss'
                              ELSE CASE WHEN n % 200 = 98 THEN 'loss' ELSE 'available' END END AS to_state
             FROM made) AS kinds""",
    """CREATE TEMPORARY TABLE leg AS
       SELECT n, side, sku, location, state, units,
              sum(units) OVER place AS after, row_number() OVER place AS version
       FROM (SELECT n, 'from' AS side, sku, from_location AS location, from_state AS state, -units AS units FROM moved
             UNION ALL SELECT n, 'to', sku, to_location, to_state, units FROM moved) AS legs
       WINDOW place AS (PARTITION BY sku, location, state ORDER BY n)""",
    """INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, actor, reason, channel, order_id,
                          line_id, inbox_id, payload)
       SELECT id, kind, CASE WHEN kind IN ('order', 'ship', 'return') THEN channel ELSE 'bench' END, 'fact:' || n, at,
              at + interval '2 seconds', CASE WHEN kind = 'write_off' THEN 'ann' ELSE '' END,
              CASE WHEN kind = 'write_off' THEN 'broken on the shelf' ELSE '' END,
              CASE WHEN kind IN ('order', 'ship', 'return') THEN channel END,
              CASE WHEN kind IN ('order', 'ship', 'return') THEN 'o' || n END,
              CASE WHEN kind IN ('order', 'ship', 'return') THEN '1' END, n,
              CASE WHEN kind = 'count' THEN '{"reason_code": "misplaced"}' ELSE '{}' END::jsonb
       FROM made ORDER BY n""",
    """INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after,
                            from_version, to_location, to_state, to_before, to_after, to_version, occurred_at,
                            recorded_at)
       SELECT m.id, 1, m.sku, m.units, m.from_location, m.from_state, f.after + m.units, f.after, f.version,
              m.to_location, m.to_state, t.after - m.units, t.after, t.version, m.at, m.at + interval '2 seconds'
       FROM moved AS m JOIN leg AS f ON f.n = m.n AND f.side = 'from' JOIN leg AS t ON t.n = m.n AND t.side = 'to'
       ORDER BY m.n""",
    """INSERT INTO balance (sku, location, state, units, version)
       SELECT sku, location, state, sum(units), count(*) FROM leg GROUP BY sku, location, state ORDER BY 1, 2, 3""",
    """INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units, shipped_units)
       SELECT channel, 'o' || n, '1', sku, location, at, units,
       n % 2 * units FROM made WHERE kind = 'order' ORDER BY n""",
    """INSERT INTO inbox (source, delivery_id, topic, headers, body, received_at, state, attempts, error, settled_at)
       SELECT channel, 'd' || n, 'orders/updated', '{"x-topic": "orders/updated"}',
              convert_to('{"id": ' || n || ', "line_items": [{"sku": "' || sku || '"}]}', 'UTF8'), at,
              CASE WHEN n % 50 = 0 THEN 'parked' ELSE 'applied' END, 1 + n % 2,
              CASE WHEN n % 50 = 0 THEN 'the line names no SKU that is bound' END, at + interval '2 seconds'
       FROM made ORDER BY n""",
    "DROP TABLE leg, moved, made",
)

#: Numbers of every place; those of the hot SKU are computed as in the product.
_NUMBERS: Final = (
    """INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)
       SELECT channel, sku, location, hashtext(sku || location) & 63, 2, (SELECT max(version) FROM rule_set),
              CAST(:now AS timestamptz) - interval '2 hours'
       FROM binding WHERE location <> 'FBA' AND sku <> :hot ORDER BY channel, sku, location""",
    """INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)
       SELECT channel, sku, location, n, units, rule_version, set_at - make_interval(hours => 2 - n), '{}'
       FROM target CROSS JOIN generate_series(1, 2) AS n WHERE sku <> :hot ORDER BY channel, sku, location, n""",
    """INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)
       SELECT channel, sku, location, -n, n % 60, rule_version,
       CAST(:now AS timestamptz) - make_interval(mins => 9 * n), '{}'
       FROM target CROSS JOIN generate_series(1, :events / 500) AS n WHERE sku = :hot ORDER BY n""",
    """INSERT INTO shown (channel, sku, location, units, number, confirmed_at, read_units, read_at)
       SELECT channel, sku, location, units, number, set_at,
       units + CASE WHEN hashtext(sku) % 500 = 0 THEN 1 ELSE 0 END,
              CAST(:now AS timestamptz) - interval '9 minutes'
       FROM target ORDER BY channel, sku, location""",
    f"""INSERT INTO push (push_key, channel, sku, location, units, number, expected, sent_at, answered_at, outcome,
                    detail,
                          due_since, seen_at)
        SELECT 'k' || n / 250, channel, {_SKU}, CASE channel WHEN 'till' THEN 'ST-1' ELSE 'WH-1' END, n % 64, n, n % 63,
               {_AT}, {_AT} + interval '900 milliseconds', CASE WHEN n % 97 = 0 THEN 'rejected' ELSE 'confirmed' END,
               CASE WHEN n % 97 = 0 THEN 'the item is not known' ELSE '' END, {_AT} - interval '3 seconds',
               {_AT} + interval '8 seconds'
        FROM (SELECT n, {_CHANNEL} AS channel FROM generate_series(1, :events) AS n) AS given
        ORDER BY n""",
    """INSERT INTO push_due (channel, sku, location, priority, since, run_at, attempts, parked, error)
       SELECT channel, sku, location, n % 4, CAST(:now AS timestamptz) - make_interval(secs => n % 900), :now, n % 3,
              n % 10 = 0, CASE WHEN n % 10 = 0 THEN 'the item is not known' END
       FROM (SELECT channel, sku, location,
       row_number() OVER (ORDER BY hashtext(sku || location)) AS n FROM target) AS t
       WHERE n <= least(30000, :skus / 3) ORDER BY n""",
    "INSERT INTO due (sku, since) SELECT sku, :now FROM sku WHERE sku <> :hot ORDER BY sku LIMIT 200",
)

#: A run of the forecast that holds, and its levels; of fifty places one is to be ordered for.
_FORECAST: Final = (
    """INSERT INTO forecast_run (until_day, stage, of_skus, skus, places, learned, began_at, moved_at, ended_at)
       VALUES (CAST(:now AS date), 'done', :skus, :skus, :skus, '{"series": 0, "parts": {}, "spreads": {}}', :now, :now,
               :now)""",
    """INSERT INTO forecast (run_id, sku, location, until_day, kind, model, weights, scores, folds, horizon_days,
                             per_day, sd_per_day, sd_per_week, units, quantiles)
       SELECT run.id, sku, 'WH-1', run.until_day, 'smooth', 'warm_ses_20', '{"warm_ses_20": 1.0}',
              '{"mix": {"rmsse": 0.7, "bias": 0.1, "sum_error": 0.4}}', 6, 21, 2, 1, 3, 42, '{"0.5": 42, "0.95": 60}'
       FROM sku CROSS JOIN forecast_run AS run ORDER BY sku""",
    """INSERT INTO reorder_level (sku, location, run_id, pack, minimum, service, review_days, lead_days, lead_sd_days,
                                  lead_receipts, per_day, wanted_units, wanted_sd, shape, kind, model, folds,
                                  reorder_point, order_up_to, lot_units, lost_per_hour, tier, look_at)
       SELECT f.sku, f.location, f.run_id, 6, 0, 0.95, 7, 14, 0, 0, 2, 28, 6, 'normal', 'smooth', f.model, 6,
              b.units + CASE WHEN hashtext(f.sku) % 50 = 0 THEN 5 ELSE -5 END, b.units + 40, 0, 1.5, 'C', :now
       FROM forecast AS f JOIN balance AS b ON b.sku = f.sku AND b.location = f.location AND b.state = 'available'
       ORDER BY f.sku""",
)

BOOK: Final = (*_CATALOGUE, *_EVENTS)
NUMBERS: Final = (*_NUMBERS, *_FORECAST)
