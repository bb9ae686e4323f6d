"""What requests that change the book, wholesale and Amazon may say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from allocation.programs import Ends, Policy
from console.api.words import Moment, Name, Reason, Said
from console.verbs.edi import Notice
from console.verbs.programs import Wish

_LINE = r"^[^\x00-\x1f\x7f]*$"
_MOST_UNITS = 1_000_000_000
#: Who asks makes the id, so that a request that is sent twice counts once.
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
Units = Annotated[int, Field(ge=0, le=_MOST_UNITS)]
Percent = Annotated[Decimal, Field(gt=0, le=100, max_digits=7, decimal_places=4)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000_000, max_digits=14, decimal_places=4)]
Short = Annotated[str, Field(max_length=128, pattern=_LINE)]


class SkusAdd(Said):
    """SKUs that are to be known."""

    skus: list[Name] = Field(min_length=1, max_length=1000)
    title: Annotated[str, Field(max_length=300, pattern=_LINE)] = ""


class LocationsAdd(Said):
    """Locations that are to be known."""

    locations: list[Name] = Field(min_length=1, max_length=1000)
    kind: Literal["warehouse", "store", "mirror"] = "warehouse"


class Resync(Reason):
    """A SKU that is to be computed anew and sent again; without a channel to all."""

    sku: Name
    channel: Name | None = None


class Adjust(Reason):
    """Units found, or gone where they are below zero."""

    id: Key
    sku: Name
    location: Name
    units: Annotated[int, Field(ge=-_MOST_UNITS, le=_MOST_UNITS)]


class Reverse(Reason):
    """An event that is to be undone."""

    source: Name
    event_id: Annotated[str, Field(min_length=1, max_length=255, pattern=_LINE)]


class Expect(Said):
    """A line of what is to come; due: a day or a moment."""

    id: Key
    sku: Name
    location: Name
    units: Units
    due: date | Moment
    reference: Name


class EmptyShelf(Said):
    """A pick found nothing; set_aside: units that wait for other customers already."""

    id: Key
    sku: Name
    location: Name
    set_aside: Units = 0


class CountOrder(Reason):
    """A place that is to be counted again."""

    sku: Name
    location: Name


class WorthRow(Said):
    """What a unit costs and is sold for; null leaves what is known."""

    sku: Name
    cost: Money | None = None
    price: Money | None = None


class Worths(Said):
    """What units are worth; file: the name that is kept with it."""

    file: Short = "api"
    rows: list[WorthRow] = Field(min_length=1, max_length=20_000)


class TermsRow(Said):
    """Terms, whole: of a SKU; without one of the supplier, without both of the house. Null: as these say.

    service, holding    percent
    """

    sku: Name | None = None
    supplier: Name | None = None
    pack: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    minimum: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    lead_days: Annotated[float, Field(ge=0, le=730)] | None = None
    lead_sd_days: Annotated[float, Field(ge=0, le=365)] | None = None
    review_days: Annotated[float, Field(ge=0.25, le=365)] | None = None
    service: Annotated[float, Field(ge=50, le=99.99)] | None = None
    order_cost: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    holding: Annotated[float, Field(ge=0.1, le=200)] | None = None


class TermsRows(Said):
    """Terms of many; file: the name that is kept with it."""

    file: Short = "api"
    rows: list[TermsRow] = Field(min_length=1, max_length=20_000)


class Owner(Said):
    """Who mends what keeps drifting; channel, cause: "" is any."""

    owner: Name
    channel: Short = ""
    cause: Short = ""


class ProgramNew(Reason):
    """A program: units, or percent of what is available or of a receipt, of each SKU."""

    partner: Name
    skus: list[Name] = Field(min_length=1, max_length=100)
    location: Name
    units: Annotated[int, Field(ge=1, le=_MOST_UNITS)] | None = None
    percent: Percent | None = None
    receipt: Name | None = None
    since: Moment
    until: Moment
    policy: Policy = Policy.CAP
    ends: Ends = Ends.ITSELF
    steps: list[tuple[Moment, Annotated[int, Field(ge=0, le=100)]]] = Field(
        default=[], max_length=50
    )
    partial: bool = False
    name: Name

    def wish(self) -> Wish:
        """What they ask for."""
        said = {name: getattr(self, name) for name in Wish.__slots__}
        return Wish(**said | {"skus": tuple(self.skus), "steps": tuple(self.steps)})


class ProgramRelease(Reason):
    """Without units all of it, for good."""

    units: Annotated[int, Field(ge=1, le=_MOST_UNITS)] | None = None


class NoticeNew(Said):
    """A ship notice; lines: [line, store, units] that are believed to have gone, else what the ledger says."""

    partner: Name
    number: Name
    release: Short = ""
    lines: list[tuple[Short, Short, Annotated[int, Field(ge=1, le=_MOST_UNITS)]]] = Field(
        default=[], max_length=1000
    )
    cartons: Annotated[str, Field(max_length=900_000, pattern=r"^[^\x00]*$")] = ""
    carrier: Short = ""
    bill: Short = ""
    tracking: Short = ""
    weight: Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=3)] | None = None

    def notice(self) -> Notice:
        """What they ask for."""
        said = {name: getattr(self, name) for name in Notice.__slots__}
        lines = {(line, store): units for line, store, units in self.lines}
        return Notice(**said | {"lines": lines or None})

    def arguments(self) -> dict[str, Any]:
        """As they are written down: a packing list by its length."""
        return super().arguments() | {"cartons": len(self.cartons)}


class IpiSet(Said):
    """A score as Seller Central shows it; channel: where there are several."""

    channel: Name | None = None
    score: Annotated[int, Field(ge=0, le=1000)]
    threshold: Annotated[int, Field(ge=0, le=1000)] | None = None
    scored_on: date | None = None


class RulesPlan(Said):
    """The text of a rule file that is to be tried; sku: a name or a pattern."""

    source: Annotated[str, Field(min_length=1, max_length=900_000, pattern=r"^[^\x00]*$")]
    sku: Annotated[str, Field(min_length=1, max_length=128, pattern=_LINE)] = "*"
    limit: Annotated[int, Field(ge=0, le=10_000)] = 50


class RulesCheck(Said):
    """The text of a rule file that is to be read."""

    source: Annotated[str, Field(min_length=1, max_length=900_000, pattern=r"^[^\x00]*$")]
