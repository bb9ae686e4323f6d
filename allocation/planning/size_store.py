"""How much room units of ours take, as the house says, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

import orjson
from sqlalchemy import Connection, text

from ledger.db import fetch


@dataclass(frozen=True, slots=True)
class Size:
    """A unit and a carton of it.

    storage_type    which limit of storage it falls under, such as standard, oversize, apparel
    carton_units    1: it travels by the unit
    pounds          that a unit weighs; None: not known
    """

    sku: str
    cubic_feet: Decimal
    storage_type: str
    carton_units: int
    carton_cubic_feet: Decimal
    pounds: Decimal | None = None


_SET = text("""
    INSERT INTO sku_size (sku, cubic_feet, storage_type, carton_units, carton_cubic_feet, pounds, set_by, set_at)
    SELECT sku, cubic_feet, storage_type, carton_units, carton_cubic_feet, pounds, :by, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        sku text, cubic_feet numeric, storage_type text, carton_units integer, carton_cubic_feet numeric,
        pounds numeric)
    ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET
        cubic_feet = excluded.cubic_feet, storage_type = excluded.storage_type,
        carton_units = excluded.carton_units, carton_cubic_feet = excluded.carton_cubic_feet,
        pounds = excluded.pounds, set_by = excluded.set_by, set_at = excluded.set_at
""")
_OF = text("""
    SELECT z.sku, z.cubic_feet, z.storage_type, z.carton_units, z.carton_cubic_feet, z.pounds
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku) JOIN sku_size AS z USING (sku)
    ORDER BY z.sku
""")
_EVERY = text("""
    SELECT sku, cubic_feet, storage_type, carton_units, carton_cubic_feet, pounds, set_by, set_at
    FROM sku_size WHERE CAST(:sku AS text) IS NULL OR sku = :sku ORDER BY sku
""")
_KNOWN = text("SELECT sku FROM sku WHERE sku = ANY(CAST(:skus AS text[])) ORDER BY sku")


def set_sizes(connection: Connection, sizes: Sequence[Size], *, by: str, now: datetime) -> None:
    """Say what these SKUs measure, each once; what was said before is replaced. They must be known."""
    rows = orjson.dumps([asdict(size) for size in sizes], default=str).decode()
    connection.execute(_SET, {"rows": rows, "by": by, "now": now})


def sizes_of(connection: Connection, skus: Collection[str]) -> dict[str, Size]:
    """The sizes of these SKUs; one that nobody said is missing."""
    return {row.sku: Size(*row) for row in fetch(connection, _OF, {"skus": sorted(skus)})}


def every(connection: Connection, sku: str | None = None) -> list[Mapping[str, object]]:
    """What was said, by whom and when, by SKU; or of this one."""
    return [dict(row) for row in connection.execute(_EVERY, {"sku": sku}).mappings()]


def known(connection: Connection, skus: Collection[str]) -> set[str]:
    """Those of these SKUs that the catalogue has."""
    return set(connection.execute(_KNOWN, {"skus": sorted(skus)}).scalars())
