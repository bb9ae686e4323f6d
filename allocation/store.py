"""Rules and targets in PostgreSQL: which version is in force, which SKUs are due, what each channel should show.

Locks are taken in one order everywhere: due SKUs (skipping locked ones), targets, rows of the push queue, what is
shown; each sorted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import orjson
from sqlalchemy import Connection, text

from allocation.document import Document, read_stored
from allocation.holding import hold
from allocation.rules import turns
from allocation.sql import PRIORITY, SEEN
from allocation.target_history import Basis, terms_of
from allocation.types import Lag, Rules, Target
from ledger.db import fetch, send

_RULE_SET = text("""
    INSERT INTO rule_set (source, document, author, reason, applied_at)
    VALUES (:source, CAST(:document AS jsonb), :author, :reason, :now)
    RETURNING version
""")

_LOCATIONS = text("""
    INSERT INTO location (location, title, kind)
    SELECT location, title, kind
    FROM unnest(CAST(:locations AS text[]), CAST(:titles AS text[]), CAST(:kinds AS text[]))
         AS given (location, title, kind)
    ORDER BY location
    ON CONFLICT (location) DO UPDATE SET title = excluded.title, kind = excluded.kind
""")

_CHANNELS = text("""
    INSERT INTO channel (channel, kind, base_url, account, options)
    SELECT channel, kind, base_url, account, options
    FROM unnest(CAST(:channels AS text[]), CAST(:kinds AS text[]), CAST(:urls AS text[]), CAST(:accounts AS text[]),
                CAST(:options AS jsonb[])) AS given (channel, kind, base_url, account, options)
    ORDER BY channel
    ON CONFLICT (channel) DO UPDATE SET
        kind = excluded.kind, base_url = excluded.base_url, account = excluded.account, options = excluded.options
""")

_FORGET_LOCATIONS = text(
    "DELETE FROM channel_location WHERE channel = ANY(CAST(:channels AS text[]))"
)

_CHANNEL_LOCATIONS = text("""
    INSERT INTO channel_location (channel, vendor_location_id, location)
    SELECT channel, vendor_location_id, location
    FROM unnest(CAST(:channels AS text[]), CAST(:vendor_ids AS text[]), CAST(:locations AS text[]))
         AS given (channel, vendor_location_id, location)
    ORDER BY channel, vendor_location_id
""")

# A SKU being claimed by an allocator that still computes with the older rules is waited for, then marked again.
_ALL_DUE = text("""
    INSERT INTO due (sku, since)
    SELECT sku, :now FROM sku ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = least(due.since, excluded.since)
""")

# A million SKUs take longer than any other statement may.
_TAKE_TIME = text("SET LOCAL statement_timeout = '10min'")

_NO_TURNS = text("DELETE FROM rule_turn")

_TURNS = text("""
    INSERT INTO rule_turn (at, version) SELECT at, :version FROM unnest(CAST(:at AS timestamptz[])) AS given (at)
""")

_TURNED = text("DELETE FROM rule_turn WHERE at <= :now RETURNING at")

_CURRENT = text("SELECT version, source FROM rule_set ORDER BY version DESC LIMIT 1")

# What is computed can be computed again: a crash takes the targets back together with their SKUs being no longer due.
# Nobody sends them before their push is claimed, in a transaction that is on disk with all that came before it.
_STANDING = text("""
    SELECT version, source,
           CASE WHEN CAST(:computing AS boolean) THEN set_config('synchronous_commit', 'off', true) END AS commits,
           (SELECT json_object_agg(channel, json_build_array(in_use_hear_s, in_use_show_s)) FROM lag
            WHERE in_use_hear_s IS NOT NULL AND in_use_show_s IS NOT NULL) AS lags
    FROM rule_set ORDER BY version DESC LIMIT 1
""")

_HISTORY = text("""
    SELECT version, author, reason, applied_at FROM rule_set ORDER BY version DESC LIMIT :limit
""")

_SOURCE = text("SELECT source FROM rule_set WHERE version = :version")

# Who writes the ledger upserts `due` with DO UPDATE in its own transaction, so that the row is locked until the new
# balances can be seen. Skipping locked rows therefore never takes a SKU whose change is not visible yet, and what is
# read in a later statement of this transaction includes the change that made the SKU due.
_CLAIM_DUE = text("""
    WITH picked AS MATERIALIZED (
        SELECT sku FROM due WHERE EXISTS (SELECT FROM rule_set) ORDER BY since FOR UPDATE SKIP LOCKED LIMIT :limit
    )
    DELETE FROM due USING picked WHERE due.sku = picked.sku
    RETURNING due.sku
""")

# A target that changed, what it was computed from, and its row of the push queue, in one statement: every order of the
# house comes this way. Nothing is pushed to who holds the stock himself: he says what there is. A lease and its key
# stay: that push is on its way, and the row goes out again once it is answered.
_TARGETS = text(f"""
    WITH given AS MATERIALIZED (
        SELECT channel, sku, location, units, terms
        FROM ROWS FROM (
            unnest((SELECT CAST(:channels AS text[]))), unnest((SELECT CAST(:skus AS text[]))),
            unnest((SELECT CAST(:locations AS text[]))), unnest((SELECT CAST(:units AS bigint[]))),
            jsonb_array_elements((SELECT CAST(:terms AS jsonb)))
        ) AS given (channel, sku, location, units, terms)
    ), changed AS (
        INSERT INTO target AS t (channel, sku, location, units, number, rule_version, set_at)
        SELECT channel, sku, location, given.units, 1, :rule_version, :now
        FROM given LEFT JOIN target old USING (channel, sku, location)
        WHERE old.units IS DISTINCT FROM given.units
        ORDER BY channel, sku, location
        ON CONFLICT (channel, sku, location) DO UPDATE SET
            units = excluded.units, number = t.number + 1, rule_version = excluded.rule_version,
            set_at = excluded.set_at
            WHERE t.units <> excluded.units
        RETURNING t.channel, t.sku, t.location, t.units, t.number
    ), told AS (
        INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)
        SELECT channel, sku, location, t.number, t.units, :rule_version, :now, given.terms
        FROM changed t JOIN given USING (channel, sku, location)
    ), wanted AS MATERIALIZED (
        SELECT channel, sku, location, {PRIORITY} AS priority, coalesce({SEEN} = t.units, false) AS as_shown
        FROM changed t
        JOIN binding b USING (channel, sku, location)
        LEFT JOIN shown s USING (channel, sku, location)
        WHERE NOT b.read_only
    ), put AS (
        INSERT INTO push_due AS d (channel, sku, location, priority, since, run_at)
        SELECT channel, sku, location, priority, :now,
               CASE WHEN priority = 3 THEN CAST(:rise_run_at AS timestamptz) ELSE :now END
        FROM wanted
        ORDER BY channel, sku, location
        ON CONFLICT (channel, sku, location) DO UPDATE SET
            priority = excluded.priority, run_at = excluded.run_at,
            since = CASE WHEN d.parked THEN excluded.since ELSE least(d.since, excluded.since) END,
            attempts = 0, parked = false, error = NULL
    )
    SELECT channel, sku, location, coalesce(wanted.as_shown, false) AS as_shown
    FROM changed LEFT JOIN wanted USING (channel, sku, location)
    ORDER BY channel, sku, location
""")  # noqa: S608 -- composed of constants

# What the channel shows already, as far as we know, needs no push: it was read, or its own sale took it there. That is
# read back soon, and what has sold out goes off sale then. A row that has been sent keeps its key until the answer is
# known.
_AS_SHOWN = text(f"""
    WITH gone AS (
        DELETE FROM push_due d
        USING unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
              AS changed (channel, sku, location), target t, shown s
        WHERE d.channel = changed.channel AND d.sku = changed.sku AND d.location = changed.location
          AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location
          AND s.channel = d.channel AND s.sku = d.sku AND s.location = d.location
          AND d.push_key IS NULL AND {SEEN} = t.units
        RETURNING d.channel, d.sku, d.location, t.units, t.number
    )
    UPDATE shown AS s SET units = gone.units, number = gone.number,
        verify_at = coalesce(s.verify_at, :now)
    FROM gone
    WHERE s.channel = gone.channel AND s.sku = gone.sku AND s.location = gone.location
""")  # noqa: S608 -- composed of constants

_UNREACHABLE = text("""
    DELETE FROM push_due d
    USING unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
          AS lost (channel, sku, location)
    WHERE d.channel = lost.channel AND d.sku = lost.sku AND d.location = lost.location
      AND NOT EXISTS (SELECT FROM binding b
                      WHERE b.channel = d.channel AND b.sku = d.sku AND b.location = d.location)
""")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the rules; the newest is in force."""

    version: int
    author: str
    reason: str
    applied_at: datetime


class NoSuchVersion(LookupError):
    """A version of the rules that was never applied; `history` lists those that were."""


def apply_rules(
    connection: Connection,
    source: str,
    document: Document,
    author: str,
    reason: str,
    now: datetime,
) -> int:
    """Put a rule file in force: its locations and channels are written, and every SKU becomes due.

    source      the text of the file, kept as it is; `document` is what `allocation.document.read` made of it
    returns     the version's number
    """
    version: int = connection.execute(
        _RULE_SET,
        {
            "source": source,
            "document": document.model_dump_json(exclude_defaults=True),
            "author": author,
            "reason": reason,
            "now": now,
        },
    ).scalar_one()
    rules = document.rules()
    _wait_for_turns(connection, version, rules, now)
    # Who writes the book holds what is due when it comes to a channel: so it is here.
    _make_all_due(connection, now)
    _write_channels(connection, rules)
    return version


def turn(connection: Connection, now: datetime) -> bool:
    """Make every SKU due when a season of the rules has begun or ended since somebody last asked."""
    if turned := bool(connection.execute(_TURNED, {"now": now}).all()):
        _make_all_due(connection, now)
    return turned


def turn_again(connection: Connection, now: datetime) -> None:
    """Make every SKU due, and wait again for the seasons that begin or end from now on: the clock was set back."""
    _wait_for_turns(connection, *current_rules(connection), now)
    _make_all_due(connection, now)


def _wait_for_turns(connection: Connection, version: int, rules: Rules, now: datetime) -> None:
    connection.execute(_NO_TURNS)
    coming = {"version": version, "at": [at for at in turns(rules) if at > now]}
    connection.execute(_TURNS, coming)


def _make_all_due(connection: Connection, now: datetime) -> None:
    connection.execute(_TAKE_TIME)
    connection.execute(_ALL_DUE, {"now": now})


def _write_channels(connection: Connection, rules: Rules) -> None:
    locations, channels = list(rules.locations.values()), rules.channels
    names = [channel.name for channel in channels]
    connection.execute(
        _LOCATIONS,
        {
            "locations": [location.name for location in locations],
            "titles": [location.title for location in locations],
            "kinds": [location.kind for location in locations],
        },
    )
    connection.execute(
        _CHANNELS,
        {
            "channels": names,
            "kinds": [channel.kind for channel in channels],
            "urls": [channel.base_url for channel in channels],
            "accounts": [channel.account for channel in channels],
            "options": [
                json.dumps(
                    {
                        **channel.options,
                        "show": channel.show.value,
                        "hide_at_zero": channel.hide_at_zero,
                        # Where an order is served that names no location of its own.
                        "default_location": channel.show_at or channel.locations[0],
                    }
                )
                for channel in channels
            ],
        },
    )
    pairs = [
        (channel.name, vendor_id, location)
        for channel in channels
        for vendor_id, location in channel.vendor_locations.items()
    ]
    connection.execute(_FORGET_LOCATIONS, {"channels": names})
    connection.execute(
        _CHANNEL_LOCATIONS,
        {
            "channels": [channel for channel, _, _ in pairs],
            "vendor_ids": [vendor_id for _, vendor_id, _ in pairs],
            "locations": [location for _, _, location in pairs],
        },
    )


def current_rules(connection: Connection) -> tuple[int, Rules]:
    """The version in force and its rules; (0, no rules) before any was applied."""
    for row in fetch(connection, _CURRENT, {}):
        return row.version, _rules(row.source)
    return 0, Rules()


def standing(
    connection: Connection, *, computing: bool = False
) -> tuple[int, Rules, dict[str, Lag]]:
    """What stands for all SKUs: the version in force, its rules, and the lags of buffers, by channel.

    A channel that was never measured is missing; such a stage counts with its share of the default (`lag_store.known`).

    computing    the transaction writes what is computed and nothing else: its end does not wait for the disk
    """
    for row in fetch(connection, _STANDING, {"computing": computing}):
        late = {channel: Lag(*of) for channel, of in sorted((row.lags or {}).items())}
        return row.version, _rules(row.source), late
    return 0, Rules(), {}


@lru_cache(maxsize=8)
def _rules(source: str) -> Rules:
    return read_stored(source).rules()


def history(connection: Connection, limit: int = 50) -> list[Version]:
    """The versions applied, newest first."""
    rows = connection.execute(_HISTORY, {"limit": limit})
    return [Version(row.version, row.author, row.reason, row.applied_at) for row in rows]


def source_of(connection: Connection, version: int) -> str:
    """The text of one version, to apply it again.

    raises    NoSuchVersion
    """
    row = connection.execute(_SOURCE, {"version": version}).one_or_none()
    if row is None:
        raise NoSuchVersion(f"version {version} of the rules was never applied; see the history")
    return str(row.source)


def claim_due(connection: Connection, limit: int) -> list[str]:
    """Take up to `limit` SKUs that are due, those that wait longest first; sorted. None before the first rules.

    Read rules, stock and listings after this, in the same transaction: what is read before may be of yesterday.
    """
    return sorted(row.sku for row in fetch(connection, _CLAIM_DUE, {"limit": limit}))


def save_targets(
    connection: Connection,
    targets: Collection[Target],
    bases: Mapping[str, Basis],
    rule_version: int,
    now: datetime,
    rise_run_at: datetime,
) -> set[str]:
    """Keep the targets that changed, each with a new number and its arithmetic, and put them into the push queue.

    bases          by SKU, what its targets were computed from
    rise_run_at    when an increase may go out; all else may at once
    returns        the channels of those that changed
    """
    if not targets:
        return set()
    ordered = sorted(targets, key=lambda target: (target.channel, target.sku, target.location))
    changed = fetch(
        connection,
        _TARGETS,
        {
            "channels": [target.channel for target in ordered],
            "skus": [target.sku for target in ordered],
            "locations": [target.location for target in ordered],
            "units": [target.units for target in ordered],
            "terms": orjson.dumps([terms_of(t, bases.get(t.sku)) for t in ordered]).decode(),
            "rule_version": rule_version,
            "now": now,
            "rise_run_at": rise_run_at,
        },
    )
    if not changed:
        return set()
    keys = {
        "channels": [row.channel for row in changed],
        "skus": [row.sku for row in changed],
        "locations": [row.location for row in changed],
    }
    if any(row.as_shown for row in changed):
        hold(connection, **keys)
        send(connection, _AS_SHOWN, keys | {"now": now})
    if any(target.rule is None for target in ordered):
        send(connection, _UNREACHABLE, keys)
    return {row.channel for row in changed}
