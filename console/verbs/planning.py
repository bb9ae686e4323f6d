"""Terms that are ordered by: of the house, of suppliers, of SKUs; one by one, or from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine

from allocation.planning.ordering import Said
from allocation.planning.terms_store import FIELDS, HOUSE, SKU, SUPPLIER, Stated
from console.access.types import Unfit
from console.verbs import sheets
from ledger.db import transaction
from reconcile import count_checks
from reconcile.trail import record
from workers.flows import planning

#: The columns of a file; `sku` empty: of the supplier; both empty: of the house.
COLUMNS: Final = ("sku", *FIELDS)
_WHOLE: Final = ("pack", "minimum")
_PERCENT: Final = ("service", "holding")
#: Least and most that makes sense.
_WITHIN: Final[Mapping[str, tuple[float, float]]] = {
    "pack": (1, 1_000_000),
    "minimum": (0, 1_000_000),
    "lead_days": (0, 730),
    "lead_sd_days": (0, 365),
    "review_days": (0.25, 365),
    "service": (50, 99.99),
    "order_cost": (0, 1_000_000),
    "holding": (0.1, 200),
}


def stated(row: Mapping[str, Any]) -> Stated:
    """Terms as somebody wrote them, blank where nothing is said. Raises ValueError with a sentence."""
    sku = str(row.get("sku") or "").strip()
    supplier = str(row.get("supplier") or "").strip() or None
    said: dict[str, Any] = {name: _number(name, row.get(name)) for name in _WITHIN}
    if sku:
        return Stated(SKU, sku, Said(supplier=supplier, **said))
    if supplier:
        return Stated(SUPPLIER, supplier, Said(**said))
    return Stated(HOUSE, "", Said(**said))


def written(row: Stated) -> dict[str, Any]:
    """Terms as somebody would write them: `service` and `holding` in percent, nothing that is not said."""
    said = {name: getattr(row.said, name) for name in FIELDS}
    named = {"sku": row.name} if row.scope == SKU else {}
    if row.scope == SUPPLIER:
        named = {"supplier": row.name}
    told = {name: value for name, value in {**said, **named}.items() if value is not None}
    return {
        name: round(value * 100, 6) if name in _PERCENT else value for name, value in told.items()
    }


def _number(name: str, said: Any) -> float | int | None:
    if said is None or not str(said).strip():
        return None
    least, most = _WITHIN[name]
    try:
        number = float(str(said).strip())
    except ValueError:
        raise ValueError(f"{name} {said!r} is no number") from None
    if not least <= number <= most:
        raise ValueError(f"{name} {said} must be from {least:g} to {most:g}")
    if name in _WHOLE:
        if number != int(number):
            raise ValueError(f"{name} {said} must be whole units")
        return int(number)
    return number / 100 if name in _PERCENT else number


def rows_of(said: str) -> list[Stated]:
    """Terms as CSV says them. Raises Unfit, naming the lines."""

    def head(names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in COLUMNS]
        if "sku" not in names or unknown:
            why = f"no column {unknown[0]!r} is known" if unknown else "there is no column sku"
            first = f"1: the first line must name sku and any of {', '.join(FIELDS)}"
            raise Unfit(why, faults=[first])

    return sheets.read(said, head, stated)


def state(
    engine: Engine, rows: Sequence[Stated], what: str, *, by: str, now: datetime
) -> dict[str, Any]:
    """State terms, each whole, and set the levels of whom they concern; all of it, or nothing.

    what      for the trail: `file:NAME`, or `terms:sku X`
    raises    Unfit: a SKU is unknown, or one stands twice
    """
    often = Counter((row.scope, row.name) for row in rows)
    faults = [
        f"{scope} {name or 'terms'} stands twice: keep one"
        for (scope, name), times in often.items()
        if times > 1
    ]
    named = [row.name for row in rows if row.scope == SKU]
    with transaction(engine) as connection:
        known = set(count_checks.known_skus(connection, named))
        record(
            connection, actor=by, action="terms.state", what=what, at=now,
            detail={"rows": len(rows)},
        )  # fmt: skip
    faults += [f"unknown SKU {name!r}: correct it" for name in named if name not in known]
    if faults:
        raise Unfit(f"{len(faults)} to be put right; nothing was changed", faults=faults)
    levels = planning.state_terms(engine, rows, by=by, now=now)
    return {"terms": len(rows), "levels": levels}
