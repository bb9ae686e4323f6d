"""Expressions that several statements share; `t` is the target, `s` what is shown of it (may be missing)."""

from __future__ import annotations

#: Something was read back after the last confirmation (a confirmation clears what was read before it).
READ_SINCE = (
    "(s.read_units IS NOT NULL AND (s.confirmed_at IS NULL OR s.read_at >= s.confirmed_at))"
)

#: What the channel shows as far as we know: read back, else confirmed, else unknown (NULL).
SEEN = f"(CASE WHEN {READ_SINCE} THEN s.read_units ELSE s.units END)"

#: 0 stock-out, 1 decrease, 2 first number or repair, 3 rise.
PRIORITY = f"""(CASE WHEN t.units = 0 THEN 0 WHEN {SEEN} IS NULL OR {SEEN} = t.units THEN 2
                     WHEN t.units < {SEEN} THEN 1 ELSE 3 END)"""

#: The most that was sent and not answered, and may have landed; `d` is the row of the push queue (may be missing). What
#: is halted and was read back since shows nothing of it: nobody asks what became of its call.
SENT = """(SELECT max(p.units) FROM push p
            WHERE p.push_key = d.push_key
              AND p.channel = t.channel AND p.sku = t.sku AND p.location = t.location
              AND NOT (coalesce(s.read_at > greatest(p.sent_at, d.leased_until), false)
                       AND EXISTS (SELECT FROM halt h WHERE h.channel = t.channel AND h.sku = t.sku
                                   AND h.state = 'set' AND h.confirmed_at IS NOT NULL)))"""
