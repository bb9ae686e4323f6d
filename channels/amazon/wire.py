"""Amazon's documents as values: what listings show, orders as the order API tells them, notifications in one spelling.

Everything is read leniently: what we do not use may be absent, changed or new.

Source: github.com/amzn/selling-partner-api-models, commit 34dc93f, 2026-08-05 (models and notification schemas).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from channels.base import Unreadable

#: Vendor locations of our bindings: what the seller ships, what Amazon ships. Another code is a supply source's id.
MERCHANT: Final = "DEFAULT"
FBA: Final = "FBA"
#: Channel codes of Amazon's own network: AMAZON_NA, AMAZON_EU, ...
AMAZON_PREFIX: Final = "AMAZON_"

#: The topic of an order from the order API; every other topic is a notification's type.
ORDER_DOCUMENT: Final = "orders/2026-01-01"


def is_of_our_days(at: datetime) -> bool:
    """Whether a time can be told in every time zone; the first and the last year of the calendar cannot."""
    return MINYEAR < at.year < MAXYEAR


def _in_our_days(at: datetime) -> datetime:
    if not is_of_our_days(at):
        raise ValueError(f"the year {at.year} is none of ours")
    return at


Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_our_days)]


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a document, by its field and without its content."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the document"
    return f"{place}: {first['msg']}"


class Lenient(BaseModel):
    """A field that is null says as much as one that is not there."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, said: object) -> object:
        if isinstance(said, dict):
            return {name: value for name, value in said.items() if value is not None}
        return said


class _Camel(Lenient):
    """camelCase on the wire, whatever else stands there is left out."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


# ---- listings ----


class Availability(_Camel):
    """Units on one fulfillment channel; None where Amazon does not say, as for its own network."""

    fulfillment_channel_code: str
    quantity: int | None = None


class Summary(_Camel):
    """A listing in one marketplace."""

    marketplace_id: str = ""
    asin: str = ""
    created_date: Moment | None = None


class Item(_Camel):
    """A listing. `availabilities` is None where the data set is missing altogether."""

    sku: str
    summaries: tuple[Summary, ...] = ()
    availabilities: tuple[Availability, ...] | None = Field(None, alias="fulfillmentAvailability")

    @property
    def by_amazon(self) -> bool:
        """Amazon ships it, perhaps the seller too."""
        return any(
            one.fulfillment_channel_code.startswith(AMAZON_PREFIX)
            for one in self.availabilities or ()
        )

    def units(self, code: str) -> int | None:
        """What is offered on a channel; None where it has no such offer."""
        for one in self.availabilities or ():
            if one.fulfillment_channel_code == code:
                return one.quantity
        return None


class _Page(_Camel):
    next_token: str | None = None


class Items(_Camel):
    """One page of listings."""

    number_of_results: int = 0
    pagination: _Page = _Page()
    items: tuple[Item, ...] = ()


class Issue(_Camel):
    """What is wrong with a submission."""

    code: str = ""
    message: str = ""
    severity: str = "ERROR"


class Submission(_Camel):
    """What became of a write: ACCEPTED (it is applied later), INVALID (it is not), VALID (it was a preview)."""

    sku: str = ""
    status: str
    issues: tuple[Issue, ...] = ()


# ---- feeds ----


class FeedDocument(_Camel):
    """A document and the presigned url it is put to or fetched from."""

    feed_document_id: str
    url: str
    compression_algorithm: str = ""


class Feed(_Camel):
    """A feed on its way; `processing_status` is IN_QUEUE, IN_PROGRESS, DONE, CANCELLED or FATAL."""

    feed_id: str
    processing_status: str = ""
    result_feed_document_id: str = ""


class FeedIssue(Issue):
    """What is wrong with one message of a feed."""

    message_id: int | None = None
    sku: str = ""


class FeedSummary(_Camel):
    """How a feed's messages fared; None where it does not say."""

    messages_accepted: int | None = None


class FeedReport(_Camel):
    """The processing report of a listings feed."""

    issues: tuple[FeedIssue, ...] = ()
    summary: FeedSummary | None = None


# ---- orders of the order API ----


class Product(_Camel):
    """What was ordered."""

    asin: str = ""
    seller_sku: str = ""


class ItemFulfillment(_Camel):
    """How far an order item is."""

    quantity_fulfilled: int | None = Field(None, ge=0)
    quantity_unfulfilled: int | None = Field(None, ge=0)


class Cancelled(_Camel):
    """Units of an item were cancelled; why is not kept."""

    cancelled_by: str = ""


class Cancellation(_Camel):
    """What was asked for and done about cancelling an item; only what was done matters to stock."""

    cancellation_execution: Cancelled | None = None


class OrderItem(_Camel):
    """One line of an order; `quantity_ordered` stays what it was when units are cancelled."""

    order_item_id: str
    quantity_ordered: int = Field(ge=0)
    product: Product = Product()
    fulfillment: ItemFulfillment | None = None
    cancellation: Cancellation | None = None

    @property
    def is_cut(self) -> bool:
        """Some of its units were cancelled."""
        return (
            self.cancellation is not None and self.cancellation.cancellation_execution is not None
        )


class OrderFulfillment(_Camel):
    """Where an order stands and who ships it."""

    fulfillment_status: str = ""
    fulfilled_by: Literal["MERCHANT", "AMAZON", ""] = ""


class SalesChannel(_Camel):
    """Where an order was placed: AMAZON, or NON_AMAZON for what Amazon ships for another shop."""

    channel_name: str = ""
    marketplace_id: str = ""


class Order(_Camel):
    """An order without anything about its buyer: only what is named here is kept."""

    order_id: str
    created_time: Moment
    last_updated_time: Moment
    sales_channel: SalesChannel = SalesChannel()
    fulfillment: OrderFulfillment | None = None
    order_items: tuple[OrderItem, ...] = ()


class Named(_Camel):
    """An order that cannot be read, as far as it can be named: it hides no other, and a person sees its name.

    problem    what is wrong with it
    """

    order_id: str
    last_updated_time: Moment
    problem: str = ""


class Orders(_Camel):
    """One page of orders, each to be read by itself (`Order`, else `Named`)."""

    orders: tuple[dict[str, object], ...] = ()
    pagination: _Page = _Page()


# ---- notifications ----


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification in one spelling: all names in lower case, EventBridge's wrapping taken off."""

    kind: str
    payload: Mapping[str, object]
    notification_id: str
    event_time: str
    publish_time: str


def notice(body: bytes) -> Notice:
    """The notification in a delivery's body: PascalCase or camelCase, bare or inside an EventBridge event.

    raises    Unreadable, saying what is missing
    """
    try:
        # Stricter than Python's own reader: half a character ("\\ud800") could be written down nowhere.
        outer = _lowered(from_json(body))
    except ValueError as error:
        deep = "recursion" in str(error)
        raise Unreadable(
            f"a notification that is {'nested too deeply' if deep else 'not JSON'}"
        ) from None
    except RecursionError:
        raise Unreadable("a notification that is nested too deeply") from None
    if not isinstance(outer, dict):
        raise Unreadable("a notification that is not a JSON object")
    detail = outer.get("detail")
    envelope = detail if isinstance(detail, dict) and "detail-type" in outer else outer
    kind, payload = envelope.get("notificationtype"), envelope.get("payload")
    metadata = envelope.get("notificationmetadata")
    if not isinstance(kind, str) or not kind:
        raise Unreadable("a notification without NotificationType")
    if not isinstance(payload, dict):
        raise Unreadable(f"{kind}: a notification without Payload")
    told = metadata if isinstance(metadata, dict) else {}
    return Notice(
        kind=kind,
        payload=payload,
        notification_id=_text(told.get("notificationid")),
        event_time=_text(envelope.get("eventtime")),
        publish_time=_text(told.get("publishtime")),
    )


def lowered(document: Mapping[str, object]) -> dict[str, object]:
    """The same document with the names of all its objects in lower case."""
    return {name.lower(): _lowered(value) for name, value in document.items()}


def _lowered(value: object) -> object:
    if isinstance(value, dict):
        return lowered(value)
    if isinstance(value, list):
        return [_lowered(one) for one in value]
    if isinstance(value, str) and "\x00" in value:
        raise Unreadable(
            "a notification with a NUL in a text: no SKU has one, and no database keeps it"
        )
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
