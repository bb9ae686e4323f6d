"""What is forecast of a SKU, and what is to be ordered now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from allocation.planning import order_store
from allocation.planning.chances import quantile, shape_of, wanted
from allocation.planning.ordering import Forecast, Lead, Terms
from console.access.types import Unknown
from workers.flows import planning
from workers.flows.planning import Line

#: Chances that so many units are enough.
QUANTILES: Final = (0.5, 0.9, 0.95)
#: Of a line of the reorder list: what is printed, and what is exported beside it.
LISTED: Final = (
    "sku", "location", "units", "runs_out_on", "free", "coming", "reorder_point", "order_up_to", "per_day",
    "lead_days", "why",
)  # fmt: skip
EXPORTED: Final = (
    *LISTED, "safety", "enough", "shape", "kind", "model", "sd_per_day", "lead_sd_days", "lead_receipts",
    "lost_per_hour",
)  # fmt: skip


def terms(
    *,
    service: float,
    lead_days: float,
    lead_sd_days: float,
    review_days: float,
    pack: int,
    minimum: int,
) -> Terms:
    """What a list is planned with; `service` in percent."""
    return Terms(service / 100, Lead(lead_days, lead_sd_days), review_days, pack, minimum)


def forecast(
    connection: Connection, sku: str, days: int, location: str | None, now: datetime
) -> list[dict[str, Any]]:
    """Units that will be wanted in so many days from today, by location; none where it never sold.

    raises    Unknown: there is no such SKU
    """
    if not order_store.is_known(connection, sku):
        raise Unknown(f"no SKU {sku}; see: lockstep sku search {sku}")
    found = planning.forecasts(connection, sku, days, now)
    return [
        _forecast(spot[1], each, days)
        for spot, each in found.items()
        if location in (None, spot[1])
    ]


def _forecast(location: str, found: Forecast, days: int) -> dict[str, Any]:
    demand = wanted(found.per_day, found.sd_per_day, days)
    shape = shape_of(demand, found.kind)
    return {
        "location": location,
        "days": days,
        "units": round(demand.mean, 1),
        **{f"p{q * 100:.0f}": round(quantile(demand, shape, q)) for q in QUANTILES},
        "per_day": round(found.per_day, 3),
        "sd_per_day": round(found.sd_per_day, 3),
        "kind": found.kind,
        "shape": shape,
        "model": found.chosen.model,
        "folds": found.chosen.folds,
        "scores": {
            model: {name: round(value, 4) for name, value in asdict(score).items()}
            for model, score in found.chosen.scores.items()
        },
        "weeks": len(found.weeks),
        "masked_weeks": sum(week is None for week in found.weeks),
        "left_out": list(found.left_out),
    }


def reorder(engine: Engine, said: Terms, now: datetime, *, every: bool = False) -> dict[str, Any]:
    """What to order, what is held back and why, and how many SKUs with demand were looked at.

    every    also places where nothing is to be ordered
    """
    listed = planning.reorder(engine, said, now, all_lines=every)
    return {
        "lines": [_line(each) for each in listed.lines],
        "held_back": [
            {"sku": sku, "why": "; ".join(why)} for sku, why in sorted(listed.held_back.items())
        ],
        "looked_at": listed.looked_at,
    }


def _line(line: Line) -> Mapping[str, Any]:
    advice = line.advice
    lost = line.lost_per_hour
    row: dict[str, Any] = {
        "sku": advice.sku,
        "location": advice.location,
        "units": advice.units,
        "runs_out_on": advice.runs_out_on,
        "free": advice.standing.on_hand,
        "coming": advice.standing.on_order,
        "reorder_point": advice.reorder_point,
        "order_up_to": advice.order_up_to,
        "per_day": round(advice.forecast.per_day, 3),
        "lead_days": round(advice.lead.days, 1),
        "why": "; ".join(advice.why),
        "safety": round(advice.safety, 1),
        "enough": round(advice.enough, 4),
        "shape": advice.shape,
        "kind": advice.forecast.kind,
        "model": advice.forecast.chosen.model,
        "sd_per_day": round(advice.forecast.sd_per_day, 3),
        "lead_sd_days": round(advice.lead.sd_days, 1),
        "lead_receipts": advice.lead.receipts,
        "lost_per_hour": None if lost is None else round(lost, 2),
    }
    return {name: row[name] for name in EXPORTED}
