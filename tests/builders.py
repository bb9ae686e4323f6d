"""Facts with good defaults, so that a test shows only what matters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, text

from channels.registry import LANES
from ledger import catalogue, inbox
from ledger.context import Catalogue
from ledger.db import transaction
from ledger.events import FACT, AnyFact
from ledger.inbox import FACT_TOPIC, Delivery, Kept
from workers.flows.ingest import Drained, House, drain

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)


def a_fact(kind: str, **said: Any) -> dict[str, Any]:
    """The JSON of a fact at noon about MUG-RED in the warehouse."""
    fact: dict[str, Any] = {
        "kind": kind,
        "source": "wms",
        "id": f"{kind}:1",
        "occurred_at": NOON.isoformat(),
    }
    if kind in {"order", "order_cancel"}:
        fact |= {"channel": "shopify", "order": "1001", "line": "1"}
    if kind not in {"order_cancel", "reversal"}:
        fact |= {"sku": "MUG-RED", "location": "OSLO"}
    if kind in {"adjustment", "write_off"}:
        fact |= {"reason": "fell off the shelf"}
    if kind in {"reservation", "release"}:
        fact |= {"reference": "SPRING-FAIR"}
    if kind == "expected":
        fact |= {"reference": "PO-1", "due_at": "2026-03-12"}
    if kind == "pull_forward":
        fact |= {"reason": "sold and not there", "due_at": "2026-03-12"}
    said = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in said.items()}
    return fact | said


def read(fact: dict[str, Any]) -> AnyFact:
    """A fact as the drain reads it."""
    return FACT.validate_json(orjson.dumps(fact))


def a_house(engine: Engine, *, rows: int = 500) -> House:
    """What a drain needs, with the lanes of the product."""
    return House(engine, LANES, Catalogue(), os.urandom, rows=rows)


def stock_the_house(
    engine: Engine,
    skus: Sequence[str] = ("MUG-RED", "MUG-BLUE"),
    locations: Sequence[str] = ("OSLO", "BERGEN"),
) -> None:
    """Make these SKUs and locations known."""
    with transaction(engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(skus, ""))
        catalogue.add_locations(connection, list(locations))


def deliver(engine: Engine, *facts: dict[str, Any], now: datetime = NOON) -> Kept:
    """Put facts into the inbox, each under its own id."""
    deliveries = [Delivery(f["source"], f["id"], FACT_TOPIC, orjson.dumps(f)) for f in facts]
    with transaction(engine) as connection:
        return inbox.keep(connection, deliveries, now=now)


def book(engine: Engine, *facts: dict[str, Any], now: datetime = NOON) -> Drained:
    """Deliver facts and drain them."""
    deliver(engine, *facts, now=now)
    return drain(a_house(engine), now=now)


def balance(engine: Engine, sku: str = "MUG-RED", location: str = "OSLO") -> dict[str, int]:
    """Units by state, without states that hold nothing."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT state, units FROM balance WHERE sku = :sku AND location = :location AND units <> 0"
            ),
            {"sku": sku, "location": location},
        )
        return {row.state: row.units for row in rows}


def inbox_states(engine: Engine) -> dict[str, str]:
    """delivery id -> state."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT delivery_id, state FROM inbox ORDER BY id"))
        return {row.delivery_id: row.state for row in rows}


def why(engine: Engine, delivery_id: str) -> str:
    """The reason that stands beside a delivery."""
    with engine.connect() as connection:
        said = connection.execute(
            text("SELECT error FROM inbox WHERE delivery_id = :id"), {"id": delivery_id}
        ).scalar_one()
    return str(said)


def may_write(connection: Connection) -> None:
    """Every channel has its certificate."""
    connection.execute(text("UPDATE channel SET writes = true"))


def count(connection: Connection, table: str) -> int:
    """Rows of a table."""
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608 - a name from a test
