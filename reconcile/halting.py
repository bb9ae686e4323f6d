"""Many halts wanted at once, as a bad minute of a vendor makes them: one statement for all that are new."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from reconcile.halt_store import NothingToHalt, set_halt
from reconcile.halts import RULE
from reconcile.trail import Entry, record_all


@dataclass(frozen=True, slots=True)
class Wish:
    """A SKU that the rule wants off sale.

    reason      not empty
    drift_id    what it showed; None where nothing was kept of it
    """

    sku: str
    reason: str
    drift_id: int | None


_NEW = text("""
INSERT INTO halt (channel, sku, reason, set_by, set_at, drift_id, run_at, call_at)
SELECT :channel, sku, reason, :by, :now, drift_id, :now, :call_at
FROM unnest(CAST(:skus AS text[]), CAST(:reasons AS text[]), CAST(:drifts AS bigint[]))
     AS wish (sku, reason, drift_id)
WHERE EXISTS (SELECT FROM binding WHERE binding.channel = :channel AND binding.sku = wish.sku)
ORDER BY sku
ON CONFLICT (channel, sku) WHERE state <> 'lifted' DO NOTHING
RETURNING id, sku, reason, drift_id
""")


def set_by_rule(
    connection: Connection,
    channel: str,
    wishes: Sequence[Wish],
    now: datetime,
    *,
    call_at: datetime,
) -> set[str]:
    """Want these SKUs off sale on this channel; halts that stand are left as they are, unbound SKUs are passed over.

    wishes     one a SKU
    call_at    when somebody is called for those that still stand
    returns    the SKUs of which a halt stands now
    """
    if not wishes:
        return set()
    rows = connection.execute(
        _NEW,
        {
            "channel": channel,
            "by": RULE,
            "now": now,
            "call_at": call_at,
            "skus": [wish.sku for wish in wishes],
            "reasons": [wish.reason for wish in wishes],
            "drifts": [wish.drift_id for wish in wishes],
        },
    ).all()
    record_all(
        connection,
        [
            Entry(
                "halt.set",
                f"halt:{channel}/{row.sku}",
                row.reason,
                {"halt_id": row.id, "drift_id": row.drift_id},
            )
            for row in rows
        ],
        actor=RULE,
        at=now,
    )
    standing = {row.sku for row in rows}
    for wish in wishes:
        if wish.sku not in standing:
            # Unbound since it was read: there is nothing left to halt.
            with suppress(NothingToHalt):
                set_halt(
                    connection,
                    channel,
                    wish.sku,
                    wish.reason,
                    RULE,
                    now,
                    wish.drift_id,
                    call_at=call_at,
                )
                standing.add(wish.sku)
    return standing
