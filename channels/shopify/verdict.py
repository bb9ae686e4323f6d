"""What the userErrors of one inventorySetQuantities call mean for its rows.

The call is all or nothing: one bad row keeps every other from being written. So each error is traced to its row,
and the rest can be sent again. Source: the enum InventorySetQuantitiesUserErrorCode (schema 2026-07) and recorded
answers of a 2026-04 shop; `field` is ["input", "quantities", "<row>", ...] with the row as a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.shopify.answers import UserError

_STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
#: Not a row's fault: how we call, or how the key stands.
_WHOLE = frozenset(
    {
        "IDEMPOTENCY_CONCURRENT_REQUEST",
        "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
        "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
        "SERVICE_UNAVAILABLE",
        "INVALID_NAME",
        "INVALID_REASON",
        "INVALID_REFERENCE_DOCUMENT",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Rows by their index in the call.

    whole      an error of the whole call, which decides alone
    stale      rows whose level was not what we expected
    rejected   rows that the vendor does not take, with its reason
    unplaced   an error whose row we cannot tell; None when every error has its place
    """

    whole: UserError | None
    stale: frozenset[int]
    rejected: Mapping[int, UserError]
    unplaced: UserError | None

    @property
    def is_success(self) -> bool:
        """Everything was written, or was so already."""
        return not (self.whole or self.stale or self.rejected or self.unplaced)


def judge(errors: Sequence[UserError], rows: int) -> Verdict:
    """Sort the errors of a call with so many rows."""
    whole: UserError | None = None
    unplaced: UserError | None = None
    stale: set[int] = set()
    rejected: dict[int, UserError] = {}
    for error in errors:
        row = _row(error, rows)
        if error.code in _WHOLE:
            whole = whole or error
        elif row is None:
            unplaced = unplaced or error
        elif _is_stale(error):
            stale.add(row)
        else:
            rejected.setdefault(row, error)
    return Verdict(whole, frozenset(stale - rejected.keys()), rejected, unplaced)


def _is_stale(error: UserError) -> bool:
    # The code was seen missing; the path then still tells.
    return error.code in _STALE or bool(
        error.code is None and error.field and error.field[-1] == "changeFromQuantity"
    )


def _row(error: UserError, rows: int) -> int | None:
    field = error.field or ()
    if "quantities" not in field:
        return None
    after = field[field.index("quantities") + 1 :]
    if not after or not after[0].isdecimal():
        return None
    row = int(after[0])
    return row if row < rows else None
