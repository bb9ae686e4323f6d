"""Failed logins in PostgreSQL, by address and quarter of an hour: Redis may be emptied, and guessing stays slow."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

#: Failures of one address, and of all, in one window; after that nobody is let in from there until it is over.
MOST_OF_ONE: Final = 10
MOST_OF_ALL: Final = 300
WINDOW: Final = timedelta(minutes=15)

_COUNTED = text("""
    SELECT coalesce(sum(failures) FILTER (WHERE address = :address), 0) AS of_one, coalesce(sum(failures), 0) AS of_all
    FROM login_failure WHERE window_at = :window_at
""")
_FAILED = text("""
    INSERT INTO login_failure AS f (address, window_at, failures) VALUES (:address, :window_at, 1)
    ON CONFLICT (address, window_at) DO UPDATE SET failures = f.failures + 1
""")
_FORGET = text("DELETE FROM login_failure WHERE window_at < :before")


def wait_s(connection: Connection, address: str, now: datetime) -> int:
    """Seconds until somebody from there may try again; 0: at once."""
    window_at = _window(now)
    row = connection.execute(_COUNTED, {"address": address[:100], "window_at": window_at}).one()
    if row.of_one < MOST_OF_ONE and row.of_all < MOST_OF_ALL:
        return 0
    return max(1, int((window_at + WINDOW - now).total_seconds()) + 1)


def failed(connection: Connection, address: str, now: datetime) -> None:
    """Count a failure; what is long over is forgotten."""
    window_at = _window(now)
    connection.execute(_FORGET, {"before": window_at - WINDOW})
    connection.execute(_FAILED, {"address": address[:100], "window_at": window_at})


def _window(now: datetime) -> datetime:
    return now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
