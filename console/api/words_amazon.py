"""What requests about the health of Amazon's stock may ask, and say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from allocation.planning.send_in import Terms
from allocation.planning.size_store import Size
from console.api.words import Name, Said
from console.api.words_acts import Short
from console.api.words_reads import AmazonQuery
from console.verbs.amazon_room import STORAGE_TYPES, size_of

#: Cubic feet, inches and pounds.
Feet = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=13, decimal_places=6)]


def _known_type(said: str | None) -> str | None:
    if said is not None and said not in STORAGE_TYPES:
        raise ValueError(f"must be one of {', '.join(STORAGE_TYPES)}")
    return said


class StandingQuery(AmazonQuery):
    """sku: as Amazon names it."""

    sku: Name


class SendInQuery(AmazonQuery):
    """What a proposal is made with; home: only what lies there."""

    target_days: Annotated[float, Field(ge=1, le=366)] = 45
    lead_days: Annotated[float, Field(ge=0, le=366)] = 14
    keep_days: Annotated[float, Field(ge=0, le=366)] = 14
    home: Name | None = None

    def terms(self) -> Terms:
        """The terms."""
        return Terms(self.target_days, self.lead_days, self.keep_days)


class SizesQuery(Said):
    """sku: only this one of ours."""

    sku: Name | None = None


class SizeRow(Said):
    """How large a unit is, in cubic feet or by its three sides in inches, and a carton; null: as its units.

    pounds    that a unit weighs; null: not known
    """

    sku: Name
    cubic_feet: Feet | None = None
    length_in: Feet | None = None
    width_in: Feet | None = None
    height_in: Feet | None = None
    storage_type: Annotated[str, Field(json_schema_extra={"enum": list(STORAGE_TYPES)})] = (
        "standard"
    )
    carton_units: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    carton_cubic_feet: Feet | None = None
    pounds: Feet | None = None

    _known = field_validator("storage_type")(_known_type)

    @model_validator(mode="after")
    def _is_measured(self) -> SizeRow:
        self.size()
        return self

    def size(self) -> Size:
        """The size that is meant. Raises ValueError."""
        sides = (self.length_in, self.width_in, self.height_in)
        return size_of(
            self.sku,
            self.cubic_feet,
            sides,
            self.storage_type,
            self.carton_units,
            self.carton_cubic_feet,
            self.pounds,
        )


class Sizes(Said):
    """How large units are; file: the name that is kept with it."""

    file: Short = "api"
    rows: list[SizeRow] = Field(min_length=1, max_length=20_000)


class CapacitySet(Said):
    """A limit of storage as Seller Central shows it, in cubic feet, in Amazon's units, or both.

    since      the first day it holds, today if left out;  channel  where there are several
    """

    channel: Name | None = None
    storage_type: Annotated[str, Field(json_schema_extra={"enum": list(STORAGE_TYPES)})] = (
        "standard"
    )
    cubic_feet: Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=2)] | None = None
    units: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    since: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))] | None = None

    _known = field_validator("storage_type")(_known_type)

    @model_validator(mode="after")
    def _says_a_limit(self) -> CapacitySet:
        if self.cubic_feet is None and self.units is None:
            raise ValueError("say cubic_feet or units")
        return self

    def told(self) -> dict[str, Any]:
        """What is written down of who asked."""
        return {"name": self.channel, "storage_type": self.storage_type, "units": self.units}
