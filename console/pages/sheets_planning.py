"""Forms about what is ordered by: terms of a SKU, a supplier, the house."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field as Said

from console.api.state import Act
from console.api.words import Said as Words
from console.api.words_acts import TermsRow
from console.pages.sheets import Came, Field, Sheet
from console.verbs import planning


class TermsText(Words):
    """Terms as CSV."""

    rows: Annotated[str, Said(min_length=1, max_length=900_000)]


def _set(act: Act, said: TermsRow) -> Came:
    row = planning.stated(said.model_dump())
    with act.doing({"sku": said.sku, "supplier": said.supplier, **said.arguments()}):
        what = f"terms:{row.scope} {row.name}".strip()
        done = planning.state(act.engine, [row], what, by=act.by, now=act.now())
    return Came(f"{row.scope} {row.name}: {done['levels']} levels are set anew")


def _import(act: Act, said: TermsText) -> Came:
    rows = planning.rows_of(said.rows)
    with act.doing({"file": "form", "rows": len(rows)}):
        done = planning.state(act.engine, rows, "file:form", by=act.by, now=act.now())
    return Came(f"{done['terms']} terms, {done['levels']} levels are set anew")


_NUMBERS: Final = (
    Field("pack", "Pack", "number", hint="units of a pack"),
    Field("minimum", "Minimum", "number", hint="least units of a line"),
    Field("lead_days", "Lead time, days", hint="where fewer than 3 receipts say"),
    Field("lead_sd_days", "Its deviation, days"),
    Field("review_days", "Days between two looks"),
    Field("service", "Service, percent", hint="of replenishment cycles that must not run out"),
    Field("order_cost", "What an order costs"),
    Field("holding", "Holding, percent", hint="of a unit's cost, a year"),
)

SHEETS: Final[tuple[Sheet[Any], ...]] = (
    Sheet("reorder.set", "Say what is ordered by", TermsRow,
          (Field("sku", "SKU", hint="empty: of the supplier"),
           Field("supplier", "Supplier", hint="both empty: of the house"), *_NUMBERS),
          _set, "/reorder",
          "Said whole: what is left empty is as the supplier or the house says. All empty takes it back."),
    Sheet("reorder.import", "Say what many are ordered by", TermsText,
          (Field("rows", "Terms", "area", required=True,
                 hint="CSV: sku and any of supplier, pack, minimum, lead_days, lead_sd_days, review_days, service,"
                      " order_cost, holding"),),
          _import, "/reorder", "All of it, or nothing.", lambda _: True),
)  # fmt: skip
