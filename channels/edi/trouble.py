"""Documents that failed for good, written down as failures in the transaction that says so."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from ledger import failures
from ledger.types import Failure, FailureClass, Origin

_DOCUMENTS = text("""
    SELECT id, partner, direction, set_id, set_control, group_control, order_number, reference, state, ack_state, error
    FROM edi_document WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id
""")


def note(connection: Connection, documents: Collection[int], now: datetime) -> None:
    """Write down which of these documents are parked, rejected or overdue."""
    if documents:
        rows = connection.execute(_DOCUMENTS, {"ids": sorted(documents)})
        failures.note(connection, [_failed(row) for row in rows if _class_of(row)], now)


def note_file(
    connection: Connection, interchange: int, partner: str, file: str, why: str, now: datetime
) -> None:
    """Write down that a file could not be taken at all."""
    failed = Failure(
        Origin.EDI,
        f"file:{interchange}",
        FailureClass.VALIDATION,
        why,
        channel=partner,
        task="workers.tasks.exchange",
        payload={"file": file, "interchange": interchange},
    )
    failures.note(connection, [failed], now)


def _class_of(row: Any) -> str:
    """The class of failure of a document, "" when it has not failed."""
    if row.direction == "out":
        return {
            "rejected": FailureClass.REJECTED,
            "overdue": FailureClass.UNAVAILABLE,
        }.get(row.ack_state, "")
    is_unnamed = "map" in row.error or "unknown" in row.error
    parked = FailureClass.MAPPING if is_unnamed else FailureClass.VALIDATION
    return {"parked": parked, "rejected": FailureClass.VALIDATION}.get(row.state, "")


def _failed(row: Any) -> Failure:
    payload = {
        "document": row.id,
        "direction": row.direction,
        "state": row.state if row.direction == "in" else row.ack_state,
        "set": row.set_id,
        "set_control": row.set_control,
        "group_control": row.group_control,
        "reference": row.reference,
    }
    return Failure(
        Origin.EDI,
        f"document:{row.id}",
        _class_of(row),
        row.error or f"{row.set_id} is {row.ack_state or row.state}",
        channel=row.partner,
        order=row.order_number,
        task="workers.tasks.work_orders" if row.direction == "in" else "workers.tasks.exchange",
        payload=payload,
    )
