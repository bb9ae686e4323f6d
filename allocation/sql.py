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
