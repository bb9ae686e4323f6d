"""Offers: who has the featured one."""

from __future__ import annotations

from typing import Any

from tests.channels.simulators.amazon.seller import Answer, Seller


def offers(seller: Seller, sku: str, **query: str) -> Answer:
    asked = {"MarketplaceId": "ATVPDKIKX0DER", "ItemCondition": "New", **query}
    return seller.call("GET", f"/products/pricing/v0/listings/{sku}/offers", asked)


def winners(answer: Answer) -> dict[str, Any]:
    found: list[dict[str, Any]] = answer.body["payload"]["Offers"]
    return {one["SellerId"]: one["IsBuyBoxWinner"] for one in found}


def test_alone_on_an_item_the_seller_is_featured(seller: Seller) -> None:
    answer = offers(seller, "FBM-1")

    assert winners(answer) == {seller.account.seller_id: True}
    summary = answer.body["payload"]["Summary"]
    assert summary["BuyBoxPrices"][0]["ListingPrice"] == {"Amount": 19.99, "CurrencyCode": "USD"}
    assert answer.body["payload"]["Offers"][0]["MyOffer"] is True


def test_a_rival_takes_the_featured_offer(seller: Seller) -> None:
    rival = {"seller": "A2RIVAL", "price": 18, "shipping": 1.5, "featured": True}
    seller.do("offers", sku="FBM-1", offers=[{"price": 19.99}, rival])
    asin = seller.account.listing("FBM-1").asin
    query = {"MarketplaceId": "ATVPDKIKX0DER", "ItemCondition": "New"}

    answer = seller.call("GET", f"/products/pricing/v0/items/{asin}/offers", query)

    assert winners(answer) == {seller.account.seller_id: False, "A2RIVAL": True}
    landed = answer.body["payload"]["Summary"]["BuyBoxPrices"][0]["LandedPrice"]["Amount"]
    assert landed == 19.5


def test_a_sold_out_item_has_no_offers(seller: Seller) -> None:
    seller.patch("FBM-1", 0)
    seller.later(5)

    answer = offers(seller, "FBM-1")

    assert answer.body["payload"]["status"] == "NoBuyableOffers"
    assert winners(answer) == {}


def test_an_unknown_item_is_refused(seller: Seller) -> None:
    assert offers(seller, "NOPE").errors == ["InvalidInput"]
    seller.later(1)
    assert offers(seller, "FBM-1", MarketplaceId="A1F83G8C2ARO7P").errors == ["InvalidInput"]
