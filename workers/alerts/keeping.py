"""Alarms and incidents in PostgreSQL: what a look found, set-based, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, TextClause, text

from workers.alerts.looks import LOOKS
from workers.alerts.types import Alert, Firing, Limits, Rule, Standing

#: Objects of an incident that are told by name.
SHOWN: Final = 10

_TURN = text("SELECT pg_try_advisory_xact_lock(7305200119)")

_DUE = text("""
    INSERT INTO alert_look AS l (rule, looked_at) VALUES (:rule, :now)
    ON CONFLICT (rule) DO UPDATE SET looked_at = :now WHERE l.looked_at <= :before OR l.looked_at > :now
    RETURNING true
""")

# One statement a rule: raise what fires, keep what is found, let calm down what is not.
_KEEP = """
    WITH found AS MATERIALIZED ({look}
    ), raised AS (
        INSERT INTO alarm (rule, object, channel, severity, since, last_at, detail)
        SELECT :rule, object, channel, severity, :now, :now, detail FROM found
        WHERE fires AND NOT EXISTS (SELECT FROM alarm AS a WHERE a.rule = :rule AND a.object = found.object
                                                           AND a.resolved_at IS NULL)
        ORDER BY object
        ON CONFLICT (rule, object) WHERE resolved_at IS NULL DO NOTHING
        RETURNING object
    ), held AS (
        UPDATE alarm AS a SET last_at = :now, calm_since = NULL, severity = f.severity, detail = f.detail
        FROM found AS f WHERE a.rule = :rule AND a.object = f.object AND a.resolved_at IS NULL
    ), calmed AS (
        UPDATE alarm AS a SET calm_since = coalesce(a.calm_since, :now),
            resolved_at = CASE WHEN coalesce(a.calm_since, :now) <= :calm_before THEN CAST(:now AS timestamptz) END
        WHERE a.rule = :rule AND a.resolved_at IS NULL
          AND NOT EXISTS (SELECT FROM found AS f WHERE f.object = a.object)
    )
    SELECT count(*) FROM raised
"""


def _keeping(look: str) -> TextClause:
    # `:now` alone has no type where it is subtracted from.
    look = look.replace(":now", "CAST(:now AS timestamptz)")
    return text(_KEEP.format(look=look))


_STATEMENTS: Final = {rule: _keeping(look) for rule, look in LOOKS.items()}

# Alarms that somebody else raised say their channel in their own words.
_CHANNEL_OF = """
    coalesce(nullif(a.channel, ''), a.detail ->> 'channel', a.detail ->> 'partner',
             substring(a.object FROM '^channel:(.*)$'), '')
"""

_OPEN = text(f"""
    INSERT INTO incident (rule, channel, severity, since)
    SELECT a.rule, {_CHANNEL_OF}, 'warning', min(a.since) FROM alarm AS a
    WHERE a.incident IS NULL AND a.resolved_at IS NULL
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (rule, channel) WHERE resolved_at IS NULL DO NOTHING
""")  # noqa: S608 -- composed of constants

_JOIN = text(f"""
    UPDATE alarm AS a SET incident = i.id
    FROM incident AS i
    WHERE a.incident IS NULL AND a.resolved_at IS NULL AND i.resolved_at IS NULL
      AND i.rule = a.rule AND i.channel = {_CHANNEL_OF}
""")  # noqa: S608 -- composed of constants

_STANDING = text("""
    SELECT i.id, i.rule, i.channel, i.since, i.revision, i.content, i.acked_by,
           worst.firings, counted.open, counted.ever, counted.impact_units, counted.severity,
           counted.plain, counted.first_at, counted.last_at
    FROM incident AS i
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE a.resolved_at IS NULL) AS open, count(*) AS ever,
               coalesce(sum((a.detail ->> 'impact_units')::numeric) FILTER (WHERE a.resolved_at IS NULL), 0)::bigint
                   AS impact_units,
               coalesce((array_agg(a.severity ORDER BY array_position(
                   ARRAY['critical', 'error', 'warning', 'info'], nullif(a.severity, '')) NULLS LAST)
                   FILTER (WHERE a.resolved_at IS NULL))[1], '') AS severity,
               coalesce(bool_or(a.severity = '') FILTER (WHERE a.resolved_at IS NULL), false) AS plain,
               min(a.since) AS first_at, max(a.last_at) AS last_at
        FROM alarm AS a WHERE a.incident = i.id
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_array(w.object, w.detail) ORDER BY w.rank DESC, w.id), '[]')
               AS firings
        FROM (SELECT a.id, a.object, a.detail,
                     coalesce((a.detail ->> 'rank')::double precision, 0) AS rank
              FROM alarm AS a WHERE a.incident = i.id AND a.resolved_at IS NULL
              ORDER BY rank DESC, a.id LIMIT :shown) AS w
    ) AS worst
    WHERE i.resolved_at IS NULL
    ORDER BY i.id
    FOR UPDATE OF i
""")

_WRITE = text("""
    UPDATE incident SET content = CAST(:content AS jsonb), severity = :severity, revision = revision + 1,
           resolved_at = CAST(:resolved_at AS timestamptz)
    WHERE id = :id RETURNING revision
""")

_TOUCH = text("UPDATE incident SET content = CAST(:content AS jsonb) WHERE id = :id")

_SILENCED = text("""
    SELECT DISTINCT i.id FROM incident AS i JOIN silence AS s ON s.rule = i.rule AND s.channel IN ('', i.channel)
    WHERE i.id = ANY(CAST(:incidents AS bigint[])) AND s.since <= :now AND s.until > :now
""")


def take_turn(connection: Connection) -> bool:
    """Whether nobody else looks; until this transaction ends nobody else will."""
    return bool(connection.execute(_TURN).scalar_one())


def look(connection: Connection, rule: Rule, limits: Limits, now: datetime) -> int:
    """Look at one rule, unless that was done a moment ago; returns how many alarms are new.

    Rules whose alarms others write are not looked at.
    """
    statement = _STATEMENTS.get(rule.name)
    if statement is None:
        return 0
    due = {"rule": rule.name, "now": now, "before": now - timedelta(seconds=rule.every_s)}
    if connection.execute(_DUE, due).one_or_none() is None:
        return 0
    named = set(statement.compile().params)
    values = {**asdict(limits), "calm_before": now - timedelta(seconds=rule.calm_s), **due}
    return int(
        connection.execute(
            statement, {name: value for name, value in values.items() if name in named}
        ).scalar_one()
    )


def gather(connection: Connection) -> list[Standing]:
    """Put new alarms into incidents, and say how every open incident stands."""
    connection.execute(_OPEN)
    connection.execute(_JOIN)
    return [
        Standing(
            incident=row.id,
            rule=row.rule,
            channel=row.channel,
            since=row.since,
            revision=row.revision,
            content=row.content,
            acked_by=row.acked_by,
            firings=[Firing(*each) for each in row.firings],
            open=row.open,
            ever=row.ever,
            impact_units=row.impact_units,
            severity=row.severity,
            plain=row.plain,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        for row in connection.execute(_STANDING, {"shown": SHOWN})
    ]


def write(connection: Connection, incident: int, alert: Alert, resolved_at: datetime | None) -> int:
    """What is worth telling has changed; returns the revision."""
    values = {
        "id": incident,
        "content": _json(alert),
        "severity": alert["severity"],
        "resolved_at": resolved_at,
    }
    return int(connection.execute(_WRITE, values).scalar_one())


def touch(connection: Connection, alerts: Iterable[tuple[int, Alert]]) -> None:
    """Keep what has changed and is not worth telling."""
    rows = [{"id": incident, "content": _json(alert)} for incident, alert in alerts]
    if rows:
        connection.execute(_TOUCH, rows)


def silenced(connection: Connection, now: datetime, incidents: Iterable[int]) -> set[int]:
    """Which of these incidents are not to be told now, unless they were told before."""
    values = {"now": now, "incidents": sorted(incidents)}
    return set(connection.execute(_SILENCED, values).scalars())


_SILENCE = text("""
    INSERT INTO silence (rule, channel, since, until, made_by, reason)
    VALUES (:rule, :channel, :now, :until, :by, :reason) RETURNING id
""")

_END_SILENCE = text("""
    UPDATE silence SET until = :now WHERE rule = :rule AND channel = :channel AND since <= :now AND until > :now
""")

_SILENCES = text("""
    SELECT rule, channel, since, until, made_by, reason FROM silence WHERE until > :now ORDER BY until, id
""")


def silence(
    connection: Connection,
    rule: str,
    channel: str,
    *,
    now: datetime,
    until: datetime,
    by: str,
    reason: str,
) -> int:
    """Tell nothing new of a rule until then; channel "" is every channel. Returns the number of the silence."""
    values = {
        "rule": rule,
        "channel": channel,
        "now": now,
        "until": until,
        "by": by,
        "reason": reason,
    }
    return int(connection.execute(_SILENCE, values).scalar_one())


def end_silence(connection: Connection, rule: str, channel: str, now: datetime) -> int:
    """End the silences of a rule and channel; returns how many there were."""
    values = {"rule": rule, "channel": channel, "now": now}
    return connection.execute(_END_SILENCE, values).rowcount


def silences(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Silences that are in force or to come."""
    return [dict(row) for row in connection.execute(_SILENCES, {"now": now}).mappings()]


_ACK = text("""
    UPDATE incident SET acked_at = :now, acked_by = :by
    WHERE id = :id AND resolved_at IS NULL AND acked_at IS NULL RETURNING id
""")

_INCIDENTS = text("""
    SELECT id, rule, channel, severity, since, resolved_at, acked_by, revision, content
    FROM incident WHERE :all OR resolved_at IS NULL ORDER BY since DESC, id DESC LIMIT :limit
""")


def acknowledge(connection: Connection, incident: int, by: str, now: datetime) -> bool:
    """Say that somebody works on an incident; False when it is not open, or somebody does already."""
    values = {"id": incident, "by": by, "now": now}
    return connection.execute(_ACK, values).one_or_none() is not None


def incidents(
    connection: Connection, *, all_: bool = False, limit: int = 100
) -> Sequence[Mapping[str, Any]]:
    """Incidents as they are told, newest first; those that are over only when asked for."""
    rows = connection.execute(_INCIDENTS, {"all": all_, "limit": limit})
    return [dict(row) for row in rows.mappings()]


def _json(alert: Alert) -> str:
    return orjson.dumps(alert).decode()
