"""A SKU done over: computed anew, and its numbers sent again though nothing seems to differ."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, text

from allocation import backlog
from console.access.types import Unknown
from ledger.db import transaction
from reconcile.pages import Repush, repush
from reconcile.trail import record

_KNOWN = text("SELECT FROM sku WHERE sku = :sku")
_DUE = text("""
    INSERT INTO due (sku, since) VALUES (:sku, :now)
    ON CONFLICT (sku) DO UPDATE SET since = least(due.since, excluded.since)
""")
_PLACES = text("""
    SELECT channel, location FROM target
    WHERE sku = :sku AND (CAST(:channel AS text) IS NULL OR channel = :channel) ORDER BY channel, location
""")
#: As a first number or a repair: after what falls, before what rises.
_PRIORITY = 2


def resync(
    engine: Engine, sku: str, channel: str | None, *, by: str, reason: str, now: datetime
) -> list[str]:
    """Compute a SKU anew and send its numbers again, on one channel or all; parked ones are tried again.

    returns    the channels it is sent to; what is halted or paused stays so, and goes out after
    raises     Unknown: no such SKU, or no channel has a number of it
    """
    with transaction(engine) as connection:
        if connection.execute(_KNOWN, {"sku": sku}).one_or_none() is None:
            raise Unknown(f"there is no SKU {sku!r}: see `lockstep sku show`")
        places = connection.execute(_PLACES, {"sku": sku, "channel": channel}).all()
        if not places:
            raise Unknown(f"no channel has a number of {sku!r}: `lockstep channel map` lists it")
        connection.execute(_DUE, {"sku": sku, "now": now})
        channels = sorted({place.channel for place in places})
        for name in channels:
            backlog.unpark(connection, name, now, [sku])
            wanted = [
                Repush(sku, place.location, _PRIORITY, now)
                for place in places
                if place.channel == name
            ]
            repush(connection, name, wanted, now)
        record(
            connection, actor=by, action="sku.resync", what=f"sku:{sku}", at=now, reason=reason,
            detail={"channels": channels},
        )  # fmt: skip
    return channels
