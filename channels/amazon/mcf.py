"""Multi-Channel Fulfillment: orders of other shops that Amazon ships from its stock, its documents as values.

One order shows up three times: in the shop that took it, as an MCF order, and in Amazon's own order list (sales channel
NON_AMAZON, ids that begin with S). Only the first two are looked at here, and one of them holds the units.

Source: models/fulfillmentOutbound_2020-07-01.json of github.com/amzn/selling-partner-api-models, commit 34dc93f.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from channels.amazon.wire import Lenient, Moment

#: Nothing of such an order will change any more.
ENDED: Final = ("Complete", "CompletePartialled", "Cancelled", "Unfulfillable", "Invalid")
#: Asked for by us; Amazon has not said yet that it has it.
ASKED: Final = "Asked"
LONGEST_ID: Final = 40
LINES_AT_MOST: Final = 100

#: In the spelling of 2020-07-01; the model of 2026-07-04 writes COMPLETE_PARTIAL.
_STATUSES: Final = {
    name.lower(): name for name in ("New", "Received", "Planning", "Processing", *ENDED)
} | {"completepartial": "CompletePartialled"}
_SHORTEST_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class McfOrder:
    """An MCF order as the list shows it."""

    seller_id: str
    displayable_id: str
    status: str
    received_at: datetime
    status_at: datetime


@dataclass(frozen=True, slots=True)
class McfLine:
    """One item; units are Amazon's, cancelled and unfulfillable ones among `units`."""

    item_id: str
    seller_sku: str
    units: int
    cancelled: int = 0
    unfulfillable: int = 0


@dataclass(frozen=True, slots=True)
class McfShipped:
    """Units of an item that left in one shipment."""

    shipment_id: str
    item_id: str
    units: int
    shipped_at: datetime


@dataclass(frozen=True, slots=True)
class McfDetail:
    """Everything about one MCF order."""

    order: McfOrder
    lines: tuple[McfLine, ...]
    shipped: tuple[McfShipped, ...]

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.order.status in ENDED


class _Camel(Lenient):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class _Order(_Camel):
    seller_fulfillment_order_id: Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
    displayable_order_id: str = ""
    fulfillment_order_status: str
    received_date: Moment
    status_updated_date: Moment


class _Item(_Camel):
    seller_fulfillment_order_item_id: Annotated[str, Field(min_length=1)]
    seller_sku: str
    quantity: Annotated[int, Field(ge=0)]
    cancelled_quantity: Annotated[int, Field(ge=0)] = 0
    unfulfillable_quantity: Annotated[int, Field(ge=0)] = 0


class _ShippedItem(_Camel):
    seller_fulfillment_order_item_id: str
    quantity: Annotated[int, Field(ge=0)]


class _Shipment(_Camel):
    amazon_shipment_id: Annotated[str, Field(min_length=1)]
    fulfillment_shipment_status: str
    shipping_date: Moment | None = None
    fulfillment_shipment_item: tuple[_ShippedItem, ...] = ()


class _Listed(_Camel):
    fulfillment_orders: tuple[_Order, ...] = ()
    next_token: str | None = None


class _Detailed(_Camel):
    fulfillment_order: _Order
    fulfillment_order_items: tuple[_Item, ...] = ()
    fulfillment_shipments: list[_Shipment] | None = None


class _Answer(_Camel):
    @model_validator(mode="before")
    @classmethod
    def _with_or_without_payload(cls, said: object) -> object:
        """The model has a payload, the vendor's sandbox answers what would be in it."""
        if isinstance(said, dict) and "payload" not in said:
            return {"payload": said}
        return said


class Listing(_Answer):
    """The answer of listAllFulfillmentOrders."""

    payload: _Listed = _Listed()

    @property
    def orders(self) -> tuple[McfOrder, ...]:
        """The orders of this page."""
        return tuple(_order(one) for one in self.payload.fulfillment_orders)


class Detailed(_Answer):
    """The answer of getFulfillmentOrder."""

    payload: _Detailed

    @property
    def detail(self) -> McfDetail:
        """The order with its lines and what has left."""
        said = self.payload
        lines = tuple(
            McfLine(
                item.seller_fulfillment_order_item_id,
                item.seller_sku,
                item.quantity,
                item.cancelled_quantity,
                item.unfulfillable_quantity,
            )
            for item in said.fulfillment_order_items
        )
        return McfDetail(_order(said.fulfillment_order), lines, _shipped(said))


def _order(said: _Order) -> McfOrder:
    status = said.fulfillment_order_status
    return McfOrder(
        said.seller_fulfillment_order_id,
        said.displayable_order_id,
        _STATUSES.get(status.replace("_", "").lower(), status),
        said.received_date,
        said.status_updated_date,
    )


def _shipped(said: _Detailed) -> tuple[McfShipped, ...]:
    found: list[McfShipped] = []
    for shipment in said.fulfillment_shipments or ():
        if shipment.fulfillment_shipment_status.upper() != "SHIPPED":
            continue
        left_at = shipment.shipping_date or said.fulfillment_order.status_updated_date
        units: Counter[str] = Counter()
        for item in shipment.fulfillment_shipment_item:
            units[item.seller_fulfillment_order_item_id] += item.quantity
        found += [
            McfShipped(shipment.amazon_shipment_id, item, count, left_at)
            for item, count in sorted(units.items())
            if count
        ]
    return tuple(found)


def own_id(channel: str, order: str) -> str:
    """Our sellerFulfillmentOrderId for an order of a channel: always the same, so that asking twice asks once."""
    plain = f"{channel}-{order}"
    if len(plain) <= LONGEST_ID and re.fullmatch(r"[\w#.-]+", plain):
        return plain
    return f"{channel[:7]}-{hashlib.sha256(plain.encode()).hexdigest()[:32]}"


def may_name(order: McfOrder) -> tuple[str, ...]:
    """What an MCF order may call the order it is for, likeliest first: its ids, then the longer words in them."""
    whole = [order.seller_id, order.displayable_id]
    words = [
        word
        for said in whole
        for word in re.split(r"[^0-9A-Za-z]+", said)
        if len(word) >= _SHORTEST_TOKEN
    ]
    return tuple(dict.fromkeys(name for name in (*whole, *words) if name))


class Address(BaseModel):
    """Where Amazon sends it. Never kept: it goes to Amazon and nowhere else."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)

    name: Annotated[str, Field(min_length=1)]
    address_line1: Annotated[str, Field(min_length=1, alias="addressLine1")]
    address_line2: Annotated[str | None, Field(alias="addressLine2")] = None
    address_line3: Annotated[str | None, Field(alias="addressLine3")] = None
    city: str | None = None
    district_or_county: str | None = None
    state_or_region: str | None = None
    postal_code: Annotated[str, Field(min_length=1)]
    country_code: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What Amazon is asked to ship.

    hold    take the units and wait for the word to ship
    """

    seller_id: str
    displayable_id: str
    ordered_at: datetime
    lines: Sequence[McfLine]
    speed: str = "Standard"
    comment: str = "Thank you for your order"
    hold: bool = False


def request(wanted: Wanted, address: Address, marketplace_id: str) -> dict[str, object]:
    """The body of createFulfillmentOrder. All or nothing: what cannot be shipped whole stays with who sold it."""
    return {
        "marketplaceId": marketplace_id,
        "sellerFulfillmentOrderId": wanted.seller_id,
        "displayableOrderId": wanted.displayable_id[:LONGEST_ID],
        "displayableOrderDate": wanted.ordered_at.isoformat().replace("+00:00", "Z"),
        "displayableOrderComment": wanted.comment,
        "shippingSpeedCategory": wanted.speed,
        "fulfillmentAction": "Hold" if wanted.hold else "Ship",
        "fulfillmentPolicy": "FillOrKill",
        "destinationAddress": address.model_dump(by_alias=True, exclude_none=True),
        "items": [
            {
                "sellerSku": line.seller_sku,
                "sellerFulfillmentOrderItemId": line.item_id,
                "quantity": line.units,
            }
            for line in wanted.lines
        ],
    }
