"""Early reads in PostgreSQL: which SKUs sell out soon, how often they are read, and which are due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from allocation.pace import (
    FAST_LINES,
    FAST_S,
    NOTHING,
    SLOW_S,
    SPIKE_LINES,
    SPIKE_TIMES,
    YOUNGEST_S,
)
from allocation.types import PLAIN
from channels.base import Binding
from reconcile.cadence import (
    EPS,
    EPS_OF_BEST,
    WINDOWS_OF_COVER,
    Early,
    Outlook,
    runs_out_s,
    sold_by,
)

#: SKUs of a channel that are read early at most: those with the shortest time.
AT_MOST: Final = 2000
#: A plan is made anew after so long.
PLAN_EVERY: Final = timedelta(seconds=60)
#: Numbers that wait to be pushed go first; but an early read waits no longer than this for them.
YIELDS_FOR: Final = timedelta(seconds=60)

# For so few lines left the quantile is far below the mean; from there on a third of the mean is the lower of the two.
_FEW: Final = 11

# The rate is the one in use (`allocation.pace.rates`), of all who sell from the place: they empty it together. A SKU
# that a channel shows at one place only is sold from wherever it lies. The tier is that of the last forecast; before
# one was run nobody has any.
OUTLOOKS = text(f"""
    WITH row AS (
        SELECT p.sku, p.location,
               p.fast_lines * exp(-least(age.s, {100 * FAST_S}) / {FAST_S}) AS fast_lines,
               p.slow_lines * exp(-least(age.s, {100 * SLOW_S}) / {SLOW_S})
                   / ({SLOW_S} * (1 - exp(-greatest({YOUNGEST_S}, date_part('epoch', :now - p.since)) / {SLOW_S})))
                   AS slow,
               greatest(1, p.slow_units / p.slow_lines) AS units_per_line
        FROM pace AS p
        CROSS JOIN LATERAL (SELECT greatest(0, date_part('epoch', CAST(:now AS timestamptz) - p.at)) AS s) AS age
        WHERE p.slow_lines >= {NOTHING} AND p.slow_units > 0
    ), rate AS (
        SELECT sku, location, units_per_line,
               CASE WHEN fast_lines >= {FAST_LINES} AND fast_lines / {FAST_S} > slow THEN fast_lines / {FAST_S}
                    ELSE slow END AS lines_per_s,
               fast_lines >= {SPIKE_LINES} AND fast_lines / {FAST_S} > {SPIKE_TIMES} * slow AS spike
        FROM row
    ), at_place AS (
        SELECT sku, location, sum(lines_per_s) AS lines_per_s, sum(lines_per_s * units_per_line) AS units_per_s,
               bool_or(spike) AS spike
        FROM rate GROUP BY sku, location
    ), everywhere AS (
        SELECT sku, sum(lines_per_s) AS lines_per_s, sum(units_per_s) AS units_per_s, bool_or(spike) AS spike
        FROM at_place GROUP BY sku
    ), place AS (
        SELECT t.sku, t.location, t.units, count(*) OVER (PARTITION BY t.sku) = 1 AS alone
        FROM target AS t JOIN everywhere USING (sku)
        WHERE t.channel = :channel
    ), faced AS (
        SELECT place.sku, place.units,
               CASE WHEN alone THEN everywhere.lines_per_s ELSE at_place.lines_per_s END AS lines_per_s,
               CASE WHEN alone THEN everywhere.units_per_s ELSE at_place.units_per_s END AS units_per_s,
               CASE WHEN alone THEN everywhere.spike ELSE at_place.spike END AS spike
        FROM place JOIN everywhere USING (sku) LEFT JOIN at_place USING (sku, location)
        WHERE place.units > 0
          AND NOT EXISTS (SELECT FROM binding AS b WHERE b.channel = :channel AND b.sku = place.sku
                          AND b.location = place.location AND b.read_only)
    )
    SELECT sku, units, lines_per_s, units_per_s / lines_per_s AS units_per_line, spike,
           coalesce(v.tier = 'A', false) AS best
    FROM faced LEFT JOIN velocity_tier AS v USING (sku)
    WHERE lines_per_s > 0
      AND (spike OR units_per_s * :horizon_s > units
           OR units * lines_per_s / units_per_s <= {_FEW}
              AND lines_per_s * :window_s
                  > (CASE WHEN v.tier = 'A' THEN CAST(:few_of_best AS float8[]) ELSE CAST(:few AS float8[]) END)
                    [greatest(1, ceil(units * lines_per_s / units_per_s))::integer])
    ORDER BY units / units_per_s, sku LIMIT :at_most
""")  # noqa: S608 -- composed of constants


def outlooks(
    connection: Connection, channel: str, now: datetime, window_s: float
) -> dict[str, Outlook]:
    """SKUs of a channel that may sell out before the next windows, each as its scarcest place stands."""
    values = {
        "channel": channel,
        "now": now,
        "window_s": window_s,
        "horizon_s": WINDOWS_OF_COVER * window_s,
        "few": [sold_by(lines) for lines in range(1, _FEW + 1)],
        "few_of_best": [sold_by(lines, EPS_OF_BEST) for lines in range(1, _FEW + 1)],
        "at_most": 2 * AT_MOST,
    }
    found: dict[str, Outlook] = {}
    for row in connection.execute(OUTLOOKS, values):
        eps = EPS_OF_BEST if row.best else EPS
        last_s = runs_out_s(row.units, row.lines_per_s, row.units_per_line, eps)
        cover_s = row.units / (row.lines_per_s * row.units_per_line)
        other = found.get(row.sku)
        found[row.sku] = Outlook(
            row.sku,
            min(last_s, other.runs_out_s if other else last_s),
            min(cover_s, other.cover_s if other else cover_s),
            row.spike or bool(other and other.spike),
        )
    return found


_CLAIM_PLAN = text("""
    WITH before AS (SELECT planned_at FROM early_plan WHERE channel = :channel)
    INSERT INTO early_plan AS p (channel, planned_at) VALUES (:channel, :now)
    ON CONFLICT (channel) DO UPDATE SET planned_at = excluded.planned_at WHERE p.planned_at <= :before
    RETURNING (SELECT planned_at FROM before) AS planned_at
""")
# Of a SKU that is divided into quotas, also where nothing is left for this channel: what it sold a moment ago without
# our hearing of it is on display elsewhere until its orders are heard.
_HEARS = text("""
    SELECT EXISTS (SELECT FROM channel c
                   WHERE c.channel = :channel AND c.kind = ANY(CAST(:plain AS text[]))
                     AND (CAST(:sells_out AS boolean)
                          OR EXISTS (SELECT FROM exposure e JOIN pace p USING (sku)
                                     WHERE e.scarce <> '{}' AND p.channel = c.channel
                                       AND p.at > coalesce(c.orders_mark, CAST(:before AS timestamptz)))))
""")
_PLANNED = text(
    "SELECT sku, runs_out_s, every_s, spike, calm FROM early_read WHERE channel = :channel ORDER BY sku"
)
_KEEP = text("""
    INSERT INTO early_read AS e (channel, sku, runs_out_s, every_s, spike, calm, due_at)
    SELECT :channel, sku, runs_out_s, every_s, spike, calm, CAST(:now AS timestamptz) + make_interval(secs => every_s)
    FROM unnest(CAST(:skus AS text[]), CAST(:runs_out AS float8[]), CAST(:every AS float8[]),
                CAST(:spikes AS boolean[]), CAST(:calm AS integer[])) AS given (sku, runs_out_s, every_s, spike, calm)
    ORDER BY sku
    ON CONFLICT (channel, sku) DO UPDATE SET
        runs_out_s = excluded.runs_out_s, every_s = excluded.every_s, spike = excluded.spike, calm = excluded.calm,
        due_at = least(e.due_at, coalesce(e.read_at, CAST(:now AS timestamptz))
                                 + make_interval(secs => excluded.every_s))
""")
_LEAVE = text(
    "DELETE FROM early_read WHERE channel = :channel AND NOT (sku = ANY(CAST(:skus AS text[])))"
)


def begin_plan(connection: Connection, channel: str, now: datetime) -> tuple[bool, datetime | None]:
    """Whether it is time to plan a channel anew, for this caller alone, and when that was done before."""
    values = {"channel": channel, "now": now, "before": now - PLAN_EVERY}
    row = connection.execute(_CLAIM_PLAN, values).one_or_none()
    return (False, None) if row is None else (True, row.planned_at)


def wants_orders(
    connection: Connection, channel: str, *, sells_out: bool, before: datetime
) -> bool:
    """Whether a sale that nobody told of could be sold once more before its window's orders are heard.

    A vendor that compares before it sets lets us find such a sale; where it does not, our next number writes over it.

    sells_out    a SKU that the channel shows sells out before its window
    before       when its orders were heard last at the latest, where nothing says so
    """
    values = {"channel": channel, "plain": sorted(PLAIN), "sells_out": sells_out, "before": before}
    return bool(connection.execute(_HEARS, values).scalar_one())


def standing(connection: Connection, channel: str) -> dict[str, Early]:
    """How the SKUs of a channel are read early by now."""
    rows = connection.execute(_PLANNED, {"channel": channel})
    return {row.sku: Early(*row) for row in rows}


def keep_plan(connection: Connection, channel: str, plan: Sequence[Early], now: datetime) -> None:
    """Read exactly these early from now on."""
    connection.execute(_LEAVE, {"channel": channel, "skus": [early.sku for early in plan]})
    if plan:
        connection.execute(
            _KEEP,
            {
                "channel": channel,
                "now": now,
                "skus": [early.sku for early in plan],
                "runs_out": [early.runs_out_s for early in plan],
                "every": [early.every_s for early in plan],
                "spikes": [early.spike for early in plan],
                "calm": [early.calm for early in plan],
            },
        )


# The shortest time first, whoever waits longest: after an outage that is the order of risk.
TAKE = text("""
    WITH taken AS MATERIALIZED (
        SELECT channel, sku FROM early_read
        WHERE channel = :channel AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
        ORDER BY runs_out_s, sku LIMIT :at_most
        FOR UPDATE SKIP LOCKED
    )
    UPDATE early_read AS e SET leased_until = :until FROM taken
    WHERE e.channel = taken.channel AND e.sku = taken.sku
    RETURNING e.sku, e.every_s, e.runs_out_s
""")
_DONE = text("""
    UPDATE early_read AS e SET
        leased_until = NULL, read_at = :now, due_at = CAST(:now AS timestamptz) + make_interval(secs => given.every_s),
        every_s = given.every_s, reads = reads + 1, drifts = drifts + given.drifted::integer
    FROM unnest(CAST(:skus AS text[]), CAST(:every AS float8[]), CAST(:drifted AS boolean[]))
         AS given (sku, every_s, drifted)
    WHERE e.channel = :channel AND e.sku = given.sku
""")
_GIVE_BACK = text(
    "UPDATE early_read SET leased_until = NULL WHERE channel = :channel AND sku = ANY(CAST(:skus AS text[]))"
)
_NOT_BEFORE = text("""
    UPDATE early_plan SET not_before = CAST(:until AS timestamptz),
        failures = CASE WHEN CAST(:until AS timestamptz) IS NULL THEN 0 ELSE failures + 1 END
    WHERE channel = :channel AND (failures > 0 OR CAST(:until AS timestamptz) IS NOT NULL)
""")
_FAILURES = text("SELECT failures FROM early_plan WHERE channel = :channel")
_CHANNELS = text("""
    SELECT c.channel FROM channel AS c LEFT JOIN early_plan AS p USING (channel)
    WHERE c.writes AND NOT c.paused
      AND (p.channel IS NULL OR p.planned_at <= :plan_before
           OR (p.not_before IS NULL OR p.not_before <= :now)
              AND (c.next_call_at IS NULL OR c.next_call_at <= :now)
              AND EXISTS (SELECT FROM early_read AS e WHERE e.channel = c.channel AND e.due_at <= :now
                          AND (e.leased_until IS NULL OR e.leased_until <= :now)
                          AND (e.due_at <= :late OR NOT EXISTS (
                               SELECT FROM push_due AS d
                               WHERE d.channel = c.channel AND NOT d.parked AND d.run_at <= :now
                                 AND (d.leased_until IS NULL OR d.leased_until <= :now)))))
    ORDER BY c.channel
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """A SKU to be read now."""

    sku: str
    every_s: float
    runs_out_s: float


def take(
    connection: Connection, channel: str, now: datetime, lease_s: float, at_most: int
) -> list[Taken]:
    """SKUs whose early read is due, shortest time first; nobody else gets them for `lease_s`."""
    until = now + timedelta(seconds=lease_s)
    values = {"channel": channel, "now": now, "until": until, "at_most": at_most}
    found = [Taken(*row) for row in connection.execute(TAKE, values)]
    return sorted(found, key=lambda taken: (taken.runs_out_s, taken.sku))


_WITH_TARGET = text("""
SELECT sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack,
       read_only
FROM binding JOIN target USING (channel, sku, location)
WHERE channel = :channel AND sku = ANY(CAST(:skus AS text[])) AND NOT binding.read_only
ORDER BY sku, location
""")


def listings(connection: Connection, channel: str, skus: Sequence[str]) -> list[Binding]:
    """The bindings of these SKUs that have a target, by SKU and location."""
    rows = connection.execute(_WITH_TARGET, {"channel": channel, "skus": list(skus)})
    return [Binding(channel, *row) for row in rows]


def done(
    connection: Connection, channel: str, read: Mapping[str, tuple[float, bool]], now: datetime
) -> None:
    """These are read: SKU -> (seconds to the next, whether a drift was found)."""
    if read:
        skus = sorted(read)
        values = {
            "every": [read[sku][0] for sku in skus],
            "drifted": [read[sku][1] for sku in skus],
        }
        connection.execute(_DONE, {"channel": channel, "now": now, "skus": skus} | values)


def give_back(connection: Connection, channel: str, skus: Sequence[str]) -> None:
    """These were not read: they are due as before."""
    connection.execute(_GIVE_BACK, {"channel": channel, "skus": list(skus)})


def failures(connection: Connection, channel: str) -> int:
    """How often in a row the channel did not answer."""
    return connection.execute(_FAILURES, {"channel": channel}).scalar_one_or_none() or 0


def not_before(connection: Connection, channel: str, until: datetime | None) -> None:
    """The channel did not answer: no early read of it before; None: it answers."""
    connection.execute(_NOT_BEFORE, {"channel": channel, "until": until})


def channels(connection: Connection, now: datetime) -> list[str]:
    """Channels to be planned anew, or with early reads due. Numbers that wait to be pushed go before reads."""
    values = {"now": now, "plan_before": now - PLAN_EVERY, "late": now - YIELDS_FOR}
    return list(connection.execute(_CHANNELS, values).scalars())
