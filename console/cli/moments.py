"""A moment as people write it: how long ago, or a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from workers.wiring import now

_SPAN: Final = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class Moment(click.ParamType[datetime]):
    """How long ago, or a moment (UTC unless it says otherwise)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        if (span := _SPAN.fullmatch(str(value))) is not None:
            return now() - timedelta(**{_UNITS[span[2]]: int(span[1])})
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r}: write 30m, 24h, 7d, or 2026-03-12T14:03 (UTC)")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
