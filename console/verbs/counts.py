"""Counts: a filled sheet booked, a recount ordered, what units are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine

from console.access.types import Unfit, Unknown
from console.verbs import sheets
from ledger.db import transaction
from reconcile import count_checks, count_orders, count_reports
from reconcile.counting.file import Sheet
from reconcile.counting.types import Verdict
from reconcile.trail import record
from workers.flows.count_sheets import Refused, Submitted
from workers.flows.count_sheets import submit as book_sheet
from workers.flows.count_terms import terms_of
from workers.flows.ingest import House
from workers.settings import Settings

#: SKU, what a unit costs, what it is sold for; None leaves what is known.
Worth: TypeAlias = tuple[str, Decimal | None, Decimal | None]
_MOST_MONEY: Final = Decimal(1_000_000_000)


def submit(
    house: House,
    settings: Settings,
    sheet: Sheet,
    name: str,
    at: datetime | None,
    *,
    by: str,
    reason: str,
    now: Callable[[], datetime],
) -> dict[str, Any]:
    """Book a filled sheet, whole or not at all, as of its minute; the same sheet twice is one count.

    returns    sheet, repeated, lines, blank, a number for each verdict, units, counts (line by line), alarms
    raises     Unfit: `faults` say line by line what to put right
    """
    try:
        done = book_sheet(
            house, sheet, name=name, at=at, by=by, terms=terms_of(settings), now=now, reason=reason
        )
    except Refused as refused:
        faults = [f"{fault.line}: {fault.what}" for fault in refused.faults]
        raise Unfit(f"{len(faults)} to be put right; nothing was booked", faults=faults) from None
    return _told(done)


def _told(done: Submitted) -> dict[str, Any]:
    return {
        "sheet": done.sheet,
        "repeated": done.repeated,
        "lines": len(done.lines),
        "blank": done.blank,
        **{verdict.value: done.number(verdict) for verdict in Verdict},
        "units": sum(line.variance or 0 for line in done.lines),
        "counts": [asdict(line) for line in done.lines],
        "alarms": [f"{alarm.rule} {alarm.what}" for alarm in done.raised],
    }


def order(
    engine: Engine, sku: str, location: str, *, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Order a recount; until it is in, fewer units are promised for pick-up.

    returns    sku, location, fresh (False: it was ordered before)
    raises     Unknown: nothing can be counted of it there
    """
    with transaction(engine) as connection:
        (known,) = count_checks.check(connection, [(1, sku, location, now)]).values()
        if not known.sku_known or known.kind not in ("warehouse", "store"):
            raise Unknown(f"nothing can be counted of {sku!r} at {location!r}: check both names")
        fresh = count_orders.order_by_hand(connection, (sku, location), by, reason, now)
    return {"sku": sku, "location": location, "fresh": fresh}


def set_worth(
    engine: Engine, rows: Sequence[Worth], file: str, *, by: str, now: datetime
) -> dict[str, Any]:
    """Say what units cost and are sold for. Raises Unfit: a SKU is unknown, or stands twice; nothing is changed."""
    often = Counter(sku for sku, _, _ in rows)
    twice = [f"{sku} stands twice: keep one" for sku, times in often.items() if times > 1]
    with transaction(engine) as connection:
        known = count_checks.known_skus(connection, [sku for sku, _, _ in rows])
        faults = twice + [f"unknown SKU {sku!r}: correct it" for sku in often if sku not in known]
        if faults:
            raise Unfit(f"{len(faults)} to be put right; nothing was changed", faults=faults)
        count_reports.set_worth(connection, rows, by, now)
        what, detail = f"file:{file}", {"skus": len(rows)}
        record(connection, actor=by, action="worth.set", what=what, at=now, detail=detail)
    return {"skus": len(rows)}


def worths(said: str) -> list[Worth]:
    """Worths as CSV says them: sku, cost, price. Raises Unfit, naming the lines."""

    def head(names: Sequence[str]) -> None:
        if "sku" not in names:
            raise Unfit("no column sku", faults=["1: the first line must name sku, cost, price"])

    return sheets.read(
        said,
        head,
        lambda row: (row["sku"].strip(), money(row.get("cost")), money(row.get("price"))),
    )


def money(said: str | None) -> Decimal | None:
    """An amount as somebody wrote it; blank is None. Raises ValueError."""
    if not said or not said.strip():
        return None
    try:
        amount = Decimal(said.strip())
    except InvalidOperation:
        raise ValueError(f"{said!r} is no amount: write 12.50") from None
    if not (amount.is_finite() and 0 <= amount <= _MOST_MONEY):
        raise ValueError(f"{said!r} is no amount of 0 to {_MOST_MONEY}: correct it")
    return amount
