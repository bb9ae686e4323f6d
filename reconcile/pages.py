"""Readings against targets in PostgreSQL, a page of SKUs at a time: only places that may differ come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from allocation import missing
from channels.base import Binding, Reading
from reconcile.causes_pushes import PUSHES_SEEN
from reconcile.deliveries import may_explain, tail, values
from reconcile.types import (
    Case,
    LastShown,
    Observation,
    OpenDrift,
    SentPush,
    Target,
    Waiting,
)


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What is known of a channel when its run begins."""

    paused: bool
    writes: bool
    throttled_until: datetime | None
    orders_mark: datetime | None
    back_at: datetime | None = None


_CHANNEL = text(
    "SELECT paused, writes, next_call_at, orders_mark, back_at FROM channel WHERE channel = :channel"
)


def channel_state(connection: Connection, channel: str) -> ChannelState | None:
    """The channel's own row; None when there is no such channel."""
    row = connection.execute(_CHANNEL, {"channel": channel}).one_or_none()
    return None if row is None else ChannelState(*row)


_CHANNELS = text("SELECT channel FROM channel ORDER BY channel")
# Before its certificate nothing was sent to a channel, so that everything there differs.
_WRITTEN = text("SELECT channel FROM channel WHERE writes ORDER BY channel")


def channel_names(connection: Connection) -> list[str]:
    """Every channel of the house."""
    return list(connection.execute(_CHANNELS).scalars())


def written_channels(connection: Connection) -> list[str]:
    """The channels that are sent their numbers."""
    return list(connection.execute(_WRITTEN).scalars())


# A page is cut between SKUs, never inside one: the locations of a SKU are judged together. What a channel holds itself
# is told with a lag of its own and compared by `workers.flows.mirror`.
_BINDINGS = text("""
SELECT sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack,
       read_only
FROM binding JOIN target USING (channel, sku, location)
WHERE channel = :channel AND NOT binding.read_only AND sku > :after AND sku <= (
    SELECT max(sku) FROM (
        SELECT DISTINCT sku FROM binding WHERE channel = :channel AND sku > :after ORDER BY sku LIMIT :skus
    ) AS page)
ORDER BY sku, location
""")
_LAST_SKU = text("""
SELECT max(sku) FROM (
    SELECT DISTINCT sku FROM binding WHERE channel = :channel AND sku > :after ORDER BY sku LIMIT :skus
) AS page
""")


def page_of_bindings(
    connection: Connection, channel: str, after: str, skus: int
) -> tuple[list[Binding], str | None]:
    """The next bindings that have a target, of at most `skus` SKUs.

    after      the SKU where the page before ended, empty at the start
    returns    (bindings by SKU and location, last SKU of the page); (.., None) after the last page
    """
    place = {"channel": channel, "after": after, "skus": skus}
    last: str | None = connection.execute(_LAST_SKU, place).scalar_one()
    if last is None:
        return [], None
    rows = connection.execute(_BINDINGS, place)
    return [Binding(channel, *row) for row in rows], last


_BINDINGS_OF = text("""
SELECT sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack,
       read_only
FROM binding WHERE channel = :channel AND sku = :sku ORDER BY location
""")


def bindings_of(connection: Connection, channel: str, sku: str) -> list[Binding]:
    """Every binding of one SKU on one channel."""
    rows = connection.execute(_BINDINGS_OF, {"channel": channel, "sku": sku})
    return [Binding(channel, *row) for row in rows]


# Equality is decided here, for the many; the mind judges the few. Both say: below zero sells as little as zero.
_DIFFERENT = text("""
SELECT seen.sku, seen.location, seen.units, seen.updated_at, seen.observed_at, seen.unseen,
       target.units AS target_units, target.number AS target_number, target.set_at,
       location.kind = 'mirror' AS mirror,
       due.since AS recompute_since,
       shown.units AS shown_units, shown.number AS shown_number, shown.confirmed_at,
       push_due.since AS due_since, push_due.run_at, push_due.attempts, push_due.parked, push_due.error,
       halt.state AS halt_state, halt.id AS halt_id,
       drift.id AS drift_id, drift.expected AS drift_expected, drift.actual AS drift_actual, drift.times,
       drift.window_at
FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
            CAST(:updated AS timestamptz[]), CAST(:observed AS timestamptz[]), CAST(:unseen AS bigint[]))
     AS seen (sku, location, units, updated_at, observed_at, unseen)
JOIN target ON target.channel = :channel AND target.sku = seen.sku AND target.location = seen.location
JOIN location ON location.location = seen.location
LEFT JOIN due ON due.sku = seen.sku
LEFT JOIN shown ON shown.channel = :channel AND shown.sku = seen.sku AND shown.location = seen.location
LEFT JOIN push_due
       ON push_due.channel = :channel AND push_due.sku = seen.sku AND push_due.location = seen.location
LEFT JOIN halt ON halt.channel = :channel AND halt.sku = seen.sku AND halt.state <> 'lifted'
LEFT JOIN drift ON drift.channel = :channel AND drift.sku = seen.sku AND drift.location = seen.location
      AND drift.resolved_at IS NULL
WHERE seen.units IS NOT NULL
  AND (drift.id IS NOT NULL
       OR greatest(seen.units, 0)
          <> CASE WHEN halt.id IS NULL THEN greatest(target.units - seen.unseen, 0) ELSE 0 END)
ORDER BY seen.sku, seen.location
""")


def cases(
    connection: Connection,
    channel: str,
    readings: Sequence[Reading],
    *,
    state: ChannelState,
    unseen: Mapping[tuple[str, str], int],
) -> list[Case]:
    """The places of these readings that differ from their target or have an open drift.

    readings    one per (SKU, location)
    unseen      channel orders not in the ledger yet, in units per (SKU, location); absent is 0
    """
    rows = connection.execute(
        _DIFFERENT,
        {
            "channel": channel,
            "skus": [r.binding.sku for r in readings],
            "locations": [r.binding.location for r in readings],
            "units": [r.units for r in readings],
            "updated": [r.updated_at for r in readings],
            "observed": [r.observed_at for r in readings],
            "unseen": [unseen.get((r.binding.sku, r.binding.location), 0) for r in readings],
        },
    ).fetchall()
    pushes = _last_pushes(connection, channel, [(row.sku, row.location) for row in rows])
    return [_case(row, state, pushes.get((row.sku, row.location), [])) for row in rows]


_PUSHES = text("""
SELECT place.sku, place.location, push.id, push.units, push.number, push.expected, push.sent_at, push.answered_at,
       push.outcome, push.detail, push.seen_at
FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS place (sku, location)
CROSS JOIN LATERAL (
    SELECT id, units, number, expected, sent_at, answered_at, outcome, detail, seen_at FROM push
    WHERE push.channel = :channel AND push.sku = place.sku AND push.location = place.location
    ORDER BY id DESC LIMIT :seen
) AS push
ORDER BY place.sku, place.location, push.id DESC
""")


def _last_pushes(
    connection: Connection, channel: str, places: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[SentPush]]:
    found: dict[tuple[str, str], list[SentPush]] = {}
    if not places:
        return found
    wanted = {
        "channel": channel,
        "seen": PUSHES_SEEN,
        "skus": [sku for sku, _ in places],
        "locations": [location for _, location in places],
    }
    for sku, location, *push in connection.execute(_PUSHES, wanted):
        found.setdefault((sku, location), []).append(SentPush(*push))
    return found


def _case(row: Row[Any], state: ChannelState, pushes: Sequence[SentPush]) -> Case:
    return Case(
        sku=row.sku,
        location=row.location,
        target=Target(row.target_units, row.target_number, row.set_at),
        reading=Observation(row.units, row.updated_at, row.observed_at),
        mirror=row.mirror,
        unseen_units=row.unseen,
        recompute_since=row.recompute_since,
        throttled_until=state.throttled_until,
        back_at=state.back_at,
        orders_mark=state.orders_mark,
        shown=None
        if row.shown_number is None
        else LastShown(row.shown_units, row.shown_number, row.confirmed_at),
        waiting=None
        if row.due_since is None
        else Waiting(row.due_since, row.run_at, row.attempts, row.parked, row.error),
        pushes=tuple(pushes),
        halt_state=row.halt_state,
        halt_id=row.halt_id,
        open_drift=None
        if row.drift_id is None
        else OpenDrift(
            row.drift_id, row.drift_expected, row.drift_actual, row.times, row.window_at
        ),
    )


_TARGETS = text("""
SELECT sku, location, units FROM target
WHERE channel = :channel AND sku = ANY(CAST(:skus AS text[])) ORDER BY sku, location
""")


def siblings(
    connection: Connection,
    channel: str,
    skus: Sequence[str],
    readings: Mapping[tuple[str, str], Reading],
) -> dict[str, dict[str, tuple[int, int | None]]]:
    """Per SKU, (target, shown) of each of its locations; shown is None where this page did not read it."""
    found: dict[str, dict[str, tuple[int, int | None]]] = {}
    rows = connection.execute(_TARGETS, {"channel": channel, "skus": sorted(set(skus))})
    for sku, location, units in rows:
        reading = readings.get((sku, location))
        found.setdefault(sku, {})[location] = (units, reading.units if reading else None)
    return found


# A whole catalogue read four times an hour must not rewrite its table: a row is touched when the number is news,
# when a push came between, or once an hour. Rows are taken in one order, so that two writers cannot cross.
_NOTE = text("""
INSERT INTO shown (channel, sku, location, read_units, read_at)
SELECT :channel, seen.sku, seen.location, seen.units, seen.observed_at
FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
            CAST(:observed AS timestamptz[])) AS seen (sku, location, units, observed_at)
JOIN target ON target.channel = :channel AND target.sku = seen.sku AND target.location = seen.location
LEFT JOIN shown ON shown.channel = :channel AND shown.sku = seen.sku AND shown.location = seen.location
WHERE seen.units IS NOT NULL AND (shown.confirmed_at IS NULL OR shown.confirmed_at <= seen.observed_at)
  AND (shown.read_at IS NULL
       OR (shown.read_at < seen.observed_at
           AND (shown.read_units IS DISTINCT FROM seen.units
                OR shown.read_at < shown.confirmed_at
                OR shown.read_at < seen.observed_at - interval '1 hour')))
ORDER BY seen.sku, seen.location
ON CONFLICT (channel, sku, location) DO UPDATE
SET read_units = excluded.read_units, read_at = excluded.read_at
WHERE (shown.read_at IS NULL OR shown.read_at < excluded.read_at)
  AND (shown.confirmed_at IS NULL OR shown.confirmed_at <= excluded.read_at)
""")


def note_readings(connection: Connection, channel: str, readings: Sequence[Reading]) -> int:
    """Keep what was read as the newest known number of each place; returns the rows written.

    A push that compares before it sets takes its `expected` from here.
    """
    skus = [r.binding.sku for r in readings]
    locations = [r.binding.location for r in readings]
    units, observed = [r.units for r in readings], [r.observed_at for r in readings]
    missing.fear(connection, channel, skus, locations, units, observed, answered=False)
    return connection.execute(
        _NOTE,
        {
            "channel": channel,
            "skus": skus,
            "locations": locations,
            "units": units,
            "observed": observed,
        },
    ).rowcount


# A row that is already due keeps its age, its back-off and its lease; a parked one waits for a person.
_REPUSH = text("""
INSERT INTO push_due (channel, sku, location, priority, since, run_at)
SELECT :channel, sku, location, priority, :now, run_at
FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:priorities AS smallint[]),
            CAST(:run_at AS timestamptz[])) AS wanted (sku, location, priority, run_at)
WHERE NOT EXISTS (SELECT FROM binding
                  WHERE channel = :channel AND binding.sku = wanted.sku AND binding.location = wanted.location
                    AND binding.read_only)
ORDER BY sku, location
ON CONFLICT (channel, sku, location) DO UPDATE SET priority = excluded.priority
WHERE push_due.priority > excluded.priority AND NOT push_due.parked
""")


@dataclass(frozen=True, slots=True)
class Repush:
    """A target to be pushed again.

    priority    0 stock-out, 1 decrease, 3 rise: it waits for the deliveries that came before `run_at`
    run_at      not before
    """

    sku: str
    location: str
    priority: int
    run_at: datetime


def repush(connection: Connection, channel: str, wanted: Sequence[Repush], now: datetime) -> None:
    """Mark targets to be pushed again."""
    if not wanted:
        return
    connection.execute(
        _REPUSH,
        {
            "channel": channel,
            "now": now,
            "skus": [row.sku for row in wanted],
            "locations": [row.location for row in wanted],
            "priorities": [row.priority for row in wanted],
            "run_at": [row.run_at for row in wanted],
        },
    )


_DELIVERIES = text("""
SELECT body FROM inbox
WHERE source = :channel AND state IN ('pending', 'waiting') AND received_at > :since
  AND headers ->> 'road' IS DISTINCT FROM 'poll'
ORDER BY id LIMIT :at_most
""")
_NAMED = text("""
SELECT DISTINCT sku, item_id, variant_id FROM binding
WHERE channel = :channel
  AND (sku = ANY(CAST(:names AS text[])) OR item_id = ANY(CAST(:items AS text[]))
       OR variant_id = ANY(CAST(:variants AS text[])))
ORDER BY sku, item_id, variant_id
""")


def explained_by_deliveries(
    connection: Connection,
    channel: str,
    like: Binding,
    now: datetime,
    grace: timedelta,
    at_most: int = 2000,
) -> tuple[frozenset[str], bool]:
    """SKUs that deliveries of the channel speak of which are kept but not applied, none older than `grace`.

    like       any binding of the channel: how its ids are written
    at_most    deliveries that are read; with more waiting, any SKU may be among them
    returns    (SKUs named, True when any SKU may be meant)
    """
    values_in = {"channel": channel, "since": now - grace, "at_most": at_most + 1}
    bodies = list(connection.execute(_DELIVERIES, values_in).scalars())
    if len(bodies) > at_most:
        return frozenset(), True
    contents = [values(body) for body in bodies]
    seen = sorted({value for content in contents for value in content})
    if not seen:
        return frozenset(), bool(contents)
    # The vendor's bare ids as our bindings write them, so that the indexes of the bindings serve.
    item, variant = like.item_id, like.variant_id
    item_head, variant_head = (
        item[: len(item) - len(tail(item))],
        variant[: len(variant) - len(tail(variant))],
    )
    rows = connection.execute(
        _NAMED,
        {
            "channel": channel,
            "names": seen,
            "items": [item_head + value for value in seen],
            "variants": [variant_head + value for value in seen if value],
        },
    )
    names: dict[str, str] = {}
    for sku, item_id, variant_id in rows:
        names |= {tail(name): sku for name in (sku, item_id, variant_id) if name}
    return may_explain(contents, names)
