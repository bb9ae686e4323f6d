"""What is known of a channel beside its queue: its certificate, whether its orders are all in the book."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from console.access.types import Unknown
from reconcile.completeness import completeness, reasons
from workers.flows import certificate

#: An order API is asked each quarter of an hour; when it was not for so long, nobody knows what is missing.
LATE: Final = timedelta(hours=1)


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
    """Of each channel, or of one: orders told in so many hours, booked, and what is missing whenever it came.

    late       its order API was last read so long ago that orders may be missing of which nothing is known
    reasons    why gaps are not booked, the most frequent first
    raises     Unknown: there is no such channel
    """
    found = completeness(connection, now - timedelta(hours=hours), channel)
    if channel is not None and not found:
        raise Unknown(f"there is no channel {channel}: see lockstep channel list")
    why = reasons(connection, [each.channel for each in found if each.gaps])
    return [
        asdict(each)
        | {
            "percent": None if each.percent is None else round(each.percent, 4),
            "oldest_gap_s": _age_s(each.oldest_gap_at, now),
            "behind_s": _age_s(each.complete_to, now),
            "late": each.complete_to is not None and now - each.complete_to > LATE,
            "reasons": [asdict(reason) for reason in why.get(each.channel, ())],
        }
        for each in found
    ]


def _age_s(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else round((now - at).total_seconds())
