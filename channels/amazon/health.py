"""The health of the lane beside its stock: who has the featured offer, and what drives the IPI.

The Inventory Performance Index itself is in no API: a person types it in. Its drivers are in the planning report.

Sources: schemas/notifications/AnyOfferChangedNotification.json of github.com/amzn/selling-partner-api-models, commit
34dc93f; https://developer-docs.amazon.com/sp-api/docs/report-type-values-fba (GET_FBA_INVENTORY_PLANNING_DATA).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import ConfigDict, Field, ValidationError

from channels.amazon import tables
from channels.amazon.wire import Lenient, Moment

PLANNING: Final = "GET_FBA_INVENTORY_PLANNING_DATA"


@dataclass(frozen=True, slots=True)
class OfferSeen:
    """Who had the featured offer ("Buy Box") of an ASIN from a moment on.

    featured          whether anybody had it;  ours_featured  whether we had
    featured_price    of whoever had it, with shipping;  our_price  of our cheapest offer, None where we have none
    offers            how many the notification lists (Amazon lists at most 20)
    """

    asin: str
    condition: str
    at: datetime
    ours_featured: bool
    featured: bool
    featured_price: Decimal | None
    our_price: Decimal | None
    currency: str
    offers: int


class _Money(Lenient):
    amount: Annotated[Decimal, Field(alias="amount", ge=0, lt=Decimal(10) ** 12)]
    currency: Annotated[str, Field(alias="currencycode")] = ""


class _Offer(Lenient):
    model_config = ConfigDict(extra="ignore")

    seller: Annotated[str, Field(alias="sellerid")]
    featured: Annotated[bool, Field(alias="isbuyboxwinner")] = False
    price: Annotated[_Money, Field(alias="listingprice")]
    shipping: Annotated[_Money | None, Field(alias="shipping")] = None

    @property
    def landed(self) -> Decimal:
        """What a buyer pays."""
        return self.price.amount + (self.shipping.amount if self.shipping else 0)


class _Trigger(Lenient):
    model_config = ConfigDict(extra="ignore")

    marketplace: Annotated[str, Field(alias="marketplaceid")]
    asin: Annotated[str, Field(alias="asin", min_length=1)]
    condition: Annotated[str, Field(alias="itemcondition")] = "new"
    at: Annotated[Moment, Field(alias="timeofofferchange")]


class _Changed(Lenient):
    model_config = ConfigDict(extra="ignore")

    trigger: Annotated[_Trigger, Field(alias="offerchangetrigger")]
    offers: Annotated[tuple[_Offer, ...], Field(alias="offers")] = ()


class _Payload(Lenient):
    model_config = ConfigDict(extra="ignore")

    changed: Annotated[_Changed, Field(alias="anyofferchangednotification")]


def offer_seen(
    payload: Mapping[str, object], seller_id: str, marketplace_id: str
) -> OfferSeen | None:
    """What an ANY_OFFER_CHANGED payload (of `wire.notice`) says; None where it is unreadable or of another market."""
    try:
        changed = _Payload.model_validate(payload).changed
    except ValidationError:
        return None
    trigger = changed.trigger
    if trigger.marketplace != marketplace_id:
        return None
    winner = next((offer for offer in changed.offers if offer.featured), None)
    ours = [offer for offer in changed.offers if offer.seller == seller_id]
    priced = winner or min(changed.offers, key=lambda offer: offer.landed, default=None)
    return OfferSeen(
        asin=trigger.asin,
        condition=trigger.condition.lower(),
        at=trigger.at,
        ours_featured=any(offer.featured for offer in ours),
        featured=winner is not None,
        featured_price=winner.landed if winner else None,
        our_price=min((offer.landed for offer in ours), default=None),
        currency=priced.price.currency if priced else "",
        offers=len(changed.offers),
    )


@dataclass(frozen=True, slots=True)
class Health:
    """One SKU's row of the planning report; None is a column the report does not have, or leaves empty.

    days_of_supply, sell_through   as Amazon computes them;  aged_181_units  there for more than 180 days
    """

    seller_sku: str
    snapshot_on: date
    asin: str
    available: int | None
    days_of_supply: Decimal | None
    sell_through: Decimal | None
    units_shipped_30: int | None
    units_shipped_90: int | None
    excess_units: int | None
    aged_181_units: int | None
    unfulfillable: int | None
    inbound: int | None
    recommended_removal_units: int | None
    recommended_action: str
    alert: str
    storage_cost_next_month: Decimal | None
    currency: str


_NEEDED: Final = frozenset({"snapshotdate", "sku"})
_AGED: Final = (
    "invage181to270days",
    "invage271to365days",
    "invage365plusdays",
    "invage181to330days",
    "invage331to365days",
    "invage366to455days",
    "invage456plusdays",
)


def planning(content: bytes) -> list[Health]:
    """The planning report, one row a SKU; rows without SKU or date are left out. Raises Unreadable when it is none."""
    found: dict[tuple[str, date], Health] = {}
    for cells in tables.rows(content, needed=_NEEDED):
        on, sku = tables.day(cells.get("snapshotdate")), cells.get("sku", "")
        if on is not None and sku:
            # A SKU stands in it once a condition; the last one counts.
            found[sku, on] = _health(cells, sku, on)
    return [found[key] for key in sorted(found)]


def _health(cells: Mapping[str, str], sku: str, on: date) -> Health:
    def units(name: str) -> int | None:
        return tables.whole(cells.get(name))

    return Health(
        seller_sku=sku,
        snapshot_on=on,
        asin=cells.get("asin", ""),
        available=units("available"),
        days_of_supply=tables.decimal(cells.get("daysofsupply")),
        sell_through=tables.decimal(cells.get("sellthrough")),
        units_shipped_30=units("unitsshippedt30"),
        units_shipped_90=units("unitsshippedt90"),
        excess_units=units("estimatedexcessquantity"),
        aged_181_units=_aged(cells),
        unfulfillable=units("unfulfillablequantity"),
        inbound=units("inboundquantity"),
        recommended_removal_units=units("recommendedremovalquantity"),
        recommended_action=cells.get("recommendedaction", ""),
        alert=cells.get("alert", ""),
        storage_cost_next_month=tables.decimal(cells.get("estimatedstoragecostnextmonth")),
        currency=cells.get("currency", ""),
    )


def _aged(cells: Mapping[str, str]) -> int | None:
    """Units there for more than 180 days; old and new reports cut the ages differently and may carry both."""
    old = [tables.whole(cells.get(name)) for name in _AGED[:3]]
    new = [tables.whole(cells.get(name)) for name in _AGED[3:]]
    sums = [sum(filter(None, part)) for part in (old, new) if any(x is not None for x in part)]
    return max(sums, default=None)
