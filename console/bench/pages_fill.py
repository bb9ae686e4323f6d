"""Fills the house that pages are measured in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

from allocation import store
from allocation.document import read
from console.bench import alloc
from console.bench.pages_book import BOOK, CHANNELS, HOT, LOCATIONS, NUMBERS, REFERENCES
from console.bench.pages_wrong import WRONG
from ledger.db import connect, transaction
from workers.flows.allocate import allocate
from workers.flows.counts import add_up_quarter
from workers.settings import Settings
from workers.wiring import now


def fill(
    settings: Settings, *, skus: int, events: int, failed: int, days: int = 60
) -> dict[str, Any]:
    """Fill an empty house; returns how much of what is in it.

    days    that the events and pushes are spread over
    """
    engine, owner = connect(settings.database_url), create_engine(settings.database_admin_url)
    given = {
        "skus": skus, "events": events, "failed": failed, "now": now(), "hot": HOT,
        "locations": list(LOCATIONS), "channels": list(CHANNELS), "span_s": days * 86_400.0,
    }  # fmt: skip
    try:
        _rules(engine)
        _statements(owner, BOOK, given, free=True)
        _hot(engine)
        _statements(owner, NUMBERS, given)
        _statements(owner, WRONG, given)
        add_up_quarter(engine, now())
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        return _counts(engine)
    finally:
        engine.dispose()
        owner.dispose()


def _rules(engine: Engine) -> None:
    source = alloc.rules(changed=False)
    with transaction(engine) as connection:
        store.apply_rules(connection, source, read(source), "bench", "the house opens", now())
        connection.execute(text("UPDATE channel SET writes = true"))


def _hot(engine: Engine) -> None:
    """The hot SKU's numbers, with the arithmetic that a page explains."""
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM due"))
        connection.execute(
            text("INSERT INTO due (sku, since) VALUES (:sku, :now)"), {"sku": HOT, "now": now()}
        )
    allocate(engine, now=now, rise_wait_s=0.0)
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM push_due"))


def _statements(
    owner: Engine, statements: tuple[str, ...], given: Mapping[str, Any], *, free: bool = False
) -> None:
    with transaction(owner) as connection:
        if free:
            _let_go(connection)
        for statement in statements:
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), used)


def _let_go(connection: Connection) -> None:
    for row in connection.execute(text(REFERENCES)).all():
        connection.execute(text(f"ALTER TABLE {row.relation} DROP CONSTRAINT {row.conname}"))


def _counts(engine: Engine) -> dict[str, Any]:
    tables = {
        "skus": "sku", "events": "event", "failed": "failure", "places": "target", "pushes": "push", "drifts": "drift",
        "deliveries": "inbox", "deeds": "deed", "documents": "edi_document",
    }  # fmt: skip
    with transaction(engine) as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608 -- a constant
            for name, table in tables.items()
        }
