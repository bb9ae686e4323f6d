"""Stock: creating listings, moving Amazon's units, and what a sale, a shipment or a cancel does to either stock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.simulators.amazon.account import Account, Act, Refused
from channels.simulators.amazon.state import MERCHANT, Line, Listing

NETWORK: Final = "AMAZON_NA"
INBOUND: Final = ("inbound_working", "inbound_shipped", "inbound_receiving")

_ADJUSTMENTS: Final = {
    "lost": ({"fulfillable": -1}, "M", -1, "SELLABLE"),
    "found": ({"fulfillable": 1}, "F", 1, "SELLABLE"),
    "damaged": ({"fulfillable": -1, "warehouse_damaged": 1}, "E", 0, "WAREHOUSE_DAMAGED"),
    "disposed": ({"warehouse_damaged": -1}, "D", -1, "WAREHOUSE_DAMAGED"),
    "researching": ({"fulfillable": -1, "researching": 1}, "3", 0, "SELLABLE"),
    "transfer_out": ({"fulfillable": -1, "reserved_transfer": 1}, "", -1, "SELLABLE"),
    "transfer_in": ({"fulfillable": 1, "reserved_transfer": -1}, "", 1, "SELLABLE"),
}
"""Kind -> change of the parts per unit, the ledger's reason code, its units and disposition."""

ADJUSTMENTS: Final = tuple(_ADJUSTMENTS)


@dataclass(frozen=True, slots=True)
class NewListing:
    """A listing to create: `units` for the seller's own stock, or `fba` parts for Amazon's."""

    sku: str
    title: str = ""
    units: int | None = None
    fba: Mapping[str, int] | None = None
    handling_days: int | None = None
    price_cents: int = 1999
    asin: str | None = None
    product_type: str = "PRODUCT"
    inches: tuple[float, float, float] | None = None
    pounds: float | None = None


def create(account: Account, act: Act, new: NewListing) -> Listing:
    """Put a listing up. Raises Refused when the SKU is taken."""
    if new.sku in account.listings:
        raise Refused(f"SKU {new.sku!r} exists already")
    listing = Listing(
        new.sku,
        new.asin or account.new_code("B0"),
        account.new_code("X00"),
        new.product_type,
        _attributes(account.marketplace_id, new),
        act.at,
        act.at,
        inches=new.inches,
        pounds=new.pounds,
    )
    if new.fba is not None:
        account.move_fba(act, listing, new.fba)
        account.book(act, listing, "Receipts", listing.fba.at_amazon, reference="opening")
    account.listings[new.sku] = listing
    return listing


def _attributes(marketplace: str, new: NewListing) -> dict[str, Any]:
    entry: dict[str, Any] = {"marketplace_id": marketplace}
    if new.fba is None:
        entry |= {"fulfillment_channel_code": MERCHANT, "quantity": new.units or 0}
        if new.handling_days is not None:
            entry["lead_time_to_ship_max_days"] = new.handling_days
    else:
        entry["fulfillment_channel_code"] = NETWORK
    price = [{"schedule": [{"value_with_tax": new.price_cents / 100}]}]
    return {
        "item_name": [
            {
                "marketplace_id": marketplace,
                "language_tag": "en_US",
                "value": new.title or f"Product {new.sku}",
            }
        ],
        "condition_type": [{"marketplace_id": marketplace, "value": "new_new"}],
        "purchasable_offer": [
            {
                "marketplace_id": marketplace,
                "audience": "ALL",
                "currency": "USD",
                "our_price": price,
            }
        ],
        "fulfillment_availability": [entry],
    }


def set_merchant(account: Account, act: Act, listing: Listing, units: int) -> None:
    """The seller's own stock on offer. Raises Refused when he offers none of it himself, or below zero."""
    entry = listing.availability(MERCHANT)
    if entry is None:
        raise Refused(f"{listing.sku} is not shipped by the seller")
    if units < 0:
        raise Refused(f"{listing.sku} cannot offer {units} units")
    account.touch_merchant(act, listing)
    entry["quantity"] = units


def sell(account: Account, act: Act, listing: Listing, units: int, *, by_amazon: bool) -> None:
    """Take units off the offer when an order is placed. Raises Refused when there are not enough."""
    if by_amazon:
        account.move_fba(act, listing, {"fulfillable": -units, "reserved_orders": units})
    else:
        offered = listing.merchant_units or 0
        if offered < units:
            raise Refused(f"{listing.sku} has {offered} units on offer, not {units}")
        set_merchant(account, act, listing, offered - units)


def give_back(account: Account, act: Act, listing: Listing, units: int, *, by_amazon: bool) -> None:
    """Put units of a cancelled order on offer again; nothing when the seller's offer is gone."""
    if by_amazon:
        account.move_fba(act, listing, {"fulfillable": units, "reserved_orders": -units})
    elif listing.availability(MERCHANT) is not None:
        set_merchant(account, act, listing, (listing.merchant_units or 0) + units)


def ship(
    account: Account, act: Act, line: Line, units: int, *, by_amazon: bool, order_id: str
) -> None:
    """Units leave: out of Amazon's reserve, or out of the seller's house (which Amazon does not see)."""
    line.shipped += units
    listing = account.listings.get(line.sku)
    if listing is None:
        return
    listing.shipped_units.append((act.at, units))
    if by_amazon:
        account.move_fba(act, listing, {"reserved_orders": -units})
        account.book(act, listing, "Shipments", -units, reference=order_id)


def receive(account: Account, act: Act, listing: Listing, units: int, reference: str) -> None:
    """Units of an inbound shipment become sellable."""
    account.move_fba(act, listing, {"inbound_receiving": -units, "fulfillable": units})
    account.book(act, listing, "Receipts", units, reference=reference)


def inbound(account: Account, act: Act, listing: Listing, units: int, step: str) -> None:
    """One step of an inbound shipment: planned, shipped, arrived or received."""
    match step:
        case "planned":
            account.move_fba(act, listing, {"inbound_working": units})
        case "shipped":
            account.move_fba(act, listing, {"inbound_working": -units, "inbound_shipped": units})
        case "arrived":
            account.move_fba(act, listing, {"inbound_shipped": -units, "inbound_receiving": units})
        case "received":
            receive(account, act, listing, units, f"FBA{account.new_digits(9)}")
        case _:
            raise Refused("step is planned, shipped, arrived or received")


def customer_return(
    account: Account, act: Act, listing: Listing, units: int, *, part: str, order_id: str
) -> None:
    """A customer's return arrives: sellable again, or damaged."""
    if part != "fulfillable" and part not in ("customer_damaged", "carrier_damaged", "defective"):
        raise Refused("a return becomes fulfillable, customer_damaged, carrier_damaged, defective")
    account.move_fba(act, listing, {part: units})
    disposition = "SELLABLE" if part == "fulfillable" else part.upper()
    account.book(
        act, listing, "CustomerReturns", units, disposition=disposition, reference=order_id
    )


def adjust(account: Account, act: Act, listing: Listing, kind: str, units: int) -> None:
    """Amazon loses, finds, damages, disposes of, examines or moves units; the ledger tells why."""
    if kind not in _ADJUSTMENTS:
        raise Refused(f"kind is one of {', '.join(ADJUSTMENTS)}")
    deltas, reason, sign, disposition = _ADJUSTMENTS[kind]
    account.move_fba(act, listing, {name: delta * units for name, delta in deltas.items()})
    event = "WhseTransfers" if kind.startswith("transfer") else "Adjustments"
    reference = account.new_digits(15)
    if kind == "damaged":
        account.book(act, listing, event, -units, reason=reason, reference=reference)
        sign = 1
    account.book(
        act,
        listing,
        event,
        sign * units,
        disposition=disposition,
        reason=reason,
        reference=reference,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line to order."""

    sku: str
    units: int
    price_cents: int | None = None
