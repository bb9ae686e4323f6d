"""What is ordered by, in PostgreSQL: of a SKU, of its supplier, of the house."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from allocation.planning.ordering import Said, Terms, terms_of
from ledger.db import fetch

HOUSE: Final = "house"
SUPPLIER: Final = "supplier"
SKU: Final = "sku"
#: What is stated, in the order in which it is shown.
FIELDS: Final = (
    "supplier", "pack", "minimum", "lead_days", "lead_sd_days", "review_days", "service", "order_cost", "holding",
)  # fmt: skip

_COLUMNS = """scope, name, supplier, pack, minimum, lead_days, lead_sd_days, review_days, service,
    order_cost::float8, holding"""
_ALL = text(f"""
    SELECT {_COLUMNS}, set_by, set_at FROM buy_terms ORDER BY scope, name
""")  # noqa: S608 -- a constant
_OF_SKUS = text(f"""
    WITH own AS (
        SELECT {_COLUMNS} FROM buy_terms WHERE scope = 'sku' AND name = ANY(CAST(:skus AS text[]))
    )
    SELECT * FROM own
    UNION ALL
    SELECT {_COLUMNS} FROM buy_terms
    WHERE scope = 'house' OR (scope = 'supplier' AND name IN (SELECT own.supplier FROM own))
    ORDER BY 1, 2
""")  # noqa: S608 -- a constant
_SET = text("""
    INSERT INTO buy_terms (scope, name, supplier, pack, minimum, lead_days, lead_sd_days, review_days, service,
                           order_cost, holding, set_by, set_at)
    VALUES (:scope, :name, :supplier, :pack, :minimum, :lead_days, :lead_sd_days, :review_days, :service,
            :order_cost, :holding, :set_by, :set_at)
    ON CONFLICT (scope, name) DO UPDATE
    SET supplier = excluded.supplier, pack = excluded.pack, minimum = excluded.minimum,
        lead_days = excluded.lead_days, lead_sd_days = excluded.lead_sd_days, review_days = excluded.review_days,
        service = excluded.service, order_cost = excluded.order_cost, holding = excluded.holding,
        set_by = excluded.set_by, set_at = excluded.set_at
""")
_DROP = text("DELETE FROM buy_terms WHERE scope = :scope AND name = :name")
_SKUS_OF = text(
    "SELECT name FROM buy_terms WHERE scope = 'sku' AND supplier = :supplier ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Stated:
    """What is stated of one: `scope` house, supplier or sku, and its name ("" is the house)."""

    scope: str
    name: str
    said: Said
    by: str = ""
    at: datetime | None = None


def stated(connection: Connection) -> list[Stated]:
    """All that is stated, by scope and name."""
    rows = fetch(connection, _ALL, {})
    return [Stated(row.scope, row.name, _said(row), row.set_by, row.set_at) for row in rows]


def state(connection: Connection, rows: Sequence[Stated], by: str, now: datetime) -> None:
    """State these, each whole: what it leaves open is as its supplier or the house says; one that says nothing goes."""
    for row in sorted(rows, key=lambda each: (each.scope, each.name)):
        key = {"scope": row.scope, "name": row.name}
        if row.said == Said():
            connection.execute(_DROP, key)
            continue
        said = {name: getattr(row.said, name) for name in FIELDS}
        connection.execute(_SET, {**key, **said, "set_by": by, "set_at": now})


def skus_of(connection: Connection, supplier: str) -> list[str]:
    """SKUs that are bought from a supplier."""
    return [row.name for row in fetch(connection, _SKUS_OF, {"supplier": supplier})]


def said_of(connection: Connection, skus: Collection[str]) -> dict[str, tuple[Said, Said, Said]]:
    """What is stated of each of these SKUs, of its supplier, and of the house."""
    house, suppliers, own = Said(), dict[str, Said](), dict[str, Said]()
    for row in fetch(connection, _OF_SKUS, {"skus": sorted(skus)}):
        match row.scope:
            case "house":
                house = _said(row)
            case "supplier":
                suppliers[row.name] = _said(row)
            case _:
                own[row.name] = _said(row)
    found = {}
    for sku in skus:
        said = own.get(sku, Said())
        found[sku] = (said, suppliers.get(said.supplier or "", Said()), house)
    return found


def terms(connection: Connection, skus: Collection[str]) -> dict[str, Terms]:
    """What each of these SKUs is ordered by."""
    return {sku: terms_of(*said) for sku, said in said_of(connection, skus).items()}


def _said(row: Any) -> Said:
    return Said(**{name: getattr(row, name) for name in FIELDS})
