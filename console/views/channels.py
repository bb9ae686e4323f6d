"""What is known of a channel beside its queue: its certificate, whether its orders are all in the book."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from console.access.types import Unknown
from reconcile.completeness import completeness
from workers.flows import certificate


def certificate_of(connection: Connection, name: str, key: bytes) -> dict[str, Any]:
    """The newest certificate of a channel; genuine: whether its signature is by this key. Raises Unknown."""
    found = certificate.newest(connection, name)
    if found is None:
        raise Unknown(f"{name} has no certificate: run `lockstep channel certify {name}`")
    report, signature = found
    genuine = certificate.is_genuine(report, signature, key)
    return report | {"signature": signature, "genuine": genuine}


def complete(
    connection: Connection, now: datetime, hours: int, channel: str | None = None
) -> list[dict[str, Any]]:
    """Of each channel, or of one: orders told in so many hours, booked, and what is missing whenever it came."""
    found = completeness(connection, now - timedelta(hours=hours), channel)
    return [
        asdict(each)
        | {
            "percent": None if each.percent is None else round(each.percent, 4),
            "oldest_gap_s": _age_s(each.oldest_gap_at, now),
            "behind_s": _age_s(each.complete_to, now),
        }
        for each in found
    ]


def _age_s(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else round((now - at).total_seconds())
