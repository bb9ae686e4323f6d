"""Programs as rows: read and locked, counted, and what is known of how they are used.

Whoever changes a program holds its row and its lines, taken before any balance (`ledger.decide.hold`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, TextClause, text

from allocation.programs import Ends, Policy, Program, ProgramLine, Step

_PROGRAM = text("""
    INSERT INTO program (name, partner, policy, ends, since, until, made_by, made_at, why)
    VALUES (:name, :partner, :policy, :ends, :since, :until, :made_by, :made_at, :why)
    ON CONFLICT (name) DO NOTHING
    RETURNING name
""")

_LINES = text("""
    INSERT INTO program_line (program, sku, location, agreed, note)
    SELECT :program, sku, location, agreed, note
    FROM json_to_recordset(CAST(:rows AS json)) AS given (sku text, location text, agreed bigint, note text)
    ORDER BY sku, location
""")

_STEPS = text("""
    INSERT INTO program_step (program, sku, location, at, most)
    SELECT :program, sku, location, at, most
    FROM json_to_recordset(CAST(:rows AS json)) AS given (sku text, location text, at timestamptz, most bigint)
    ORDER BY sku, location, at
""")

_READ = """
    SELECT p.name, p.partner, p.policy, p.ends, p.since, p.until, p.made_by, p.made_at, p.why, p.ended_at, p.moves,
           l.sku, l.location, l.agreed, l.used, l.released, l.note,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(s.at, s.most) ORDER BY s.at), '[]')
            FROM program_step AS s
            WHERE s.program = l.program AND s.sku = l.sku AND s.location = l.location) AS steps
    FROM program AS p JOIN program_line AS l ON l.program = p.name
"""
_ORDERED = " ORDER BY p.name, l.sku, l.location"
_LOCKED = _ORDERED + " FOR UPDATE OF p, l"

_LOCK = text(f"{_READ} WHERE p.name = :name {_LOCKED}")
_LIST = text(f"""{_READ}
    WHERE (CAST(:name AS text) IS NULL OR p.name = :name) AND (CAST(:partner AS text) IS NULL OR p.partner = :partner)
      AND (:also_ended OR p.state = 'open')
    {_ORDERED}
""")
_SERVING = text(f"""{_READ}
    WHERE p.partner = :partner AND l.location = :location AND l.sku = ANY(CAST(:skus AS text[]))
      AND p.state = 'open' AND p.since <= :now AND :now < p.until
    {_LOCKED}
""")
_USED = text(f"""{_READ}
    WHERE (l.program, l.sku, l.location) IN (
        SELECT u.program, u.sku, u.location FROM program_use AS u
        WHERE u.partner = :partner AND u.order_id = :order_id AND u.units > 0
          AND u.sku = ANY(CAST(:skus AS text[])))
    {_LOCKED}
""")  # noqa: S608 - our own text

_USES = text("""
    SELECT line_id, program, sku, units FROM program_use
    WHERE partner = :partner AND order_id = :order_id AND units > 0
    ORDER BY line_id, program
""")

_KEEP_USES = text("""
    INSERT INTO program_use (partner, order_id, line_id, program, sku, location, units)
    SELECT :partner, :order_id, line, program, sku, :location, units
    FROM json_to_recordset(CAST(:rows AS json)) AS given (line text, program text, sku text, units bigint)
    ORDER BY line, program
    ON CONFLICT (partner, order_id, line_id, program) DO UPDATE SET units = excluded.units
""")

_COUNT = text("""
    UPDATE program_line SET used = given.used, released = given.released
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (program text, sku text, location text, used bigint, released bigint)
    WHERE program_line.program = given.program AND program_line.sku = given.sku
      AND program_line.location = given.location
""")

_MOVES = text("UPDATE program SET moves = :moves WHERE name = :name")

_END = text("""
    UPDATE program SET state = 'ended', ended_at = :now WHERE name = :name AND state = 'open'
""")

_DUE = """
    SELECT p.name FROM program AS p
    WHERE p.state = 'open'
      AND (p.until <= :now AND (p.ends = 'itself' OR NOT EXISTS (
               SELECT FROM program_line AS l WHERE l.program = p.name AND l.used + l.released < l.agreed))
           OR EXISTS (SELECT FROM program_step AS s JOIN program_line AS l USING (program, sku, location)
                      WHERE s.program = p.name AND s.at <= :now AND l.agreed - l.used - l.released > s.most))
"""
_THESE_DUE = text(f"{_DUE} ORDER BY p.name")

#: Whether one has something to release, or was last looked at before `looked_before`.
WAITS = text(f"""
    SELECT EXISTS (SELECT FROM program WHERE state = 'open' AND since <= :now
                   AND (looked_at IS NULL OR looked_at <= :looked_before))
           OR EXISTS ({_DUE})
""")  # noqa: S608 - the statement above
_LOOK = text("""
    UPDATE program SET looked_at = :now
    WHERE state = 'open' AND since <= :now AND (looked_at IS NULL OR looked_at <= :before)
    RETURNING name
""")

# What has gone of an order line is counted for the program that it drew on first.
_SHIPPED = text("""
    SELECT program, sku, location, sum(least(units, greatest(0, shipped_units - before)))::bigint AS units
    FROM (
        SELECT u.program, u.sku, u.location, u.units, o.shipped_units,
               sum(u.units) OVER (PARTITION BY u.partner, u.order_id, u.line_id ORDER BY p.until, p.name)
               - u.units AS before
        FROM program_use AS mine
        JOIN program_use AS u USING (partner, order_id, line_id)
        JOIN program AS p ON p.name = u.program
        JOIN order_line AS o ON o.channel = u.partner AND o.order_id = u.order_id AND o.line_id = u.line_id
        WHERE mine.program = ANY(CAST(:programs AS text[]))
        GROUP BY u.partner, u.order_id, u.line_id, u.program, u.sku, u.location, u.units, o.shipped_units, p.until,
                 p.name
    ) AS used
    GROUP BY program, sku, location
""")

_FREE = text("""
    SELECT b.sku, b.location, b.units
    FROM balance AS b
    JOIN json_to_recordset(CAST(:places AS json)) AS given (sku text, location text)
      ON given.sku = b.sku AND given.location = b.location
    WHERE b.state = 'available'
""")

_RECEIVED = text("""
    SELECT coalesce(sum(p.units), 0) FROM event AS e JOIN posting AS p ON p.event_id = e.id
    WHERE e.kind = 'receipt' AND (e.source_id = :named OR e.reference = :named)
      AND p.sku = :sku AND p.to_location = :location
      AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = e.id)
""")


@dataclass(frozen=True, slots=True)
class Use:
    """Units that a program gave an order line (by the ledger's name of it)."""

    line: str
    program: str
    sku: str
    units: int


def add(connection: Connection, program: Program) -> bool:
    """Write a new program down; False when its name is taken."""
    made = connection.execute(
        _PROGRAM,
        {
            "name": program.name,
            "partner": program.partner,
            "policy": program.policy.value,
            "ends": program.ends.value,
            "since": program.since,
            "until": program.until,
            "made_by": program.made_by,
            "made_at": program.made_at,
            "why": program.why,
        },
    ).one_or_none()
    if made is None:
        return False
    lines = [
        {"sku": x.sku, "location": x.location, "agreed": x.agreed, "note": x.note}
        for x in program.lines
    ]
    steps = [
        {"sku": x.sku, "location": x.location, "at": step.at, "most": step.most}
        for x in program.lines
        for step in x.steps
    ]
    connection.execute(_LINES, {"program": program.name, "rows": _json(lines)})
    if steps:
        connection.execute(_STEPS, {"program": program.name, "rows": _json(steps)})
    return True


def lock(connection: Connection, name: str) -> Program | None:
    """A program, held until this transaction ends; None when there is none."""
    return next(iter(_programs(connection, _LOCK, {"name": name})), None)


def programs(
    connection: Connection,
    *,
    name: str | None = None,
    partner: str | None = None,
    also_ended: bool = False,
) -> list[Program]:
    """Programs by name."""
    values = {"name": name, "partner": partner, "also_ended": also_ended}
    return _programs(connection, _LIST, values)


def of_order(
    connection: Connection,
    partner: str,
    order_id: str,
    location: str,
    skus: Iterable[str],
    now: datetime,
) -> list[Program]:
    """Programs that an order may draw on, and those it drew on before, with their lines of these SKUs; held."""
    values = {"partner": partner, "location": location, "skus": sorted(set(skus)), "now": now}
    found = _programs(connection, _SERVING, values)
    known = {each.name for each in found}
    used = _programs(connection, _USED, {**values, "order_id": order_id})
    return found + [each for each in used if each.name not in known]


def uses(connection: Connection, partner: str, order_id: str) -> list[Use]:
    """What programs gave the lines of an order."""
    rows = connection.execute(_USES, {"partner": partner, "order_id": order_id})
    return [Use(*row) for row in rows]


def keep_uses(
    connection: Connection, partner: str, order_id: str, location: str, changed: Iterable[Use]
) -> None:
    """Write what programs gave lines of an order, as it stands now."""
    rows = [{"line": x.line, "program": x.program, "sku": x.sku, "units": x.units} for x in changed]
    values = {"partner": partner, "order_id": order_id, "location": location}
    connection.execute(_KEEP_USES, {**values, "rows": _json(rows)})


def keep(connection: Connection, changed: Iterable[Program]) -> None:
    """Write the counts of programs that this transaction holds."""
    for program in changed:
        rows = [
            {
                "program": program.name,
                "sku": line.sku,
                "location": line.location,
                "used": line.used,
                "released": line.released,
            }
            for line in program.lines
        ]
        connection.execute(_COUNT, {"rows": _json(rows)})
        connection.execute(_MOVES, {"name": program.name, "moves": program.moves})


def end(connection: Connection, name: str, now: datetime) -> None:
    """Nothing is reserved for a program any more, for good."""
    connection.execute(_END, {"name": name, "now": now})


def due(connection: Connection, now: datetime) -> list[str]:
    """Programs with units to be released now, or with nothing left to wait for."""
    return [row.name for row in connection.execute(_THESE_DUE, {"now": now})]


def look(connection: Connection, now: datetime, looked_before: datetime) -> list[str]:
    """Take the programs whose pace is to be looked at, so that nobody else does."""
    rows = connection.execute(_LOOK, {"now": now, "before": looked_before})
    return sorted(row.name for row in rows)


def shipped(connection: Connection, names: Sequence[str]) -> dict[tuple[str, str, str], int]:
    """Units that have gone, by (program, SKU, location)."""
    rows = connection.execute(_SHIPPED, {"programs": list(names)})
    return {(row.program, row.sku, row.location): row.units for row in rows}


def free(connection: Connection, lines: Iterable[ProgramLine]) -> dict[tuple[str, str], int]:
    """Units available to anybody, by (SKU, location)."""
    places = sorted({(line.sku, line.location) for line in lines})
    given = [{"sku": sku, "location": location} for sku, location in places]
    rows = connection.execute(_FREE, {"places": _json(given)})
    return {(row.sku, row.location): row.units for row in rows}


def received(connection: Connection, named: str, sku: str, location: str) -> int:
    """Units of a receipt, by its id or the document behind it."""
    values = {"named": named, "sku": sku, "location": location}
    return int(connection.execute(_RECEIVED, values).scalar_one())


def _programs(
    connection: Connection, statement: TextClause, values: Mapping[str, object]
) -> list[Program]:
    found: dict[str, list[Any]] = {}
    for row in connection.execute(statement, values):
        found.setdefault(row.name, []).append(row)
    return [_program(rows) for rows in found.values()]


def _program(rows: Sequence[Any]) -> Program:
    row = rows[0]
    return Program(
        name=row.name,
        partner=row.partner,
        policy=Policy(row.policy),
        ends=Ends(row.ends),
        since=row.since,
        until=row.until,
        lines=tuple(_line(each) for each in rows),
        made_by=row.made_by,
        made_at=row.made_at,
        why=row.why,
        ended_at=row.ended_at,
        moves=row.moves,
    )


def _line(row: Any) -> ProgramLine:
    return ProgramLine(
        sku=row.sku,
        location=row.location,
        agreed=row.agreed,
        used=row.used,
        released=row.released,
        note=row.note,
        steps=tuple(Step(datetime.fromisoformat(at), most) for at, most in row.steps),
    )


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()
