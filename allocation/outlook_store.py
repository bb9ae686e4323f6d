"""What is known beside the stock of SKUs when their numbers are computed, and what is remembered of them afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, text

from allocation.by_tier import tier_of
from allocation.escrow import Hold
from allocation.exposure import together
from allocation.pace import Sums, look_again_at, pace_of
from allocation.planning.tiers import Tier
from allocation.positions import Position
from allocation.rules import fitting, goes_by_tier, rule_for
from allocation.sql import SEEN, SENT
from allocation.types import Lag, Outlook, Pace, Quota, Rules
from ledger.db import fetch, send

#: What was held is looked at again after this long, should nobody tell that it was let go; and ever more seldom.
HELD_FOR = timedelta(seconds=3)
HELD_AT_MOST = timedelta(minutes=5)

_REMEMBERED = text("""
    WITH given AS MATERIALIZED (
        SELECT sku,
               ARRAY(SELECT listed.channel
                     FROM bundle CROSS JOIN channel c
                     CROSS JOIN LATERAL (
                         SELECT b.channel FROM binding b WHERE b.channel = c.channel AND b.sku = bundle.sku LIMIT 1
                     ) AS listed
                     WHERE bundle.component = given.sku) AS channels
        FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    )
    SELECT given.sku, e.scarce, CASE WHEN e.held THEN e.since END AS held_since, given.channels,
           p.channel, p.location, p.at, p.since, p.fast_lines, p.slow_lines, p.slow_units, p.slow_squares
    FROM given
    LEFT JOIN exposure e USING (sku)
    LEFT JOIN pace p USING (sku)
    ORDER BY given.sku, p.channel, p.location
""")

_SOLD = text("""
    SELECT given.sku, given.channel, given.part,
           coalesce(sum(CASE WHEN p.to_state = 'committed' THEN p.units ELSE -p.units END), 0)::bigint AS units
    FROM json_to_recordset(CAST(:wanted AS json)) AS given (sku text, channel text, since timestamptz, part text)
    JOIN posting p ON p.sku = coalesce(given.part, given.sku) AND p.occurred_at >= given.since
    JOIN event e ON e.id = p.event_id AND e.channel = given.channel
    WHERE (p.from_state, p.to_state) IN (('available', 'committed'), ('committed', 'available'))
      AND (given.part IS NULL OR right(coalesce(e.line_id, e.source_id), length(given.part) + 1) = '#' || given.part)
    GROUP BY given.sku, given.channel, given.part
""")

# A target that waits may be sent before a new one is written; what was sent and not answered may have landed.
_HOLDS = text(f"""
    SELECT t.sku, t.channel, t.location, {SEEN} AS seen, coalesce(s.missing, 0) AS missing,
           t.units AS target, CASE WHEN d.sku IS NULL OR d.parked THEN 0 ELSE t.units END AS queued,
           {SENT} AS sent
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    JOIN target t USING (sku)
    LEFT JOIN shown s USING (channel, sku, location)
    LEFT JOIN push_due d USING (channel, sku, location)
""")  # noqa: S608 -- composed of constants

_BUNDLES = text("""
    SELECT b.component, b.sku, b.units
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (component) JOIN bundle b USING (component)
""")

_TIERS = text("""
    SELECT v.sku, v.tier FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku) JOIN velocity_tier AS v USING (sku)
""")

_REMEMBER = text("""
    INSERT INTO exposure AS e (sku, scarce, held, short, since, look_at)
    SELECT sku, ARRAY(SELECT jsonb_array_elements_text(scarce)), held, short, :now, look_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
         AS given (sku text, scarce jsonb, held boolean, short jsonb, look_at timestamptz)
    ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET
        scarce = excluded.scarce, held = excluded.held, short = excluded.short, look_at = excluded.look_at,
        since = CASE WHEN e.held AND excluded.held OR (e.scarce, e.held, e.short)
                          IS NOT DISTINCT FROM (excluded.scarce, excluded.held, excluded.short)
                     THEN e.since ELSE excluded.since END
        WHERE (e.scarce, e.held, e.short, e.look_at)
              IS DISTINCT FROM (excluded.scarce, excluded.held, excluded.short, excluded.look_at)
""")

_FORGET = text("""
    DELETE FROM exposure WHERE sku IN (
        SELECT sku FROM exposure WHERE sku = ANY(CAST(:skus AS text[])) ORDER BY sku FOR UPDATE)
""")

# The allocator holds a SKU's row of `due` when it writes here; so nobody who makes SKUs due may lock a row of these.
_DUE = """
    INSERT INTO due (sku, since)
    SELECT sku, CAST(:now AS timestamptz) FROM (
        SELECT sku FROM exposure WHERE {which}
        UNION
        SELECT bundle.sku FROM bundle JOIN exposure ON exposure.sku = bundle.component WHERE {which}
    ) AS again (sku)
    ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
    RETURNING sku
"""
_LOOK_AGAIN = text(_DUE.format(which="exposure.look_at <= :now"))
_GIVEN = """(CAST(:skus AS text[]) || ARRAY(
             SELECT parts.component FROM bundle AS parts WHERE parts.sku = ANY(CAST(:skus AS text[]))))"""
_LET_GO = text(_DUE.format(which=f"exposure.held AND exposure.sku = ANY({_GIVEN})"))
_MOVED_DUE = text("""
    INSERT INTO due (sku, since)
    SELECT sku, CAST(:now AS timestamptz) FROM (
        SELECT unnest(CAST(:skus AS text[])) AS sku
        UNION
        SELECT bundle.sku FROM bundle WHERE bundle.component = ANY(CAST(:skus AS text[]))
    ) AS moved
    ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = least(due.since, excluded.since)
""")
_SCARCE_DUE = text(
    _DUE.format(which="exposure.scarce <> '{}' AND exposure.sku = ANY(CAST(:skus AS text[]))")
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a SKU.

    look_at       when it must be computed again although nothing happens; None: never
    remembered    something is remembered of it
    held_since    since when a number of it may not rise
    """

    outlook: Outlook
    look_at: datetime | None = None
    remembered: bool = True
    held_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is to be remembered of a SKU; one with nothing to remember is forgotten.

    held          a number may not rise yet
    short         channel -> units of its floor that are not there
    remembered    something is remembered of it by now
    """

    sku: str
    scarce: frozenset[str]
    held: bool
    short: Mapping[str, int] = field(default_factory=dict)
    look_at: datetime | None = None
    remembered: bool = True

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to remember."""
        return bool(self.scarce or self.held or self.short or self.look_at)


def outlooks(
    connection: Connection,
    positions: Mapping[str, Position],
    rules: Rules,
    lags: Mapping[str, Lag],
    now: datetime,
) -> dict[str, Known]:
    """What is known of each SKU.

    rules    as they are in force now
    lags     by channel
    """
    if not _asks(rules):
        return dict.fromkeys(positions, Known(Outlook()))
    scarce, held, sums, bundled = _remembered(connection, positions)
    paces = {sku: pace_of(of, now) for sku, of in sums.items()}
    sold = _sold(connection, positions, rules)
    tiers = _tiers(connection, positions) if goes_by_tier(rules) else {}
    found = {}
    for sku, position in positions.items():
        outlook = Outlook(
            paces=paces.get(sku, {}),
            lags=lags,
            scarce=scarce.get(sku, frozenset()),
            sold=sold.get(sku, {}),
            rivals=_rivals(position, paces),
            bundled=bundled.get(sku, frozenset()),
            tier=tier_of(sku, position.parts, tiers),
        )
        found[sku] = Known(
            outlook, look_again_at(sums.get(sku, ()), now), sku in scarce, held.get(sku)
        )
        _empty_where_scarce(position, scarce)
    return found


def _remembered(
    connection: Connection, positions: Mapping[str, Position]
) -> tuple[
    dict[str, frozenset[str]],
    dict[str, datetime | None],
    dict[str, list[Sums]],
    dict[str, frozenset[str]],
]:
    """By SKU, these and their parts: scarce zones, since when a rise is held, what is counted of pace, and the channels
    on which a bundle made of it is listed.
    """
    components = {part for position in positions.values() for part in position.parts}
    scarce: dict[str, frozenset[str]] = {}
    held: dict[str, datetime | None] = {}
    sums: dict[str, list[Sums]] = {}
    bundled: dict[str, frozenset[str]] = {}
    for sku, zones, held_since, channels, *pace in fetch(
        connection, _REMEMBERED, {"skus": sorted(components | set(positions))}
    ):
        if zones is not None:
            scarce[sku], held[sku] = frozenset(zones), held_since
        if channels:
            bundled[sku] = frozenset(channels)
        if pace[0] is not None:
            sums.setdefault(sku, []).append(Sums(sku, *pace))
    return scarce, held, sums, bundled


def _asks(rules: Rules) -> bool:
    """Whether these rules need to know more than the stock."""
    counts = rules.exposure.on or rules.safeties or rules.protections or _has_quotas(rules)
    return bool(counts or goes_by_tier(rules))


def _has_quotas(rules: Rules) -> bool:
    return any(said.rule.quota for said in rules.channels) or any(o.quota for o in rules.overrides)


def _tiers(connection: Connection, positions: Mapping[str, Position]) -> dict[str, Tier]:
    """The tiers of these SKUs and their parts that the last forecast found."""
    parts = {part for position in positions.values() for part in position.parts}
    rows = fetch(connection, _TIERS, {"skus": sorted(parts | set(positions))})
    return {row.sku: Tier(row.tier) for row in rows}


def _rivals(
    position: Position, paces: Mapping[str, Mapping[tuple[str, str], Pace]]
) -> dict[str, Pace]:
    """By location, what sells of a bundle's parts, in bundles: it lowers no number of the bundle's own."""
    streams: dict[str, list[Pace]] = {}
    for component, each in position.parts.items():
        for (_, location), pace in paces.get(component, {}).items():
            units, squares = pace.units_per_line / each, pace.square_per_line / each**2
            taken = Pace(pace.lines_per_s, max(1.0, units), max(1.0, squares))
            streams.setdefault(location, []).append(taken)
    return {location: together(of) for location, of in streams.items()}


def _empty_where_scarce(position: Position, scarce: Mapping[str, frozenset[str]]) -> None:
    """Where a part is divided into quotas its bundles get nothing: each unit is one channel's already."""
    for component in position.parts:
        for zone in scarce.get(component, ()):
            for location in zone.split("+"):
                position.stock[location] = min(0, position.stock.get(location, 0))


def _sold(
    connection: Connection, positions: Mapping[str, Position], rules: Rules
) -> dict[str, dict[str, int]]:
    """Units sold since its quota began, by SKU and channel, where there is a quota.

    The book knows a bundle's sales by its parts alone: the part of which the fewest were sold in bundles there says how
    many at most it can have been. Where bundles share all their parts that is too many, and the safe side.
    """
    wanted: list[dict[str, object]] = []
    if not _has_quotas(rules):
        return {}
    for sku, position in positions.items():
        overrides = fitting(rules, sku).overrides
        for channel in rules.channels:
            quota: Quota | None = rule_for(channel.name, channel.rule, overrides).quota
            if quota is not None:
                asked = {"sku": sku, "channel": channel.name, "since": quota.since}
                wanted += [asked | {"part": part} for part in position.parts or (None,)]
    counted: dict[tuple[str, str, str | None], int] = {}
    if wanted:
        for row in fetch(connection, _SOLD, {"wanted": orjson.dumps(wanted).decode()}):
            counted[row.sku, row.channel, row.part] = row.units
    found: dict[str, dict[str, int]] = {}
    for sku, channel_name in {(str(asked["sku"]), str(asked["channel"])) for asked in wanted}:
        by_part = [
            -(-counted.get((sku, channel_name, part), 0) // each)
            for part, each in positions[sku].parts.items()
        ]
        units = by_part or [counted.get((sku, channel_name, None), 0)]
        found.setdefault(sku, {})[channel_name] = min(units)
    return found


def holds(connection: Connection, skus: Collection[str]) -> dict[str, dict[tuple[str, str], Hold]]:
    """By SKU, the most that each (channel, location) may be showing."""
    found: dict[str, dict[tuple[str, str], Hold]] = {}
    for row in fetch(connection, _HOLDS, {"skus": sorted(skus)}):
        # A first number that is on its way is at most what was sent.
        shown = row.sent if row.seen is None else max(row.seen, row.sent or 0)
        held = Hold(shown, row.queued, row.missing, row.target)
        found.setdefault(row.sku, {})[row.channel, row.location] = held
    return found


def bundles_of(connection: Connection, skus: Collection[str]) -> dict[str, dict[str, int]]:
    """By SKU, the bundles made of it, each with the units that one takes."""
    found: dict[str, dict[str, int]] = {}
    for row in fetch(connection, _BUNDLES, {"skus": sorted(skus)}):
        found.setdefault(row.component, {})[row.sku] = row.units
    return found


def remember(connection: Connection, memories: Sequence[Memory], now: datetime) -> None:
    """Keep what the next computation must know; after `due` and before `target` is locked."""
    needed = [memory for memory in memories if memory.is_needed]
    forgotten = [m.sku for m in memories if m.remembered and not m.is_needed]
    if forgotten:
        send(connection, _FORGET, {"skus": sorted(forgotten)})
    if needed:
        rows = [
            {
                "sku": memory.sku,
                "scarce": sorted(memory.scarce),
                "held": memory.held,
                "short": dict(memory.short),
                "look_at": memory.look_at,
            }
            for memory in needed
        ]
        send(connection, _REMEMBER, {"rows": orjson.dumps(rows).decode(), "now": now})


def look_again(connection: Connection, now: datetime) -> bool:
    """Make SKUs due whose numbers change as time passes, with the bundles made of them; whether there are any."""
    return bool(connection.execute(_LOOK_AGAIN, {"now": now}).all())


def look_at_held(since: datetime | None, now: datetime) -> datetime:
    """When a number that is held is computed again: the longer it has been held, the later."""
    held = timedelta() if since is None else now - since
    return now + max(HELD_FOR, min(held / 4, HELD_AT_MOST))


def let_go(connection: Connection, skus: Collection[str], now: datetime) -> bool:
    """Numbers of these SKUs were confirmed or read: whoever waited for that is computed again. Whether anybody did."""
    if not skus:
        return False
    return bool(connection.execute(_LET_GO, {"skus": sorted(skus), "now": now}).all())


def due_by_tier(connection: Connection, rules: Rules, skus: Collection[str], now: datetime) -> None:
    """These SKUs are in another tier: where numbers go by it, they and bundles made of them are computed again."""
    if skus and goes_by_tier(rules):
        connection.execute(_MOVED_DUE, {"skus": sorted(skus), "now": now})


def due_where_scarce(connection: Connection, skus: Collection[str], now: datetime) -> bool:
    """Before readings of these SKUs are booked: where quotas hold, nothing rises before it is computed anew.

    returns    whether a SKU is due by this
    """
    made = connection.execute(_SCARCE_DUE, {"skus": sorted(skus), "now": now})
    return made.first() is not None
