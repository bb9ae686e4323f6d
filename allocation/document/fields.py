"""Kinds of values in the rule file: units, parts, moments, names."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

_YEARS = range(2000, 3000)


def zone_of(name: str) -> tzinfo:
    """A time zone by its name.

    raises    ZoneInfoNotFoundError, ValueError, OSError: there is none
    source    the IANA time zone database, https://www.iana.org/time-zones
    """
    return UTC if name == "UTC" else ZoneInfo(name)


def instant(moment: date, zone: tzinfo) -> datetime:
    """A date (its first moment) or a date with time as UTC; without an offset of its own it is of `zone`."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - the zone follows
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "time_zone", "input should be the name of a time zone, such as Europe/Oslo"
        ) from None
    return name


def _moment(value: object) -> date:
    if not isinstance(value, date):
        raise PydanticCustomError(
            "moment",
            "input should be a date (2026-11-20) or a date with time (2026-11-20T18:00:00), without quotes",
        )
    if value.year not in _YEARS:
        raise PydanticCustomError("moment", "input should be a year from 2000 to 2999")
    return value


def _text(moment: date) -> str:
    return moment.isoformat()


def number(value: object) -> object:
    """A number as TOML knows it; true is none, and neither is text."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticCustomError("number", "input should be a number")
    return value


Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Weight = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
Money = Annotated[Decimal, BeforeValidator(number), Field(ge=0, le=1_000_000_000)]
Days = Annotated[Decimal, BeforeValidator(number), Field(ge=0, le=3650)]
Service = Annotated[
    Decimal, BeforeValidator(number), Field(ge=Decimal("0.5"), le=Decimal("0.9999"))
]
Chance = Annotated[float, BeforeValidator(number), Field(gt=0, lt=1)]
Measure = Annotated[float, BeforeValidator(number), Field(ge=0, le=1_000_000_000)]
Minutes = Annotated[float, BeforeValidator(number), Field(ge=0, le=10_080)]
Moment = Annotated[date, PlainValidator(_moment), PlainSerializer(_text)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Address = Annotated[
    str, StringConstraints(pattern=r"^(https?|sftp)://[^/@\s]+(/[^@\s]*)?$|^file:///[^@\s]+$")
]
Why = Annotated[str, StringConstraints(strip_whitespace=True)]
