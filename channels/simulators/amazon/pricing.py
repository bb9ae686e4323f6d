"""Product Pricing v0, the little of it that shows who has the featured offer."""

from __future__ import annotations

from typing import Any, Final

from channels.simulators.amazon.account import Account
from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.notices import money
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Listing, Offer

_MOST: Final = 20


def handlers() -> dict[str, Handler]:
    return {
        "productPricingV0.getItemOffers": item_offers,
        "productPricingV0.getListingOffers": listing_offers,
    }


def item_offers(service: Service, call: Call) -> object:
    _check(service, call)
    asin = call.path["Asin"]
    known = any(listing.asin == asin for listing in service.account.listings.values())
    if not known and asin not in service.account.offers:
        raise invalid_input("Invalid Input", f"{asin} is an invalid ASIN")
    return _answer(service, call, asin, {"ASIN": asin})


def listing_offers(service: Service, call: Call) -> object:
    _check(service, call)
    sku = call.path["SellerSKU"]
    listing = service.account.listings.get(sku)
    if listing is None:
        raise invalid_input("Invalid Input", f"{sku} is an invalid SKU")
    return _answer(service, call, listing.asin, {"SellerSKU": sku})


def offers_of(account: Account, asin: str) -> list[Offer]:
    """Everyone's offers; the seller's own is made of his listings with units, unless offers were told."""
    told = account.offers.get(asin)
    if told is not None:
        return told
    own = [one for one in account.listings.values() if one.asin == asin and _units(one)]
    return [
        Offer(account.seller_id, one.price_cents, 0, one.by_amazon, featured=number == 0)
        for number, one in enumerate(own)
    ]


def _units(listing: Listing) -> int:
    return (listing.merchant_units or 0) + (listing.fba.fulfillable if listing.by_amazon else 0)


def _check(service: Service, call: Call) -> None:
    if call.query["MarketplaceId"] != service.account.marketplace_id:
        raise invalid_input("Invalid Input", "MarketplaceId")


def _answer(service: Service, call: Call, asin: str, named: dict[str, str]) -> object:
    offers = offers_of(service.account, asin)[:_MOST]
    condition, marketplace = call.query["ItemCondition"], call.query["MarketplaceId"]
    if condition != "New":
        offers = []
    identifier = {"MarketplaceId": marketplace, "ItemCondition": condition, **named}
    payload: dict[str, Any] = {
        "marketplaceId": marketplace,
        "ItemCondition": condition,
        "status": "Success" if offers else "NoBuyableOffers",
        "Identifier": identifier,
        "Summary": _summary(offers),
        "Offers": [_offer(offer, service.account.seller_id) for offer in offers],
    }
    name = "SKU" if "SellerSKU" in named else "ASIN"
    return {"payload": payload | {name: next(iter(named.values()))}}


def _summary(offers: list[Offer]) -> dict[str, Any]:
    counts = [
        {
            "condition": "new",
            "fulfillmentChannel": "Amazon" if amazon else "Merchant",
            "OfferCount": sum(offer.by_amazon is amazon for offer in offers),
        }
        for amazon in (True, False)
        if any(offer.by_amazon is amazon for offer in offers)
    ]
    cheapest = sorted(offers, key=lambda offer: offer.price_cents + offer.shipping_cents)[:1]
    return {
        "TotalOfferCount": len(offers),
        "NumberOfOffers": counts,
        "LowestPrices": [
            _price(o) | {"fulfillmentChannel": "Amazon" if o.by_amazon else "Merchant"}
            for o in cheapest
        ],
        "BuyBoxPrices": [_price(o) | {"sellerId": o.seller_id} for o in offers if o.featured],
        "BuyBoxEligibleOffers": counts,
    }


def _price(offer: Offer) -> dict[str, Any]:
    return {
        "condition": "new",
        "LandedPrice": money(offer.price_cents + offer.shipping_cents),
        "ListingPrice": money(offer.price_cents),
        "Shipping": money(offer.shipping_cents),
    }


def _offer(offer: Offer, seller_id: str) -> dict[str, Any]:
    return {
        "MyOffer": offer.seller_id == seller_id,
        "SubCondition": "new",
        "SellerId": offer.seller_id,
        "ShippingTime": {"minimumHours": 24, "maximumHours": 48, "availabilityType": "NOW"},
        "ListingPrice": money(offer.price_cents),
        "Shipping": money(offer.shipping_cents),
        "IsFulfilledByAmazon": offer.by_amazon,
        "IsBuyBoxWinner": offer.featured,
        "IsFeaturedMerchant": True,
    }
