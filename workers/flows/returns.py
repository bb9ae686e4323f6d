"""The first answer of a vendor that was away: what waited for it is due at once."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Engine

from ledger.db import transaction
from reconcile import returns

log = structlog.get_logger(__name__)


def answered(engine: Engine, channel: str, now: datetime) -> int:
    """A call to a channel was answered; returns how many numbers are due because of it: the sweep rings for them."""
    with transaction(engine) as connection:
        due = returns.answered(connection, channel, now)
    if due:
        log.info("channel.back", channel=channel, due=due)
    return due
