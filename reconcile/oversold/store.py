"""Cases in PostgreSQL: opened once a line, chosen for, covered, closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from reconcile.oversold.types import Case, Chosen, Named, Opening, Place

_COLUMNS: Final = """
    id, channel, order_id, line_id, sku, location, units, accepted_at, found_at, found_by, cause, evidence, worth,
    state, response, chosen_at, chosen_by, chosen_why, cost, covered_at, closed_at, closed_by, result, times
"""

# A line that is missing again after its case was closed is the same case: it counts once.
_OPEN = text("""
    INSERT INTO oversold_case AS c (channel, order_id, line_id, sku, location, units, accepted_at, found_at, found_by,
                                    dip, looked_at, worth, state, closed_at, closed_by, result)
    SELECT given.channel, given.order_id, given.line_id, :sku, :location, given.units, given.accepted_at, :now,
           given.found_by, :dip, :now, round(w.price * greatest(o.ordered_units, given.units), 4),
           CASE WHEN given.passing THEN 'closed' ELSE 'waiting' END, CASE WHEN given.passing THEN :now END,
           CASE WHEN given.passing THEN 'lockstep' ELSE '' END, CASE WHEN given.passing THEN :came ELSE '' END
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (channel text, order_id text, line_id text, units bigint, accepted_at timestamptz, found_by text,
                   passing boolean)
    LEFT JOIN order_line o USING (channel, order_id, line_id)
    LEFT JOIN sku_worth w ON w.sku = :sku
    ORDER BY 1, 2, 3
    ON CONFLICT (channel, order_id, line_id) DO UPDATE SET
        sku = excluded.sku, location = excluded.location, units = greatest(c.units, excluded.units),
        dip = excluded.dip, found_at = excluded.found_at, looked_at = excluded.looked_at,
        state = 'waiting', response = '', chosen_at = NULL,
        chosen_by = '', chosen_why = '', covered_at = NULL, closed_at = NULL, closed_by = '', result = '',
        times = c.times + 1
        WHERE c.state = 'closed' AND excluded.state = 'waiting'
    RETURNING id
""")

_GROW = text("""
    UPDATE oversold_case AS c SET units = given.units, covered_at = NULL
    FROM unnest(CAST(:ids AS bigint[]), CAST(:units AS bigint[])) AS given (id, units) WHERE c.id = given.id
""")

_COVER = text(
    "UPDATE oversold_case SET covered_at = :now WHERE id = ANY(CAST(:ids AS bigint[])) AND covered_at IS NULL"
)

_NAME = text("""
    UPDATE oversold_case AS c SET cause = given.cause, evidence = CAST(given.evidence AS jsonb), looked_at = :now
    FROM unnest(CAST(:ids AS bigint[]), CAST(:causes AS text[]), CAST(:evidence AS text[]))
         AS given (id, cause, evidence)
    WHERE c.id = given.id
""")

_UNNAMED = text("""
    SELECT id FROM oversold_case
    WHERE state <> 'closed' AND cause <> ALL(CAST(:settled AS text[])) AND looked_at <= :before
      AND found_at > :youngest
    ORDER BY looked_at, id LIMIT 200
""")

_LOCK = text(f"SELECT {_COLUMNS} FROM oversold_case WHERE id = :id FOR UPDATE")  # noqa: S608 -- constant

_WAITING = text("""
    SELECT id FROM oversold_case WHERE state = 'waiting' ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
""")

_CHOOSE = text("""
    UPDATE oversold_case SET state = 'acting', response = :response, chosen_at = :now, chosen_by = :by,
           chosen_why = :why, cost = coalesce(greatest(cost, CAST(:cost AS numeric)), CAST(:cost AS numeric))
    WHERE id = :id
""")

_STATE = text("UPDATE oversold_case SET state = :state WHERE id = :id")

_CLOSE = text("""
    UPDATE oversold_case SET state = :state, closed_at = CASE WHEN :state = 'closed' THEN CAST(:now AS timestamptz) END,
           closed_by = :by, result = :result
    WHERE id = :id
""")

_LIST = """
    SELECT {columns} FROM oversold_case
    WHERE {which} AND (CAST(:channel AS text) IS NULL OR channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR sku = :sku)
    ORDER BY state = 'closed', found_at DESC, id DESC LIMIT :limit
"""
_LIST_OPEN = text(_LIST.format(columns=_COLUMNS, which="state <> 'closed'"))
_LIST_ALL = text(_LIST.format(columns=_COLUMNS, which="true"))

_READ = text(
    f"SELECT {_COLUMNS} FROM oversold_case WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id"  # noqa: S608 -- constant
)

_TITLE = text("SELECT title FROM sku WHERE sku = :sku")
_KIND = text("SELECT kind FROM channel WHERE channel = :channel")


def open_cases(
    connection: Connection, place: Place, openings: Sequence[Opening], came: str, now: datetime
) -> list[int]:
    """Open a case for each of these lines of a place; returns their ids.

    came    what ends those whose units have come already
    """
    if not openings:
        return []
    rows = [
        dict(zip(("channel", "order_id", "line_id"), each.key, strict=True))
        | {"units": each.units, "accepted_at": each.accepted_at}
        | {"found_by": each.found_by, "passing": each.passing}
        for each in openings
    ]
    values = {"sku": place.sku, "location": place.location, "dip": place.dip, "now": now}
    given = values | {"came": came, "rows": orjson.dumps(rows).decode()}
    return list(connection.execute(_OPEN, given).scalars())


def grow(connection: Connection, grown: Sequence[tuple[int, int]]) -> None:
    """More units of these cases are missing than was known, or they are missing again."""
    if grown:
        ids, units = [each[0] for each in grown], [each[1] for each in grown]
        connection.execute(_GROW, {"ids": ids, "units": units})


def cover(connection: Connection, cases: Sequence[int], now: datetime) -> None:
    """The units of these cases have come."""
    if cases:
        connection.execute(_COVER, {"ids": list(cases), "now": now})


def write_causes(connection: Connection, named: Iterable[tuple[int, Named]], now: datetime) -> None:
    """What these cases were caused by, as far as is known now."""
    named = list(named)
    if named:
        connection.execute(
            _NAME,
            {
                "ids": [case_id for case_id, _ in named],
                "causes": [str(each.cause) for _, each in named],
                "evidence": [orjson.dumps(each.evidence).decode() for _, each in named],
                "now": now,
            },
        )


def unnamed(
    connection: Connection, settled: Iterable[str], before: datetime, youngest: datetime
) -> list[int]:
    """Open cases whose cause may still be told: not settled, last tried before a moment, found after another."""
    values = {"settled": [str(each) for each in settled], "before": before, "youngest": youngest}
    return list(connection.execute(_UNNAMED, values).scalars())


def waiting(connection: Connection) -> list[int]:
    """Cases nobody has chosen for, locked."""
    return list(connection.execute(_WAITING).scalars())


def lock(connection: Connection, case_id: int) -> Case | None:
    """A case, which nobody else changes until this transaction ends; None where there is none."""
    row = connection.execute(_LOCK, {"id": case_id}).one_or_none()
    return None if row is None else Case(*row)


def choose(connection: Connection, case_id: int, chosen: Chosen, now: datetime) -> None:
    """Say what is done about a case; what was begun before has cost as well, so the greater cost stays."""
    values = {"id": case_id, "response": chosen.response.value, "by": chosen.by, "why": chosen.why}
    connection.execute(_CHOOSE, values | {"cost": chosen.cost, "now": now})


def set_state(connection: Connection, case_id: int, state: str) -> None:
    """Where a case stands that goes on."""
    connection.execute(_STATE, {"id": case_id, "state": state})


def close(
    connection: Connection, case_id: int, *, state: str, by: str, result: str, now: datetime
) -> None:
    """A case is over; `closing` while what was held is let go."""
    values = {"id": case_id, "state": state, "by": by, "result": result, "now": now}
    connection.execute(_CLOSE, values)


def cases(
    connection: Connection,
    *,
    all_: bool = False,
    channel: str | None = None,
    sku: str | None = None,
    limit: int = 100,
) -> list[Case]:
    """Cases, open ones first, the newest first."""
    values = {"channel": channel, "sku": sku, "limit": limit}
    return [Case(*row) for row in connection.execute(_LIST_ALL if all_ else _LIST_OPEN, values)]


def read(connection: Connection, ids: Iterable[int]) -> list[Case]:
    """These cases."""
    return [Case(*row) for row in connection.execute(_READ, {"ids": sorted(ids)})]


def title_of(connection: Connection, sku: str) -> str:
    """What the item is called, "" where nobody gave it a name."""
    return str(connection.execute(_TITLE, {"sku": sku}).scalar_one_or_none() or "")


def kind_of(connection: Connection, channel: str) -> str:
    """The kind of a channel, "" for one that the house does not have."""
    return str(connection.execute(_KIND, {"channel": channel}).scalar_one_or_none() or "")


def money(value: Decimal | None) -> str:
    """An amount for people, "-" where it is not known."""
    return "-" if value is None else f"{value:.2f}"


def row_of(case: Case) -> dict[str, Any]:
    """A case as a row of a table."""
    return {name: getattr(case, name) for name in Case.__slots__}
