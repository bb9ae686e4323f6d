"""Runs of the forecast in PostgreSQL: where a run is, the weeks it read, what it learned, what it said."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, text

from allocation.planning.accuracy import Score
from allocation.planning.classes import DemandClass
from allocation.planning.mixing import USUAL, Chosen, Pool, Powers
from allocation.planning.need import Demand, Forecast
from allocation.planning.order_store import Spot
from allocation.planning.spread import NOTHING_LEARNED, Learned, Spread
from ledger.db import fetch

READING: Final = "reading"
FORECASTING: Final = "forecasting"
DONE: Final = "done"
#: Chances that so many units are enough, kept with each forecast.
KEPT_QUANTILES: Final = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
#: Held for as long as its connection lives: who is killed lets go at once.
_LOCK: Final = 0x10C5_F0CA

_OPEN = text("""
    SELECT id, until_day, stage, after_sku, of_skus, skus, places, learned, began_at
    FROM forecast_run WHERE stage <> 'done'
""")
_NEWEST = text("""
    SELECT id, until_day, stage, after_sku, of_skus, skus, places, learned, began_at, ended_at
    FROM forecast_run WHERE stage = 'done' ORDER BY id DESC LIMIT 1
""")
_BEGIN = text("""
    INSERT INTO forecast_run (until_day, stage, of_skus, began_at, moved_at)
    SELECT :until_day, 'reading', count(*), :now, :now FROM sku
    RETURNING id
""")
_GIVE_UP = text("DELETE FROM forecast_run WHERE stage <> 'done' AND until_day < :oldest")
_MOVE = text("""
    UPDATE forecast_run
    SET stage = :stage, after_sku = :after_sku, skus = :skus, places = :places, moved_at = :now,
        learned = coalesce(CAST(:learned AS jsonb), learned),
        ended_at = CASE WHEN :stage = 'done' THEN CAST(:now AS timestamptz) END
    WHERE id = :id
""")
_FORGET_WEEKS = text("""
    DELETE FROM demand_weeks
    WHERE sku > :after AND sku <= :through AND run_id <> :run
""")
_FORGET_REST = text("DELETE FROM demand_weeks WHERE sku > :after AND run_id <> :run")
_KEEP_WEEKS = text("""
    INSERT INTO demand_weeks (sku, location, run_id, until_day, weeks, per_day, sd_per_day, left_out)
    SELECT sku, location, :run, :until_day, weeks, per_day, sd_per_day, left_out
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
         AS r (sku text, location text, weeks float8[], per_day float8, sd_per_day float8, left_out text[])
    ON CONFLICT (sku, location) DO UPDATE
    SET run_id = excluded.run_id, until_day = excluded.until_day, weeks = excluded.weeks,
        per_day = excluded.per_day, sd_per_day = excluded.sd_per_day, left_out = excluded.left_out
""")
_WEEKS = text("""
    SELECT sku, location, weeks, per_day, sd_per_day, left_out
    FROM demand_weeks
    WHERE run_id = :run AND sku = ANY(CAST(:skus AS text[]))
    ORDER BY sku, location
""")
_NEXT_WITH_WEEKS = text("""
    SELECT DISTINCT sku FROM demand_weeks WHERE run_id = :run AND sku > :after ORDER BY sku LIMIT :most
""")
# In no order that says anything of what a series is like, and the same when a run goes on.
_SAMPLE = text("""
    SELECT sku, location, weeks, per_day, sd_per_day, left_out
    FROM demand_weeks WHERE run_id = :run
    ORDER BY md5(sku || location), sku, location LIMIT :most
""")
_KEEP = text("""
    INSERT INTO forecast (run_id, sku, location, until_day, kind, model, weights, scores, folds, horizon_days, per_day,
                          sd_per_day, sd_per_week, units, quantiles)
    SELECT :run, sku, location, :until_day, kind, model, weights, scores, folds, horizon_days, per_day,
           sd_per_day, sd_per_week, units, quantiles
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
         AS r (sku text, location text, kind text, model text, weights jsonb, scores jsonb, folds integer,
               horizon_days float8, per_day float8, sd_per_day float8, sd_per_week float8, units float8,
               quantiles jsonb)
    ON CONFLICT (run_id, sku, location) DO NOTHING
""")
_SAID = text("""
    SELECT f.sku, f.location, f.kind, f.model, f.weights, f.scores, f.folds, f.per_day, f.sd_per_day, f.sd_per_week,
           f.horizon_days, f.units, f.quantiles, coalesce(d.weeks, '{}') AS weeks,
           coalesce(d.left_out, '{}') AS left_out
    FROM forecast AS f LEFT JOIN demand_weeks AS d ON d.sku = f.sku AND d.location = f.location
    WHERE f.run_id = :run AND f.sku = ANY(CAST(:skus AS text[]))
    ORDER BY f.sku, f.location
""")
_HELD = text("SELECT pg_try_advisory_lock(:key)")
_LET_GO = text("SELECT pg_advisory_unlock(:key)")


class AtWork(Exception):
    """Somebody works at the run; a second one would only do the same."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and where it is.

    until_day    the first day (UTC) that does not count
    after_sku    of its stage everything up to here is done
    of_skus      SKUs there are;  skus  done in its stage;  places  with demand
    """

    id: int
    until_day: date
    stage: str
    after_sku: str
    of_skus: int
    skus: int
    places: int
    learned: Learned
    began_at: datetime
    ended_at: datetime | None = None


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Nobody else works at a run in this block. Raises AtWork."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(_HELD, {"key": _LOCK}).scalar_one():
            raise AtWork(
                "a forecast is being run; it goes on by itself, see: lockstep forecast status"
            )
        try:
            yield
        finally:
            connection.execute(_LET_GO, {"key": _LOCK})


def open_run(connection: Connection) -> Run | None:
    """The run that is not done."""
    for row in fetch(connection, _OPEN, {}):
        return _run(row)
    return None


def newest(connection: Connection) -> Run | None:
    """The newest run that is done: its forecasts hold."""
    for row in fetch(connection, _NEWEST, {}):
        return _run(row, row.ended_at)
    return None


def begun(connection: Connection, until_day: date, oldest: date, now: datetime) -> Run:
    """The run that is not done, or a new one; one that was left before the day `oldest` is not gone on with."""
    connection.execute(_GIVE_UP, {"oldest": oldest})
    found = open_run(connection)
    if found is None:
        connection.execute(_BEGIN, {"until_day": until_day, "now": now})
        found = open_run(connection)
    assert found is not None
    return found


def move(connection: Connection, run: Run, now: datetime) -> None:
    """Say where a run is."""
    connection.execute(
        _MOVE,
        {
            "id": run.id, "stage": run.stage, "after_sku": run.after_sku, "skus": run.skus,
            "places": run.places, "now": now,
            "learned": None if run.learned is NOTHING_LEARNED else _told(run.learned),
        },
    )  # fmt: skip


def keep_weeks(
    connection: Connection, run: Run, through: str | None, rows: Mapping[Spot, Demand]
) -> None:
    """Keep the weeks of the SKUs after `run.after_sku` up to `through` (None: of all that are left)."""
    if rows:
        told = [
            {
                "sku": sku, "location": location, "weeks": list(of.weeks), "per_day": of.per_day,
                "sd_per_day": of.sd_per_day, "left_out": list(of.left_out),
            }
            for (sku, location), of in rows.items()
        ]  # fmt: skip
        values = {"run": run.id, "until_day": run.until_day, "rows": orjson.dumps(told).decode()}
        connection.execute(_KEEP_WEEKS, values)
    span = {"after": run.after_sku, "run": run.id}
    if through is None:
        connection.execute(_FORGET_REST, span)
    else:
        connection.execute(_FORGET_WEEKS, {**span, "through": through})


def weeks_of(connection: Connection, run: Run, skus: Collection[str]) -> dict[Spot, Demand]:
    """The weeks that a run read of these SKUs, by place."""
    rows = fetch(connection, _WEEKS, {"run": run.id, "skus": sorted(skus)})
    return {(row.sku, row.location): _demand(row) for row in rows}


def next_skus(connection: Connection, run: Run, most: int) -> list[str]:
    """The next SKUs of a run that have weeks, sorted."""
    values = {"run": run.id, "after": run.after_sku, "most": most}
    return [row.sku for row in fetch(connection, _NEXT_WITH_WEEKS, values)]


def sample(connection: Connection, run: Run, most: int) -> dict[Spot, Demand]:
    """Weeks of a run, of so many places that nothing chose."""
    rows = fetch(connection, _SAMPLE, {"run": run.id, "most": most})
    return {(row.sku, row.location): _demand(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Told:
    """A forecast as it is kept: with the units of its horizon, and what is enough of them by chance."""

    forecast: Forecast
    horizon_days: float
    units: float
    quantiles: Mapping[float, float]


def keep(connection: Connection, run: Run, rows: Mapping[Spot, Told]) -> None:
    """Keep what a run says; what it said before it was killed stays."""
    kept = [
        {
            "sku": sku,
            "location": location,
            "kind": each.forecast.kind,
            "model": each.forecast.chosen.model,
            "weights": {n: round(w, 4) for n, w in each.forecast.chosen.weights.items()},
            "scores": {
                model: {name: round(value, 4) for name, value in asdict(score).items()}
                for model, score in each.forecast.chosen.scores.items()
            },
            "folds": each.forecast.chosen.folds,
            "horizon_days": each.horizon_days,
            "per_day": each.forecast.per_day,
            "sd_per_day": each.forecast.sd_per_day,
            "sd_per_week": each.forecast.sd_per_week,
            "units": each.units,
            "quantiles": {str(chance): units for chance, units in each.quantiles.items()},
        }
        for (sku, location), each in rows.items()
    ]
    values = {"run": run.id, "until_day": run.until_day, "rows": orjson.dumps(kept).decode()}
    connection.execute(_KEEP, values)


def forecasts(connection: Connection, run: Run, skus: Collection[str]) -> dict[Spot, Forecast]:
    """What a run said of these SKUs, by place."""
    rows = fetch(connection, _SAID, {"run": run.id, "skus": sorted(skus)})
    return {(row.sku, row.location): _forecast(row) for row in rows}


def told(connection: Connection, run: Run, sku: str) -> dict[Spot, Told]:
    """The same of one SKU, as it is kept."""
    return {
        (row.sku, row.location): Told(
            _forecast(row),
            row.horizon_days,
            row.units,
            # The database keeps keys by their length.
            dict(sorted((float(chance), units) for chance, units in row.quantiles.items())),
        )
        for row in fetch(connection, _SAID, {"run": run.id, "skus": [sku]})
    }


def _forecast(row: Any) -> Forecast:
    scores = {model: Score(**said) for model, said in row.scores.items()}
    return Forecast(
        Demand(row.weeks, row.per_day, row.sd_per_day, tuple(row.left_out)),
        Chosen(row.model, row.weights, scores, row.folds),
        row.per_day,
        row.sd_per_week,
        None if row.kind is None else DemandClass(row.kind),
    )


def _run(row: Any, ended_at: datetime | None = None) -> Run:
    return Run(
        row.id, row.until_day, row.stage, row.after_sku, row.of_skus, row.skus, row.places,
        NOTHING_LEARNED if row.learned is None else _learned(row.learned), row.began_at, ended_at,
    )  # fmt: skip


def _demand(row: Any) -> Demand:
    return Demand(row.weeks, row.per_day, row.sd_per_day, tuple(row.left_out))


def _told(of: Learned) -> str:
    told = {
        "series": of.series,
        "parts": {str(horizon): dict(pool.errors) for horizon, pool in of.pools.items()},
        "powers": {str(horizon): asdict(pool.powers) for horizon, pool in of.pools.items()},
        "spreads": {
            str(horizon): {kind: list(spread.k) for kind, spread in kinds.items()}
            for horizon, kinds in of.spreads.items()
        },
    }
    return orjson.dumps(told).decode()


def _learned(told: Mapping[str, Any]) -> Learned:
    spreads: Mapping[str, Mapping[str, Sequence[float]]] = told["spreads"]
    # Runs before 2026-11 kept no powers.
    powers: Mapping[str, Mapping[str, float]] = told.get("powers", {})
    return Learned(
        {
            int(horizon): Pool(errors, Powers(**powers[horizon]) if horizon in powers else USUAL)
            for horizon, errors in told["parts"].items()
        },
        {
            int(horizon): {kind: Spread(tuple(k)) for kind, k in kinds.items()}
            for horizon, kinds in spreads.items()
        },
        told["series"],
    )
