"""What is forecast of a SKU, what is ordered by, and what is to be ordered now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from allocation.planning import forecast_store, level_store, order_store, terms_store
from allocation.planning.forecast_store import Run, Told
from allocation.planning.level_store import Stands
from allocation.planning.need import Forecast, need
from allocation.planning.ordering import Said
from allocation.planning.spread import Learned
from allocation.planning.terms_store import Stated
from console.access.types import Unknown
from console.views import supply
from console.views.listing import Listing
from workers.flows import planning
from workers.flows.forecasting import learned_of
from workers.flows.planning import Line

#: Why a run found no place to forecast, and what to do.
NO_PAST: Final = (
    "the last run found no sales to forecast from: they come with each order, and past months by"
    " `lockstep history import`"
)
#: Chances that so many units are enough.
QUANTILES: Final = (0.5, 0.9, 0.95)
#: Of a line of the reorder list: what is printed, and what is exported beside it.
LISTED: Final = (
    "sku", "location", "units", "runs_out_on", "free", "coming", "reorder_point", "order_up_to", "per_day",
    "lead_days", "supplier", "why",
)  # fmt: skip
EXPORTED: Final = (
    *LISTED, "safety", "enough", "shape", "kind", "model", "sd", "lead_sd_days", "lead_receipts",
    "review_days", "service", "pack", "minimum", "lot_units", "lost_per_hour", "tier", "low_since",
)  # fmt: skip
#: Of terms: how they are printed.
TERMS: Final = ("scope", "name", *terms_store.FIELDS, "by", "at")


#: Every place with a level, by SKU: what is a page of its own, since there are as many as places.
LEVELS: Final = Listing(
    """l.sku, l.location, l.supplier, l.reorder_point, l.order_up_to, round(l.per_day::numeric, 2)::float8 AS per_day,
       round(l.lead_days::numeric, 1)::float8 AS lead_days, l.tier, l.low_since, b.units AS free""",
    """FROM reorder_level AS l
       LEFT JOIN balance AS b ON b.sku = l.sku AND b.location = l.location AND b.state = 'available'""",
    "(CAST(:sku AS text) IS NULL OR l.sku = :sku) AND (CAST(:location AS text) IS NULL OR l.location = :location)",
    (("l.sku", "text"), ("l.location", "text")),
    newest=False,
)


def wished(**said: Any) -> Said | None:
    """Terms that somebody wants the list by, `service` in percent; None where nothing was said."""
    if said.get("service") is not None:
        said["service"] = said["service"] / 100
    found = Said(**said)
    return None if found == Said() else found


def forecast(
    connection: Connection, sku: str, days: int, location: str | None, now: datetime
) -> list[dict[str, Any]]:
    """Units that will be wanted in so many days from today, by location; none where it never sold.

    raises    Unknown: there is no such SKU
    """
    if not order_store.is_known(connection, sku):
        raise Unknown(f"no SKU {sku}; see: lockstep sku search {sku}")
    learned = learned_of(connection)
    found = planning.forecasts(connection, sku, days, now)
    return [
        _forecast(spot[1], each, days, learned)
        for spot, each in found.items()
        if location in (None, spot[1])
    ]


def _forecast(location: str, found: Forecast, days: int, learned: Learned) -> dict[str, Any]:
    wanted = need(found, days, learned=learned)
    return {
        "location": location,
        "days": days,
        "units": round(wanted.demand.mean, 1),
        **{f"p{q * 100:.0f}": round(wanted.enough(q)) for q in QUANTILES},
        "per_day": round(found.per_day, 3),
        "sd_per_day": round(found.sd_per_day, 3),
        "sd_per_week": round(found.sd_per_week, 3),
        "kind": found.kind,
        "shape": wanted.called,
        "model": found.chosen.model,
        "folds": found.chosen.folds,
        "weights": {name: round(weight, 3) for name, weight in found.chosen.weights.items()},
        "scores": {
            model: {name: round(value, 4) for name, value in asdict(score).items()}
            for model, score in found.chosen.scores.items()
        },
        "weeks": len(found.demand.weeks),
        "masked_weeks": sum(week is None for week in found.demand.weeks),
        "left_out": list(found.demand.left_out),
    }


def status(connection: Connection) -> dict[str, Any]:
    """The run that is not done, if there is one, and the newest that is."""
    return {
        "open": _run(forecast_store.open_run(connection)),
        "newest": _run(forecast_store.newest(connection)),
    }


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    said = asdict(run)
    del said["learned"]
    return said | {
        "learned_from": run.learned.series,
        "spreads": sorted({kind for of in run.learned.spreads.values() for kind in of}),
    }


def reorder(
    connection: Connection, now: datetime, said: Said | None = None, *, every: bool = False
) -> dict[str, Any]:
    """What to order, what is held back and why, and how many SKUs with demand were looked at.

    said     terms before those that are kept
    every    also places where nothing is to be ordered
    """
    listed = planning.reorder(connection, now, wished=said, all_lines=every)
    return {
        "run": _run(listed.run),
        "lines": [_line(each) for each in listed.lines],
        "held_back": [
            {"sku": sku, "why": "; ".join(why)} for sku, why in sorted(listed.held_back.items())
        ],
        "looked_at": listed.looked_at,
        "pulls": supply.requests(connection, now),
    }


def _line(each: Line) -> Mapping[str, Any]:
    advice, of = each.advice, each.advice.level
    lost = of.lost_per_hour
    row: dict[str, Any] = {
        "sku": of.sku,
        "location": of.location,
        "units": advice.units,
        "runs_out_on": advice.runs_out_on,
        "free": advice.standing.on_hand,
        "coming": advice.standing.on_order,
        "reorder_point": of.reorder_point,
        "order_up_to": of.order_up_to,
        "per_day": round(of.per_day, 3),
        "lead_days": round(of.lead.days, 1),
        "supplier": of.terms.supplier,
        "why": "; ".join(advice.why),
        "safety": round(of.safety, 1),
        "enough": round(each.enough, 4),
        "shape": of.shape,
        "kind": of.kind,
        "model": of.model,
        "sd": round(of.wanted_sd, 3),
        "lead_sd_days": round(of.lead.sd_days, 1),
        "lead_receipts": of.lead.receipts,
        "review_days": of.terms.review_days,
        "service": round(of.terms.service * 100, 2),
        "pack": of.terms.pack,
        "minimum": of.terms.minimum,
        "lot_units": of.lot_units,
        "lost_per_hour": None if lost is None else round(lost, 2),
        "tier": of.tier,
        "low_since": each.low_since,
    }
    return {name: row[name] for name in EXPORTED}


def terms(connection: Connection) -> list[dict[str, Any]]:
    """What is stated of the house, of suppliers and of SKUs; `service` and `holding` in percent."""
    return [_stated(each) for each in terms_store.stated(connection)]


def _stated(each: Stated) -> dict[str, Any]:
    said = asdict(each.said)
    for name in ("service", "holding"):
        if said[name] is not None:
            said[name] = round(said[name] * 100, 4)
    return {"scope": each.scope, "name": each.name, **said, "by": each.by, "at": each.at}


def kept(connection: Connection, sku: str) -> list[dict[str, Any]]:
    """What the newest run says of a SKU, by location, with its level; nothing before there was one."""
    newest = forecast_store.newest(connection)
    if newest is None:
        return []
    levels = {of.level.location: of for of in level_store.of_sku(connection, sku)}
    return [
        _kept(spot[1], each, newest, levels.get(spot[1]))
        for spot, each in forecast_store.told(connection, newest, sku).items()
    ]


def _kept(location: str, each: Told, run: Run, stands: Stands | None) -> dict[str, Any]:
    found = each.forecast
    return {
        "location": location,
        "until_day": run.until_day,
        "units": each.units,
        "horizon_days": each.horizon_days,
        "per_day": found.per_day,
        "sd_per_week": found.sd_per_week,
        "kind": found.kind,
        "quantiles": each.quantiles,
        "folds": found.chosen.folds,
        "weights": found.chosen.weights,
        "scores": {model: asdict(score) for model, score in found.chosen.scores.items()},
        "weeks": found.demand.weeks,
        "left_out": found.demand.left_out,
        "level": None if stands is None else _level(stands),
    }


def _level(stands: Stands) -> dict[str, Any]:
    of = stands.level
    return {
        "reorder_point": of.reorder_point,
        "order_up_to": of.order_up_to,
        "wanted_units": of.wanted_units,
        "wanted_sd": of.wanted_sd,
        "lead_days": of.lead.days,
        "lead_receipts": of.lead.receipts,
        "shape": of.shape,
        "service": of.terms.service * 100,
        "supplier": of.terms.supplier,
        "tier": of.tier,
        "low_since": stands.low_since,
        "free": stands.standing.on_hand,
        "coming": stands.standing.on_order,
    }
