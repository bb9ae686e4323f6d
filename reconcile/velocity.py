"""Which SKUs sell fast on a channel, and which are scarce."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from allocation.pace import FAST_LINES, FAST_S, NOTHING, SLOW_S, YOUNGEST_S

# Read early: it may sell out before the next windows, and stays so for two calm ones. The pace is the one in use
# (`allocation.pace.rates`), of all who sell it.
_FAST = text(f"""
    SELECT s.sku FROM unnest(CAST(:skus AS text[])) AS s (sku)
    WHERE EXISTS (SELECT FROM early_read AS e WHERE e.channel = :channel AND e.sku = s.sku)
       OR (SELECT sum(86400 * greatest(1, slow_units / slow_lines) * greatest(
                      CASE WHEN fast_lines * fast >= {FAST_LINES} THEN fast_lines * fast / {FAST_S} ELSE 0 END,
                      slow_lines * slow / ({SLOW_S} * (1 - exp(-known_s / {SLOW_S})))))
           FROM pace AS p
           CROSS JOIN LATERAL (
               SELECT exp(-least(age_s, {100 * FAST_S}) / {FAST_S}) AS fast,
                      exp(-least(age_s, {8 * SLOW_S}) / {SLOW_S}) AS slow,
                      greatest({YOUNGEST_S}, date_part('epoch', CAST(:now AS timestamptz) - p.since)) AS known_s
               FROM (SELECT greatest(0, date_part('epoch', CAST(:now AS timestamptz) - p.at)) AS age_s) AS of_age
           ) AS faded
           WHERE p.sku = s.sku AND p.slow_lines >= {NOTHING} AND p.slow_units > 0) >= :per_day
""")  # noqa: S608 -- composed of constants

_SCARCE = text("""
    SELECT s.sku FROM unnest(CAST(:skus AS text[])) AS s (sku)
    WHERE EXISTS (SELECT FROM exposure AS e WHERE e.sku = s.sku AND (e.scarce <> '{}' OR e.held))
       OR EXISTS (SELECT FROM bundle AS b JOIN exposure AS e ON e.sku = b.component
                  WHERE b.sku = s.sku AND (e.scarce <> '{}' OR e.held))
""")


def fast_skus(
    connection: Connection, channel: str, skus: Collection[str], now: datetime, per_day: float
) -> frozenset[str]:
    """Those of `skus` that may sell out on the channel before its next windows, or sell `per_day` units or more."""
    values = {"channel": channel, "skus": sorted(skus), "now": now, "per_day": per_day}
    return frozenset(connection.execute(_FAST, values).scalars()) if skus else frozenset()


def scarce_skus(connection: Connection, skus: Collection[str]) -> frozenset[str]:
    """Those of `skus` whose units are divided into quotas, or of which a rise is held."""
    values = {"skus": sorted(skus)}
    return frozenset(connection.execute(_SCARCE, values).scalars()) if skus else frozenset()
