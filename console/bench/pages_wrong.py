"""What has gone wrong and what people did about it, for the measurement of pages: more of each than a page holds."""

# ruff: noqa: S608 -- statements composed of constants

from __future__ import annotations

from typing import Final

_ANY_SKU = "'S' || lpad((1 + CAST(n AS bigint) * 7919 % :skus)::text, 7, '0')"
_CHANNEL = "(CAST(:channels AS text[]))[1 + n / 3 % 4]"
_AGO = "CAST(:now AS timestamptz) - make_interval(mins => n)"
_CAUSE = "(ARRAY['swallowed_update', 'external_edit', 'missed_order', 'unknown'])[1 + n % 4]"

_DRIFT: Final = (
    f"""INSERT INTO drift (channel, sku, location, expected, actual, cause, evidence, action, times, seen_at, last_at,
                           resolved_at, result)
        SELECT 'shop', {_ANY_SKU}, 'WH-1', 10, 10 + n % 7 - 3, {_CAUSE}, '{{"pushes": [1]}}', 're-push', 1 + n % 3,
        {_AGO},
               {_AGO}, {_AGO} + interval '20 minutes', 'repaired' FROM generate_series(1, :events / 20) AS n""",
    f"""INSERT INTO drift (channel, sku, location, expected, actual, cause, action, times, seen_at, last_at,
                    resolved_at)
        SELECT 'shop', :hot, 'WH-1', 10, 12, {_CAUSE}, 're-push', 1, {_AGO}, {_AGO}, {_AGO}
        FROM generate_series(1, :events / 500) AS n""",
    f"""INSERT INTO drift (channel, sku, location, expected, actual, cause, evidence, action, times, seen_at, last_at)
        SELECT DISTINCT ON (channel, sku) {_CHANNEL} AS channel, {_ANY_SKU} AS sku, 'WH-1', 10, 20, {_CAUSE},
               '{{"pushes": [1]}}'::jsonb, 'halt and re-push', 2, {_AGO}, {_AGO}
        FROM generate_series(1, greatest(120, :events / 500)) AS n ORDER BY channel, sku, n""",
    """INSERT INTO quarantine (channel, sku, location, cause, reason, drift_id, since)
       SELECT channel, sku, location, cause, 'pushed five times, shows another number', id, seen_at
       FROM drift WHERE resolved_at IS NULL ORDER BY id LIMIT 120""",
    f"""INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, lifted_by, lift_reason, lifted_at)
        SELECT {_CHANNEL}, CASE WHEN n % 10 = 0 THEN :hot ELSE {_ANY_SKU} END, 'lifted', 'shows 20 for 10', 'rule',
               {_AGO}, {_AGO}, 'rule', 'shows what it should', {_AGO} + interval '30 minutes'
        FROM generate_series(1, :events / 50) AS n""",
    """INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, drift_id, confirmed_at)
       SELECT channel, sku, 'set', 'shows 20 for 10', 'rule', seen_at, :now, id, :now FROM drift
       WHERE resolved_at IS NULL ORDER BY id LIMIT greatest(80, :events / 1000)""",
    f"""INSERT INTO halt_scope (location, sku, reason, set_by, set_at, filled_at)
        SELECT 'ST-1', {_ANY_SKU}, 'water on the floor', 'ann', {_AGO}, {_AGO} FROM generate_series(1, 70) AS n""",
    """INSERT INTO run (job, channel, window_at, state, started_at, finished_at, expected, read, unknown, in_flight,
                        drifted, fixed, repushed, halted, overrun, error)
       SELECT 'reconcile', channel, at, CASE WHEN n % 200 = 7 THEN 'missed' ELSE 'done' END, at,
              at + interval '40 seconds', 100000, 99990, 10, 3, n % 4, n % 3, n % 2, n % 50 / 49, n % 300 = 0,
              CASE WHEN n % 200 = 7 THEN 'nobody was there' ELSE '' END
       FROM generate_series(1, greatest(80, least(9000, :events / 100))) AS n
       CROSS JOIN unnest(CAST(:channels AS text[])) AS channel
       CROSS JOIN LATERAL (SELECT date_bin('15 minutes', CAST(:now AS timestamptz), TIMESTAMPTZ '2000-01-01')
                                  - n * interval '15 minutes' AS at) AS opened""",
    """INSERT INTO early_read (channel, sku, runs_out_s, every_s, spike, due_at, read_at, reads, drifts)
       SELECT 'shop', sku, 60 + (hashtext(sku) & 4095), 60, hashtext(sku) % 9 = 0, :now, :now, 40, 1
       FROM sku ORDER BY sku LIMIT 1000""",
    f"""INSERT INTO failure (origin, object, class, channel, sku, order_id, task, task_id, payload, error, traceback,
                             attempts, count, first_seen, last_seen, state, settled_at, settled_by, reason)
        SELECT (ARRAY['push', 'task', 'alert'])[1 + n % 3], 'thing-' || n,
               (ARRAY['validation', 'mapping', 'rejected', 'throttled_out', 'unavailable', 'bug'])[1 + n % 6],
               {_CHANNEL},
               {_ANY_SKU}, 'o' || n, 'workers.tasks.push', 'task-' || n, '{{"sku": "x"}}', 'the item is not known',
               'Traceback (most recent call last)', 3, 1 + n % 5, {_AGO}, {_AGO},
               CASE WHEN n % 2 = 0 THEN 'open' WHEN n % 5 = 0 THEN 'discarded' ELSE 'resolved' END,
               CASE WHEN n % 2 = 0 THEN NULL ELSE CAST(:now AS timestamptz) END,
               CASE WHEN n % 2 = 0 THEN '' ELSE 'ann' END, CASE WHEN n % 2 = 0 THEN '' ELSE 'looked at' END
        FROM generate_series(1, :failed) AS n""",
    f"""INSERT INTO operation (verb, filter, actor, reason, total, done, state, upto, created_at, started_at, ended_at)
        SELECT (ARRAY['retry', 'discard', 'assign'])[1 + n % 3], '{{"channel": "shop"}}', 'ann',
               'the vendor is back', 500, 500, 'done', 500, {_AGO}, {_AGO}, {_AGO}
        FROM generate_series(1, 120) AS n""",
)

_WATCHED: Final = (
    f"""INSERT INTO incident (rule, channel, severity, since, resolved_at, content)
        SELECT 'drift.open', 'c' || n, 'error', {_AGO}, CASE WHEN n > 80 THEN CAST(:now AS timestamptz) END,
               '{{"title": "Another number than it should", "lines": ["S0000007 should 10, shows 20"], "count": 1}}'
        FROM generate_series(1, 80 + :events / 200) AS n""",
    f"""INSERT INTO alarm (rule, object, channel, severity, since, last_at, resolved_at, detail, incident)
        SELECT 'drift.open', 'drift:c' || n || '/S' || lpad((n % 60)::text, 7, '0') || '@WH-1', 'c' || n, 'error',
        {_AGO}, {_AGO},
               CASE WHEN n > 400 THEN CAST(:now AS timestamptz) END, jsonb_build_object('sku',
               'S' || lpad((n % 60)::text, 7, '0'), 'delta', '+10'),
               CASE WHEN n <= 400 THEN 1 ELSE n END
        FROM generate_series(1, 400 + :events / 200) AS n""",
    """INSERT INTO alert_post (incident, door, part, wanted, told, run_at)
       SELECT id, 'slack', 'thread', 1, 1, :now FROM incident ORDER BY id""",
    """INSERT INTO silence (rule, since, until, made_by, reason)
       SELECT 'rise.blocked', :now, CAST(:now AS timestamptz) + n * interval '1 hour', 'ann', 'known'
       FROM generate_series(1, 12) AS n""",
    f"""INSERT INTO oversold_case (channel, order_id, line_id, sku, location, units, accepted_at, found_at, found_by,
                    dip,
                                   cause, looked_at, state, closed_at, closed_by)
        SELECT {_CHANNEL}, 'o' || n * 20, '1', {_ANY_SKU}, 'WH-1', 1 + n % 3, {_AGO}, {_AGO}, 'sweep', 1, 'unknown',
               :now, CASE WHEN n <= 200 THEN 'waiting' ELSE 'closed' END,
               CASE WHEN n > 200 THEN CAST(:now AS timestamptz) END, CASE WHEN n > 200 THEN 'rule' ELSE '' END
        FROM generate_series(1, 200 + :events / 500) AS n""",
    """INSERT INTO rule_set (source, document, author, reason, applied_at)
       SELECT source, document, 'ann', 'season ' || n, CAST(:now AS timestamptz) - make_interval(days => 80 - n)
       FROM rule_set CROSS JOIN generate_series(1, 70) AS n WHERE version = 1 ORDER BY n""",
    f"""INSERT INTO deed (at, actor, role, door, verb, object, arguments, reason)
        SELECT CAST(:now AS timestamptz) - make_interval(mins => :events / 10 - n), 'p' || n % 40, 'lead', 'cli',
               (ARRAY['halt.set', 'sku.resync', 'stock.adjust', 'push.retry'])[1 + n % 4],
               'sku:' || CASE WHEN n % 50 = 0 THEN :hot ELSE {_ANY_SKU} END, '{{"channel": "shop"}}',
               'the shelf is empty'
        FROM generate_series(1, :events / 10) AS n""",
    "INSERT INTO deed_end (deed_id, at, outcome) SELECT id, at, 'done' FROM deed ORDER BY id",
    f"""INSERT INTO audit (at, actor, action, object, reason)
        SELECT CAST(:now AS timestamptz) - make_interval(mins => :events / 10 - n), 'lockstep', 'sku.resync',
               'sku:' || {_ANY_SKU}, 'due' FROM generate_series(1, :events / 10) AS n""",
    f"""INSERT INTO token (name, role, hash, created_at, created_by)
        SELECT 'relay-' || n, 'viewer', sha256(convert_to(n::text, 'UTF8')), {_AGO}, 'ann'
        FROM generate_series(1, 80) AS n""",
    "INSERT INTO heartbeat (queue, seen_at, worker) SELECT unnest(ARRAY['ingest', 'allocate', 'control']), :now, 'w1'",
    "INSERT INTO queue_pause VALUES ('push.amazon', :now, 'ann', 'the vendor moves')",
)

_STORES: Final = (
    """INSERT INTO count_variance (event_id, sku, location, counted_at, counted, position, moves, sigma, tier, within,
                                   reason, recount, undone)
       SELECT e.id, p.sku, CASE p.from_location WHEN 'OUTSIDE' THEN p.to_location ELSE p.from_location END,
       e.occurred_at,
              9, 10, 4, 2, (ARRAY['A', 'B', 'C'])[1 + (hashtext(p.sku) & 1)], hashtext(p.sku) % 8 <> 0, '', false, false
       FROM event AS e JOIN posting AS p ON p.event_id = e.id WHERE e.kind = 'count' ORDER BY e.id""",
    """INSERT INTO count_mark (event_id, sku, location, counted_at, counted)
       SELECT event_id, sku, location, counted_at, counted FROM count_variance ORDER BY event_id""",
    """INSERT INTO count_order (rule, object, sku, location, since, missing, ordered_at, ordered_by, reason)
       SELECT 'count.cusum', 'place:' || sku, sku, 'ST-2', :now, 3, :now, 'lockstep', 'small losses add up'
       FROM sku ORDER BY sku LIMIT 400""",
)

_TRADE: Final = (
    f"""INSERT INTO edi_interchange (partner, direction, state, control, serial, body, content_hash, made_at, sent_at)
        SELECT 'grocer', 'out', 'sent', n::text, n, convert_to('ISA*00*' || n, 'UTF8'), n::text, {_AGO}, {_AGO}
        FROM generate_series(1, greatest(150, :events / 50)) AS n""",
    """INSERT INTO edi_document (interchange_id, partner, direction, place, set_id, group_kind, group_control,
                                 set_control, order_number, content_hash, state, ack_state, due_at, made_at)
       SELECT id, 'grocer', 'out', 1, '855', 'PR', id::text, '0001', 'PO-' || id / 2, id::text, 'posted',
              CASE WHEN id % 100 = 0 OR id <= 70 THEN 'overdue' ELSE 'accepted' END, made_at, made_at
       FROM edi_interchange ORDER BY edi_interchange.id""",
    """INSERT INTO edi_order (partner, number, kind, day, location, document_id, content_hash, ordered_at, revision)
       SELECT 'grocer', 'PO-' || id, 'SA', CURRENT_DATE, 'WH-1', id, id::text, made_at, made_at
       FROM edi_document ORDER BY edi_document.id LIMIT :events / 100""",
    """INSERT INTO edi_line (partner, number, release, line, place, item, parts, measure, ordered, accepted,
                   backordered,
                             rejected)
       SELECT 'grocer', number, '', '1', 1, 'i0000001', '[{"sku": "S0000001", "units": 1}]', 'EA', 5, 5, 0, 0
       FROM edi_order ORDER BY number""",
    "INSERT INTO edi_mailbox (partner, next_at, seen_at) VALUES ('grocer', :now, :now)",
    """INSERT INTO program (name, partner, policy, ends, since, until, made_by, made_at, why)
       SELECT 'spring-' || n, 'grocer', 'cap', 'itself', CAST(:now AS timestamptz) - interval '10 days',
              CAST(:now AS timestamptz) + interval '20 days', 'ann', :now, 'agreed' FROM generate_series(1, 4) AS n""",
    f"""INSERT INTO program_line (program, sku, location, agreed, used)
        SELECT 'spring-' || n % 4 + 1, {_ANY_SKU}, 'WH-1', 50, n % 40 FROM generate_series(1, 80) AS n
        ON CONFLICT DO NOTHING""",
    """INSERT INTO fba_reading (channel, seller_sku, as_of, read_at, source, fulfillable, pending_orders, transshipment,
                                processing, inbound_working, inbound_shipped, inbound_receiving, researching,
                                unfulfillable)
       SELECT channel, item_id, :now, :now, 'summary', 12, 1, 0, 0, 0, 5, 0, 0, 1
       FROM binding WHERE location = 'FBA' ORDER BY item_id""",
    """INSERT INTO fba_mirror (channel, seller_sku, reading_id, opened_at, off_units, off_cycles, off_since)
       SELECT channel, seller_sku, id, :now, CASE WHEN id % 40 = 0 OR id <= 70 THEN 2 ELSE 0 END, id % 4,
              CASE WHEN id % 40 = 0 OR id <= 70 THEN CAST(:now AS timestamptz) END
       FROM fba_reading ORDER BY id""",
    """INSERT INTO fba_health (channel, seller_sku, snapshot_on, available, days_of_supply, excess_units,
                               aged_181_units, recommended_action, read_at)
       SELECT 'market', seller_sku, CURRENT_DATE - day, 12, 90, 4, 3, 'Create a removal order', :now
       FROM fba_reading CROSS JOIN generate_series(0, 6) AS day WHERE id <= 2000 ORDER BY id, day""",
    """INSERT INTO fba_standing (channel, seller_sku, sku, location, on_hand, available, inbound, per_day,
                                 days_of_supply, excess_units, sell_through, stranded_units, oldest_days, aged_units,
                                 surcharge, removal_units, saved, fee, net, why, send_units, send_cartons, send_from,
                                 stood_at)
       SELECT b.channel, b.item_id, b.sku, b.location, 13, 12, 5, 0.1, 170, 8, 0.4, 0, 200, 3, 1.5, 3, 9.5, 2.52, 6.98,
              '3 of 13 will pass 180 days unsold; 130 days of supply', 12, 1, '{"WH-1": 12}', :now
       FROM binding AS b WHERE b.location = 'FBA' ORDER BY b.item_id""",
    f"""INSERT INTO offer_share (channel, asin, item_condition, at, ours_featured, featured, featured_price, our_price,
                                 currency, offers, seen_at)
        SELECT 'market', 'B' || lpad((n % 500)::text, 9, '0'), 'New', {_AGO}, n % 3 > 0, true, 19.9, 20.1, 'USD', 4,
        :now
        FROM generate_series(1, :events / 50) AS n""",
    """INSERT INTO ipi_score (channel, scored_on, score, threshold, set_by, set_at)
       SELECT 'market', CURRENT_DATE - 7 * n, 520 - n, 400, 'ann', :now FROM generate_series(0, 12) AS n""",
)

WRONG: Final = (*_DRIFT, *_WATCHED, *_STORES, *_TRADE)
