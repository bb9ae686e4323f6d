"""Integration debt: what keeps drifting, by channel, SKU, location and cause, ranked by what it cost; and its quarters.

A drift that stays open, or comes back, is a connection that nobody mends. Money is units at what a unit costs, else at
what it sells for, where the house says so (`sku_worth`); else there are units only, and the list says for how many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, text

#: An open drift of so many windows, or so many drifts of one cause at one place, are debt.
WINDOWS: Final = 2
TIMES: Final = 2

_QUARTER: Final = re.compile(r"(\d{4})-?Q([1-4])", re.IGNORECASE)

# Each place and cause once: how often it was wrong, for how long in all (open drifts until now), and by how much.
_DEBT = text("""
    WITH found AS (
        SELECT channel, sku, location, cause, count(*) AS drifts, sum(times)::bigint AS windows,
               count(*) FILTER (WHERE resolved_at IS NULL) AS open,
               min(seen_at) AS first_at, max(last_at) AS last_at, max(abs(delta)) AS units,
               sum(extract(epoch FROM coalesce(resolved_at, :now) - seen_at))::double precision AS wrong_s,
               max(id) AS drift_id
        FROM drift
        WHERE seen_at >= :since AND seen_at < :until AND (CAST(:channel AS text) IS NULL OR channel = :channel)
        GROUP BY channel, sku, location, cause
        HAVING count(*) >= :times OR bool_or(resolved_at IS NULL AND times >= :windows)
    )
    SELECT found.*, found.units * coalesce(worth.cost, worth.price) AS money,
           EXISTS (SELECT FROM quarantine q WHERE q.channel = found.channel AND q.sku = found.sku
                   AND q.location = found.location AND q.released_at IS NULL) AS quarantined,
           coalesce((SELECT o.owner FROM debt_owner o
                     WHERE o.channel IN (found.channel, '') AND o.cause IN (found.cause, '')
                     ORDER BY o.channel <> '' DESC, o.cause <> '' DESC LIMIT 1), '') AS owner
    FROM found LEFT JOIN sku_worth AS worth ON worth.sku = found.sku
    ORDER BY coalesce(found.units * coalesce(worth.cost, worth.price), found.units) * found.drifts
             * greatest(found.wrong_s, 60) DESC, found.channel, found.sku, found.location, found.cause
    LIMIT :limit
""")

_OWN = text("""
    INSERT INTO debt_owner (channel, cause, owner, set_at, set_by) VALUES (:channel, :cause, :owner, :now, :by)
    ON CONFLICT (channel, cause)
    DO UPDATE SET owner = excluded.owner, set_at = excluded.set_at, set_by = excluded.set_by
""")

# One row a channel and cause: what a quarter of it came to.
_REPORT = text("""
    SELECT d.channel, d.cause, count(*) AS drifts, count(DISTINCT (d.sku, d.location)) AS places,
           count(*) FILTER (WHERE d.resolved_at IS NULL) AS open,
           count(*) FILTER (WHERE d.delta > 0) AS too_much, sum(abs(d.delta))::bigint AS units,
           sum(abs(d.delta) * coalesce(w.cost, w.price)) AS money,
           count(*) FILTER (WHERE coalesce(w.cost, w.price) IS NULL) AS unpriced,
           (percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM coalesce(d.resolved_at, :now) - d.seen_at))
           )::double precision AS median_s,
           count(*) FILTER (WHERE d.resolved_at - d.seen_at <= interval '5 minutes') AS repaired_in_time
    FROM drift AS d LEFT JOIN sku_worth AS w ON w.sku = d.sku
    WHERE d.seen_at >= :since AND d.seen_at < :until
    GROUP BY d.channel, d.cause
    ORDER BY count(*) DESC, d.channel, d.cause
""")
_HALTS = text("""
    SELECT channel, count(*) AS halts FROM halt WHERE set_at >= :since AND set_at < :until GROUP BY channel
""")
_QUARANTINES = text("""
    SELECT channel, count(*) AS quarantined FROM quarantine WHERE since >= :since AND since < :until GROUP BY channel
""")

_CAUSES = text("""
    SELECT channel, cause, count(*) AS drifts, count(*) FILTER (WHERE resolved_at IS NULL) AS open,
           min(seen_at) FILTER (WHERE resolved_at IS NULL) AS oldest_at, sum(abs(delta))::bigint AS units
    FROM drift
    WHERE seen_at >= :since AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    GROUP BY channel, cause ORDER BY count(*) DESC, channel, cause
""")


class NoQuarter(ValueError):
    """It does not name a quarter."""


@dataclass(frozen=True, slots=True)
class Debt:
    """One place that keeps drifting for one cause.

    drifts       rows;  windows  in which it was seen wrong;  open  whether it is wrong now
    wrong_s      seconds for which it was wrong, all together
    units        by how many at most;  money  the same in the money of the house, None where no worth is known
    owner        who mends it, "" when nobody was named
    """

    channel: str
    sku: str
    location: str
    cause: str
    drifts: int
    windows: int
    open: bool
    first_at: datetime
    last_at: datetime
    wrong_s: float
    units: int
    money: float | None
    owner: str
    quarantined: bool
    drift_id: int


def debts(
    connection: Connection,
    *,
    now: datetime,
    since: datetime,
    until: datetime | None = None,
    channel: str | None = None,
    limit: int = 100,
) -> list[Debt]:
    """What keeps drifting since then, the costliest first: units times how often times how long."""
    rows = connection.execute(
        _DEBT,
        {
            "now": now,
            "since": since,
            "until": until or now,
            "channel": channel,
            "times": TIMES,
            "windows": WINDOWS,
            "limit": limit,
        },
    ).mappings()
    return [Debt(**{**row, "open": row["open"] > 0, "money": _money(row["money"])}) for row in rows]


def own(
    connection: Connection,
    owner: str,
    by: str,
    now: datetime,
    *,
    channel: str = "",
    cause: str = "",
) -> None:
    """Say who mends what keeps drifting; an empty channel or cause is any, and the closest saying counts."""
    values = {"owner": owner, "by": by, "now": now, "channel": channel, "cause": cause}
    connection.execute(_OWN, values)


def quarter(said: str) -> tuple[datetime, datetime]:
    """The beginning and the end of a quarter such as 2026Q4. Raises NoQuarter."""
    found = _QUARTER.fullmatch(said.strip())
    if found is None:
        raise NoQuarter(f"{said!r} is no quarter: write it as 2026Q4")
    year, number = int(found[1]), int(found[2])
    if not 1 <= year < 9999:
        raise NoQuarter(f"there is no year {year}")
    begin = datetime(year, 3 * number - 2, 1, tzinfo=UTC)
    end = datetime(year + (number == 4), 1 if number == 4 else 3 * number + 1, 1, tzinfo=UTC)
    return begin, end


def report(connection: Connection, begin: datetime, end: datetime, now: datetime) -> dict[str, Any]:
    """The brittle integrations of a quarter.

    returns    causes: a row per channel and cause; channels: a row per channel, the most brittle first; debts: the
               ten costliest; unknown_share of all drifts
    """
    span = {"since": begin, "until": min(end, now), "now": now}
    causes = [_plain(dict(row)) for row in connection.execute(_REPORT, span).mappings()]
    halts = {row.channel: row.halts for row in connection.execute(_HALTS, span)}
    alone = {row.channel: row.quarantined for row in connection.execute(_QUARANTINES, span)}
    return {
        "begin": begin,
        "end": end,
        "unknown_share": unknown_share(causes),
        "channels": _channels(causes, halts, alone),
        "causes": causes,
        "debts": debts(connection, now=now, since=begin, until=min(end, now), limit=10),
    }


def causes(
    connection: Connection, *, since: datetime, channel: str | None = None
) -> list[dict[str, Any]]:
    """Drifts since then by channel and cause."""
    rows = connection.execute(_CAUSES, {"since": since, "channel": channel})
    return [dict(row) for row in rows.mappings()]


def unknown_share(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Of these rows' drifts, the share without a cause, from 0 to 1; None without drifts."""
    drifts = sum(row["drifts"] for row in rows)
    unknown = sum(row["drifts"] for row in rows if row["cause"] == "unknown")
    return round(unknown / drifts, 4) if drifts else None


def _channels(
    causes: Sequence[Mapping[str, Any]], halts: Mapping[str, int], alone: Mapping[str, int]
) -> list[dict[str, Any]]:
    found = []
    for channel in sorted({row["channel"] for row in causes}):
        rows = [row for row in causes if row["channel"] == channel]
        priced = [row["money"] for row in rows if row["money"] is not None]
        drifts = sum(row["drifts"] for row in rows)
        found.append(
            {
                "channel": channel,
                "drifts": drifts,
                "open": sum(row["open"] for row in rows),
                "units": sum(row["units"] for row in rows),
                "money": round(sum(priced), 2) if priced else None,
                "unpriced": sum(row["unpriced"] for row in rows),
                "worst_cause": max(rows, key=lambda row: row["drifts"])["cause"],
                "unknown_share": unknown_share(rows),
                "repaired_in_time": round(sum(r["repaired_in_time"] for r in rows) / drifts, 4),
                "halts": halts.get(channel, 0),
                "quarantined": alone.get(channel, 0),
            }
        )
    return sorted(found, key=lambda row: (-row["drifts"], row["channel"]))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "money": _money(row["money"])}


def _money(amount: Any) -> float | None:
    return None if amount is None else round(float(amount), 2)
