"""Words of Amazon's own stock: the parts of a SKU in its network, one reading of them, and how both are read.

Source: models/fbaInventory.json and schemas/notifications/FBAInventoryAvailabilityChangeNotification.json of
github.com/amzn/selling-partner-api-models, commit 34dc93f.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from channels.amazon.wire import Lenient, Moment

Source = Literal["summary", "notification"]
_Units = Annotated[int, Field(ge=0, le=1_000_000_000)]


@dataclass(frozen=True, slots=True)
class Parts:
    """Units of one SKU in Amazon's network by what happens to them, in Amazon's units.

    fulfillable       can be sold now
    pending_orders    ordered by a customer, Multi-Channel Fulfillment included, and not shipped yet
    transshipment     on its way between two fulfillment centers;  processing  being measured, sorted or checked
    researching       perhaps lost;  unfulfillable  damaged, defective or expired
    inbound_*         planned, sent, being received: none of it is there yet
    """

    fulfillable: int
    pending_orders: int = 0
    transshipment: int = 0
    processing: int = 0
    inbound_working: int = 0
    inbound_shipped: int = 0
    inbound_receiving: int = 0
    researching: int = 0
    unfulfillable: int = 0

    @property
    def held(self) -> int:
        """Units in sellable condition that cannot be sold at the moment."""
        return self.transshipment + self.processing + self.researching

    @property
    def in_house(self) -> int:
        """Units in sellable condition that are there: what Amazon's ledger counts as SELLABLE."""
        return self.fulfillable + self.pending_orders + self.held

    @property
    def inbound(self) -> int:
        """Units that are announced or on their way."""
        return self.inbound_working + self.inbound_shipped + self.inbound_receiving


PARTS: Final = tuple(part.name for part in fields(Parts))


@dataclass(frozen=True, slots=True)
class FbaReading:
    """What Amazon says it holds of one seller SKU, and when that was so by Amazon's clock."""

    seller_sku: str
    as_of: datetime
    source: Source
    parts: Parts


@dataclass(frozen=True, slots=True)
class Page:
    """Readings of one answer.

    unreadable    seller SKUs whose row says too little: unknown, like rows that are not there
    next_token    lives for 30 seconds, "" on the last page
    """

    readings: tuple[FbaReading, ...]
    unreadable: tuple[str, ...]
    next_token: str


class _Camel(Lenient):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class _Reserved(_Camel):
    pending_customer_order_quantity: _Units
    pending_transshipment_quantity: _Units
    fc_processing_quantity: _Units


class _Researching(_Camel):
    total_researching_quantity: _Units = 0


class _Unfulfillable(_Camel):
    total_unfulfillable_quantity: _Units = 0


class _Details(_Camel):
    fulfillable_quantity: _Units
    reserved_quantity: _Reserved
    inbound_working_quantity: _Units = 0
    inbound_shipped_quantity: _Units = 0
    inbound_receiving_quantity: _Units = 0
    researching_quantity: _Researching = _Researching()
    unfulfillable_quantity: _Unfulfillable = _Unfulfillable()


class _Summary(_Camel):
    seller_sku: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]
    last_updated_time: Moment
    inventory_details: _Details


class _Payload(_Camel):
    inventory_summaries: tuple[object, ...] = ()


class _Pagination(_Camel):
    next_token: str | None = None


class Summaries(_Camel):
    """The answer of getInventorySummaries; rows are read one by one (`page_of`), so that a bad one hides no other."""

    payload: _Payload
    pagination: _Pagination | None = None


def page_of(answer: Summaries) -> Page:
    """The readings of one answer."""
    readings: list[FbaReading] = []
    unreadable: list[str] = []
    for row in answer.payload.inventory_summaries:
        try:
            summary = _Summary.model_validate(row)
        except ValidationError:
            unreadable.append(str(row.get("sellerSku", "")) if isinstance(row, dict) else "")
            continue
        readings.append(
            FbaReading(
                summary.seller_sku,
                summary.last_updated_time,
                "summary",
                _parts(summary.inventory_details),
            )
        )
    token = answer.pagination.next_token if answer.pagination else None
    return Page(tuple(readings), tuple(unreadable), token or "")


def _parts(details: _Details) -> Parts:
    reserved = details.reserved_quantity
    return Parts(
        fulfillable=details.fulfillable_quantity,
        pending_orders=reserved.pending_customer_order_quantity,
        transshipment=reserved.pending_transshipment_quantity,
        processing=reserved.fc_processing_quantity,
        inbound_working=details.inbound_working_quantity,
        inbound_shipped=details.inbound_shipped_quantity,
        inbound_receiving=details.inbound_receiving_quantity,
        researching=details.researching_quantity.total_researching_quantity,
        unfulfillable=details.unfulfillable_quantity.total_unfulfillable_quantity,
    )


class _Lower(Lenient):
    """Names as `wire.notice` leaves them: small letters and nothing between the words."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", ""), extra="ignore")


class _Inbound(_Lower):
    working: _Units = 0
    shipped: _Units = 0
    receiving: _Units = 0


class _ReservedTold(_Lower):
    warehouse_processing: _Units
    warehouse_transfer: _Units
    pending_customer_order: _Units


class _Inventory(_Lower):
    fulfillable: _Units
    reserved_quantity_breakdown: _ReservedTold
    inbound_quantity_breakdown: _Inbound = _Inbound()
    unfulfillable: _Units = 0
    researching: _Units = 0


class _Marketplace(_Lower):
    marketplace_id: str
    fulfillment_inventory: _Inventory


class _Told(_Lower):
    sku: Annotated[str, Field(min_length=1)]
    fulfillment_inventory_by_marketplace: list[dict[str, object]]


def told(
    payload: Mapping[str, object], event_time: datetime, marketplace_id: str
) -> FbaReading | None:
    """The reading in a FBA_INVENTORY_AVAILABILITY_CHANGES; None where it says nothing of this marketplace.

    payload    as `wire.notice` has it
    """
    try:
        said = _Told.model_validate(payload)
        here = next(_here(said.fulfillment_inventory_by_marketplace, marketplace_id), None)
    except ValidationError:
        return None
    if here is None:
        return None
    inbound, reserved = here.inbound_quantity_breakdown, here.reserved_quantity_breakdown
    parts = Parts(
        fulfillable=here.fulfillable,
        pending_orders=reserved.pending_customer_order,
        transshipment=reserved.warehouse_transfer,
        processing=reserved.warehouse_processing,
        inbound_working=inbound.working,
        inbound_shipped=inbound.shipped,
        inbound_receiving=inbound.receiving,
        researching=here.researching,
        unfulfillable=here.unfulfillable,
    )
    return FbaReading(said.sku, event_time, "notification", parts)


def _here(rows: Iterable[dict[str, object]], marketplace_id: str) -> Iterator[_Inventory]:
    for row in rows:
        if row.get("marketplaceid") == marketplace_id:
            yield _Marketplace.model_validate(row).fulfillment_inventory
