"""What requests may ask that read beside the lists."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from console.api.words import Moment, Name, Said
from console.views.listing import MOST
from console.views.timeline import KINDS

Rows = Annotated[int, Field(ge=1, le=MOST)]


def _known_kind(said: str) -> str:
    if said not in KINDS:
        raise ValueError(f"must be one of {', '.join(KINDS)}")
    return said


def _quarter(said: str) -> str:
    return said.upper()


class TimelineQuery(Said):
    """since: a day ago if left out; until: now."""

    since: Moment | None = None
    until: Moment | None = None
    kind: (
        Annotated[str, AfterValidator(_known_kind), Field(json_schema_extra={"enum": KINDS})] | None
    ) = None
    channel: Name | None = None


class MomentQuery(Said):
    """at: the moment that is asked about."""

    at: Moment


class ChartQuery(Said):
    """One place of a SKU, over the last hours."""

    channel: Name
    location: Name
    hours: Annotated[int, Field(ge=1, le=24 * 30)] = 24


class LocationQuery(Said):
    """location: only this one."""

    location: Name | None = None


class ForecastQuery(Said):
    """days ahead; location: only this one."""

    days: Annotated[int, Field(ge=1, le=366)] = 28
    location: Name | None = None


class ReorderQuery(Said):
    """What the list would be by other terms than those that are kept; left out: by those.

    service       percent of replenishment cycles that must not run out
    lead_days     with its deviation: where fewer than 3 receipts are known
    every         also places where nothing is to be ordered
    """

    service: Annotated[float, Field(ge=50, le=99.99)] | None = None
    lead_days: Annotated[float, Field(ge=0, le=730)] | None = None
    lead_sd_days: Annotated[float, Field(ge=0, le=365)] | None = None
    review_days: Annotated[float, Field(ge=1, le=365)] | None = None
    pack: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    minimum: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    every: bool = False


class OrderQuery(Said):
    """An order by its name at the channel."""

    order: Name
    channel: Name | None = None


class FindQuery(Said):
    """Whatever goes by these words."""

    q: Name


class RateQuery(Said):
    """weeks: how many."""

    weeks: Annotated[int, Field(ge=1, le=520)] = 12
    channel: Name | None = None


class PlanQuery(Said):
    """day: what is due by its end (UTC), today if left out; lines: most of a location."""

    location: Name | None = None
    day: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))] | None = None
    lines: Annotated[int, Field(ge=1, le=100_000)] | None = None


class QuarterQuery(Said):
    """quarter: such as 2026Q4."""

    quarter: Annotated[str, Field(pattern=r"^20[0-9]{2}[Qq][1-4]$"), AfterValidator(_quarter)]


class DocumentsQuery(Said):
    """trouble: only those that need somebody, or wait."""

    partner: Name | None = None
    order: Name | None = None
    trouble: bool = False
    limit: Rows = 50


class AmazonQuery(Said):
    """channel: where there are several of Amazon."""

    channel: Name | None = None


class FbaQuery(AmazonQuery):
    """sku: ours or Amazon's; off: only what differs from the book."""

    sku: Name | None = None
    off: bool = False


class ChangesQuery(AmazonQuery):
    """sku: Amazon's; rest: only what is not explained."""

    sku: Name | None = None
    rest: bool = False
    limit: Rows = 50


class McfQuery(AmazonQuery):
    """problems: only those that cannot be booked."""

    problems: bool = False
    limit: Rows = 50


class OffersQuery(AmazonQuery):
    """days: how far to look back."""

    days: Annotated[int, Field(ge=1, le=366)] = 7
