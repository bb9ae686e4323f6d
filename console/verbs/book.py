"""What people tell the book by hand: each is a fact that goes through inbox and drain, like everything else.

The caller makes the fact's id, so that a request that is sent twice is one fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from console.access.types import NotApplied, Refusal, Unfit
from ledger import catalogue, inbox, queries
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from ledger.names import fault_of
from workers.flows import counts
from workers.flows.count_terms import terms_of
from workers.flows.ingest import House, drain
from workers.settings import Settings

_SOURCE: Final = "operator"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of what is to come; due: a day or a moment, as it was written."""

    id: str
    sku: str
    location: str
    units: int
    due: str
    reference: str


def adjust(
    house: House,
    name: str,
    sku: str,
    location: str,
    units: int,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> dict[str, Any]:
    """Add units that were found at a location, or take away what is gone. Raises Refusal, NotApplied."""
    said = {"sku": sku, "location": location, "units": units, "actor": by, "reason": reason}
    _post(house, {"kind": "adjustment", "id": f"adjust:{name}", **said}, now)
    return {"sku": sku, "location": location, "units": units}


def reverse(
    house: House, source: str, event_id: str, *, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Undo one event, once only, by an event that names it. Raises Refusal, NotApplied."""
    said = {"reverses_source": source, "reverses_id": event_id, "actor": by, "reason": reason}
    name = f"reverse:{source}:{event_id}"[:255]
    _post(house, {"kind": "reversal", "id": name, **said}, now)
    return {"source": source, "event_id": event_id}


def expect(house: House, line: Line, *, by: str, now: datetime) -> dict[str, Any]:
    """Say how a line of supply stands now. Raises Refusal, NotApplied."""
    said: dict[str, Any] = {"sku": line.sku, "location": line.location, "units": line.units}
    said |= {"due_at": line.due, "reference": line.reference}
    _post(house, {"kind": "expected", "id": f"expect:{line.id}", "actor": by, **said}, now)
    return {name: said[name] for name in ("reference", "sku", "location", "units", "due_at")}


def shelf_was_empty(
    house: House,
    settings: Settings,
    name: str,
    sku: str,
    location: str,
    set_aside: int,
    *,
    by: str,
    now: datetime,
) -> dict[str, Any]:
    """A pick found nothing: book it as the count it is, and let it be counted again. Raises Refusal, NotApplied."""
    said = {"sku": sku, "location": location, "counted": set_aside, "actor": by}
    said |= {"reason_code": "failed_pick", "reason": "a pick found the shelf empty"}
    _post(house, {"kind": "count", "id": f"pick:{name}", **said}, now)
    counts.look(house.engine, terms_of(settings), now=now)
    return {"sku": sku, "location": location, "counted": set_aside}


def add_skus(house: House, skus: list[str], title: str) -> dict[str, Any]:
    """Make SKUs known. Raises Unfit: a name that can be taken for another one is none."""
    _refuse_faulty(skus)
    with transaction(house.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(skus, title))
    return {"known": len(skus)}


def add_locations(house: House, locations: list[str], kind: str) -> dict[str, Any]:
    """Make locations known. Raises Unfit like `add_skus`."""
    _refuse_faulty(locations)
    with transaction(house.engine) as connection:
        catalogue.add_locations(connection, locations, kind=kind)
    return {"known": len(locations)}


def _refuse_faulty(names: list[str]) -> None:
    faults = [fault for name in names if (fault := fault_of(name))]
    if faults:
        raise Unfit(f"nothing was made known: {'; '.join(faults[:3])}", faults=faults)


def _post(house: House, said: dict[str, Any], now: datetime) -> None:
    """Book a fact; a refusal is said at once."""
    fact = {"source": _SOURCE, "occurred_at": now.isoformat(), **said}
    delivery = Delivery(_SOURCE, str(fact["id"]), FACT_TOPIC, orjson.dumps(fact))
    with transaction(house.engine) as connection:
        kept = inbox.keep(connection, [delivery], now=now)
    if not kept.fresh:
        raise Refusal("this was done already: see it in `lockstep inbox list --state applied`")
    drain(house, now=now)
    with transaction(house.engine) as connection:
        state, why = queries.delivery_state(connection, delivery.source, delivery.delivery_id)
    if state != "applied":
        raise NotApplied(f"not applied ({state}): {why}")
