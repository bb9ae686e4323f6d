"""Channels stopped and resumed, numbers and deliveries taken up again, places let out of quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from allocation import backlog
from channels import bindings
from console.access.types import Unknown
from ledger import inbox
from ledger.db import transaction
from reconcile import aftermath, debt
from reconcile.trail import record


def known_channel(connection: Connection, name: str) -> None:
    """Raises Unknown when there is no such channel."""
    if not bindings.kinds(connection, [name]):
        raise Unknown(f"no channel {name!r}: see `lockstep channel list`")


def pause(engine: Engine, name: str, *, by: str, reason: str, now: datetime) -> bool:
    """Stop all pushes to a channel until somebody resumes it; False: it was stopped. Raises Unknown."""
    with transaction(engine) as connection:
        known_channel(connection, name)
        stopped = backlog.pause(connection, name, by, reason)
        if stopped:
            _trail(connection, "channel.pause", name, by, now, reason)
    return stopped


def resume(engine: Engine, name: str, *, by: str, reason: str, now: datetime) -> bool:
    """Let a stopped channel work again; False: it was not stopped. Raises Unknown."""
    with transaction(engine) as connection:
        known_channel(connection, name)
        resumed = backlog.resume(connection, name)
        if resumed:
            _trail(connection, "channel.resume", name, by, now, reason)
    return resumed


def retry_pushes(
    engine: Engine, channel: str, skus: Sequence[str], *, by: str, reason: str, now: datetime
) -> int:
    """Let parked numbers go out again, computed anew; without SKUs all of the channel. Returns how many."""
    with transaction(engine) as connection:
        count = backlog.unpark(connection, channel, now, list(skus) or None)
        if count:
            detail = {"skus": list(skus) or "all", "rows": count}
            _trail(connection, "push.retry", channel, by, now, reason, detail)
    return count


def replay(engine: Engine, deliveries: Sequence[int]) -> tuple[list[int], list[int]]:
    """Take parked deliveries through the drain again; returns those that are pending, and those left alone."""
    with transaction(engine) as connection:
        woken = list(inbox.replay(connection, tuple(deliveries)))
    return woken, sorted(set(deliveries) - set(woken))


def release(
    engine: Engine,
    sku: str,
    channel: str,
    location: str | None,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> list[str]:
    """Let a SKU out of quarantine, so that its numbers are pushed again; returns where. Raises Unknown."""
    with transaction(engine) as connection:
        places = {
            (row["sku"], row["location"])
            for row in aftermath.quarantined(connection, channel)
            if row["sku"] == sku and location in (None, row["location"])
        }
        found = aftermath.release(connection, channel, places, by, reason, now)
    if not found:
        raise Unknown(
            f"{sku} is not in quarantine on {channel}; `lockstep recon quarantine` shows what is"
        )
    return [place for _, place in found]


def own(
    engine: Engine, owner: str, channel: str, cause: str, *, by: str, now: datetime
) -> dict[str, str]:
    """Say who mends what keeps drifting; channel, cause: "" is any."""
    with transaction(engine) as connection:
        debt.own(connection, owner, by, now, channel=channel, cause=cause)
    return {"owner": owner, "channel": channel, "cause": cause}


def _trail(
    connection: Connection,
    action: str,
    channel: str,
    by: str,
    now: datetime,
    reason: str,
    detail: Mapping[str, object] | None = None,
) -> None:
    what = f"channel:{channel}"
    record(connection, actor=by, action=action, what=what, at=now, reason=reason, detail=detail)
